#!/bin/sh
# Make the password of the database's user `jobindex`, at the first start; later ones keep it.
#
#   credentials.sh DIRECTORY
#
# DIRECTORY gets the file `password`. Where it is missing it is made anew; PostgreSQL and the replicas must then be started again.
set -eu

if [ -s "$1/password" ]; then
    echo "The password is there."
    exit
fi

# 192 bits, in characters that need no quotes anywhere.
od -An -v -tx1 -N24 /dev/urandom | tr -d ' \n' >"$1/password.new"
# The replicas read it as another user; nobody else has this directory mounted.
chmod 644 "$1/password.new"
mv "$1/password.new" "$1/password"
echo "The password is made."
