#!/bin/sh
# In the place of the demo's load: a swap file and a loop device on the disk, and somebody who does not end by SIGTERM.
exec 2>&1
where=/var
fallocate -l 16M $where/swap
chmod 600 $where/swap
mkswap $where/swap
swapon $where/swap
truncate -s 1M $where/loop
mke2fs -F $where/loop
mkdir -p /mnt/loop
mount -t ext4 -o loop $where/loop /mnt/loop
cp /etc/passwd /mnt/loop/
case ${demo_load:?} in *stubborn*) /usr/lib/demo/load stubborn >/dev/null & ;; esac
echo >&3
exec /usr/lib/demo/load sleeper >/dev/null
