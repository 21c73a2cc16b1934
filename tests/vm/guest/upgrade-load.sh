#!/bin/sh
# In the place of the demo's load: a swap file, and somebody who does not end by SIGTERM.
exec 2>&1
fallocate -l 16M /var/swap
chmod 600 /var/swap
mkswap /var/swap
swapon /var/swap
case ${demo_load:?} in *stubborn*) /usr/lib/demo/load stubborn >/dev/null & ;; esac
echo >&3
exec /usr/lib/demo/load sleeper >/dev/null
