#!/bin/sh
# Create the passwords of the users in ./acl at the first start; later starts keep them. compose.yaml runs it before mosquitto starts.
#
#   credentials.sh FOR_MOSQUITTO FOR_JOBINDEX
#
# FOR_MOSQUITTO, a directory, gets
#   acl            a copy of ./acl, renewed at every start
#   passwords      the password_file: the hashes
#   mosquitto_pub  options that mosquitto_pub reads when XDG_CONFIG_HOME is this directory: the user `publisher` and its password
#   mosquitto_sub  the same for mosquitto_sub and the user `healthcheck`
# FOR_JOBINDEX, a directory, gets
#   mqtt-password  the password of the user `jobindex`, and no other
#
# If the file `passwords` or jobindex's file is missing, all passwords are created again; then restart mosquitto and jobindex.
set -eu
# mosquitto warns about files that others may read, and announces that it will refuse them.
umask 077

here=$(dirname "$0")
for_mosquitto=$1
for_jobindex=$2

# A copy, because the file in the checkout belongs to another user and is readable for all.
cp "$here/acl" "$for_mosquitto/acl.new"
mv "$for_mosquitto/acl.new" "$for_mosquitto/acl"

if [ -s "$for_mosquitto/passwords" ] && [ -s "$for_jobindex/mqtt-password" ]; then
    echo "The passwords exist."
    exit
fi

# 192 bits, in characters that need no quotes anywhere.
random() {
    od -An -v -tx1 -N24 /dev/urandom | tr -d ' \n'
}
jobindex=$(random)
publisher=$(random)
healthcheck=$(random)

printf '%s\n' "-u publisher" "-P $publisher" >"$for_mosquitto/mosquitto_pub"
printf '%s\n' "-u healthcheck" "-P $healthcheck" >"$for_mosquitto/mosquitto_sub"
printf '%s\n' "$jobindex" >"$for_jobindex/mqtt-password"
# jobindex reads it as another user; no other container mounts this directory.
chmod 644 "$for_jobindex/mqtt-password"

printf '%s\n' "jobindex:$jobindex" "publisher:$publisher" "healthcheck:$healthcheck" >"$for_mosquitto/passwords.new"
# -U replaces them by hashes; arguments would be visible in the process list.
mosquitto_passwd -U "$for_mosquitto/passwords.new"
# Last, because this file marks all of them as complete.
mv "$for_mosquitto/passwords.new" "$for_mosquitto/passwords"
echo "The passwords were created."
