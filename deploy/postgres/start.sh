#!/bin/sh
# Start PostgreSQL: create the database `jobindex` the first time, and set the password of the user `jobindex` from the file.
#
#   start.sh PASSWORD_FILE [OPTION...]
#
# Not chosen: the image's own entry point. It creates a superuser that may run programs in this container; it reads the password only at
# the first start; and after a kill during that start it accepts the incomplete database.
set -eu

password_file=$1
shift

# Run statements, one on each line, without a server. Not in a pipe: after a kill the lock file names process 1, and PostgreSQL assumes that
# this is a running server unless it is its own parent.
alone() {
    postgres --single -D "$1" -c exit_on_error=true postgres >/dev/null
}

if [ ! -d "$PGDATA" ]; then
    new=$PGDATA.new
    rm -rf "$new"
    # Texts are ordered by bytes in every image, so that an index does not depend on the sort order of a C library.
    # In this container the user `postgres` has all permissions without a password; from outside only `jobindex` can connect.
    initdb --pgdata="$new" --username=postgres --auth-local=peer --auth-host=reject --encoding=UTF8 --locale=C --data-checksums
    echo "host jobindex jobindex all scram-sha-256" >>"$new/pg_hba.conf"
    alone "$new" <<END
CREATE ROLE jobindex LOGIN
CREATE DATABASE jobindex OWNER jobindex
END
    mv "$new" "$PGDATA"
fi

# A copy has the last password that was set, so that a server is only started for a new one.
if ! cmp -s "$password_file" "$PGDATA.password"; then
    alone "$PGDATA" <<END
ALTER ROLE jobindex PASSWORD '$(cat "$password_file")'
END
    (umask 077 && cp "$password_file" "$PGDATA.password")
fi

exec postgres -D "$PGDATA" -c listen_addresses='*' -c unix_socket_directories="$PGHOST" "$@"
