#!/bin/sh -e
# What comes before s6-svscan.

# The chroot's devtmpfs, procfs and sysfs are older than the machine's own: whoever takes the first of
# a kind in the mount table for the one in use is wrong.
for root in /srv/chroot '' ; do
  mount -t devtmpfs dev "$root/dev"
  mount -t proc proc "$root/proc"
  mount -t sysfs sys "$root/sys"
done
mkdir /dev/pts /dev/shm
mount -t devpts -o mode=620,ptmxmode=666 devpts /dev/pts
mount -t tmpfs -o mode=1777 shm /dev/shm
mount -t tmpfs -o mode=755 run /run

cp -a /etc/demo/service /run/service
mkfifo -m 600 /run/service/s6-svscan-log/fifo
for i in 2 3 4 5 ; do cp -a /run/service/clock "/run/service/clock$i" ; done
case ${demo_load:?} in *shell*) ;; *) touch /run/service/shell/down ;; esac

# Which way the machine goes down is said on the kernel's command line (demo_chain=NAME): the kernel hands
# such words to init as environment variables.
ln -s "/etc/demo/chain/${demo_chain:?}" /sbin/reboot

test ! -e /usr/bin/stage4-ramfs || stage4-ramfs /run/stage4 /etc/stage4/teardown.d
