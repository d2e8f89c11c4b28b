#!/bin/sh
# Create the password of the database user `jobindex` at the first start; later starts keep it.
#
#   credentials.sh DIRECTORY
#
# DIRECTORY gets the file `password`. If it is missing, it is created again; then restart PostgreSQL and the replicas.
set -eu

if [ -s "$1/password" ]; then
    echo "The password exists."
    exit
fi

# 192 bits, in characters that need no quotes anywhere.
od -An -v -tx1 -N24 /dev/urandom | tr -d ' \n' >"$1/password.new"
# The replicas read it as another user; no other container mounts this directory.
chmod 644 "$1/password.new"
mv "$1/password.new" "$1/password"
echo "The password was created."
