#!/bin/sh
# Start PostgreSQL: make the database `jobindex` the first time, and give the user `jobindex` the password that the file says.
#
#   start.sh PASSWORD_FILE [OPTION...]
#
# Not used instead: the image's own entry point. It makes a user with all rights, who may run programs in this container; it reads the
# password at the first start alone; and what was killed in that start it takes for whole.
set -eu

password_file=$1
shift

# Run statements, a line each, where no server runs. Not in a pipe: after a kill the lock file names process 1, which PostgreSQL takes for
# a server that runs unless it is its own parent.
alone() {
    postgres --single -D "$1" -c exit_on_error=true postgres >/dev/null
}

if [ ! -d "$PGDATA" ]; then
    new=$PGDATA.new
    rm -rf "$new"
    # The order of texts is that of their bytes in every image: an index does not break where a C library sorts otherwise.
    # In this container the user `postgres` has all rights without a password; from outside only `jobindex` comes in.
    initdb --pgdata="$new" --username=postgres --auth-local=peer --auth-host=reject --encoding=UTF8 --locale=C --data-checksums
    echo "host jobindex jobindex all scram-sha-256" >>"$new/pg_hba.conf"
    alone "$new" <<END
CREATE ROLE jobindex LOGIN
CREATE DATABASE jobindex OWNER jobindex
END
    mv "$new" "$PGDATA"
fi

# A copy tells which password was set last: without a need, no server is started for it.
if ! cmp -s "$password_file" "$PGDATA.password"; then
    alone "$PGDATA" <<END
ALTER ROLE jobindex PASSWORD '$(cat "$password_file")'
END
    (umask 077 && cp "$password_file" "$PGDATA.password")
fi

exec postgres -D "$PGDATA" -c listen_addresses='*' -c unix_socket_directories="$PGHOST" "$@"
