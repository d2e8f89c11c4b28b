#!/bin/sh
# Make the passwords of the users in ./acl, at the first start; later ones keep them. compose.yaml runs it before mosquitto starts.
#
#   credentials.sh FOR_MOSQUITTO FOR_JOBINDEX
#
# FOR_MOSQUITTO, a directory, gets
#   acl            a copy of ./acl, made anew at every start
#   passwords      the password_file: the hashes
#   mosquitto_pub  options that mosquitto_pub reads when XDG_CONFIG_HOME is this directory: the user `publisher` and its password
#   mosquitto_sub  the same for mosquitto_sub and the user `healthcheck`
# FOR_JOBINDEX, a directory, gets
#   mqtt-password  the password of the user `jobindex`, and no other
#
# Where the file `passwords`, or jobindex's, is missing, all are made anew; mosquitto and jobindex must then be started again.
set -eu
# mosquitto warns of files that others may read, and means to refuse them in future.
umask 077

here=$(dirname "$0")
for_mosquitto=$1
for_jobindex=$2

# A copy, as the checkout's own file belongs to somebody else and may be read by all.
cp "$here/acl" "$for_mosquitto/acl.new"
mv "$for_mosquitto/acl.new" "$for_mosquitto/acl"

if [ -s "$for_mosquitto/passwords" ] && [ -s "$for_jobindex/mqtt-password" ]; then
    echo "The passwords are there."
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
# Another user reads it there, who alone has this directory mounted.
chmod 644 "$for_jobindex/mqtt-password"

printf '%s\n' "jobindex:$jobindex" "publisher:$publisher" "healthcheck:$healthcheck" >"$for_mosquitto/passwords.new"
# -U makes hashes of them; as arguments they would stand in the list of processes.
mosquitto_passwd -U "$for_mosquitto/passwords.new"
# Last, as it is what tells that all are there.
mv "$for_mosquitto/passwords.new" "$for_mosquitto/passwords"
echo "The passwords are made."
