#!/bin/bash
# Busy disks that are hard to reach: one of which a socket is bound elsewhere, one that another mount lies over, one
# that is mounted below a FUSE file system whose daemon, spared, has stopped, one of which only a file is mounted.
. "$(dirname "$0")/lib.sh"

vm_test fuse
vm_test_stage4
new_disks 16M a b c d

VM_APPEND=quiet guest "$work"/{a,b,c,d}.img <<'END'
mkdir /a /b /d /fuse
ln -s load /bin/@load
mount -t ext4 /dev/vda /a
sock /a/sock
touch /sock
mount --bind /a/sock /sock
begin @load writer /a/busy
mount -t ext4 /dev/vdb /b
echo data >/b/file
mount -t tmpfs cover /b
begin @load writer /b/busy
mount -t ext4 /dev/vdd /d
touch /d/file /file
mount --bind /d/file /file
umount /d
begin @load writer /file
fuse_daemon /fuse
mount -t ext4 /dev/vdc /fuse/dir
begin @load writer /fuse/dir/busy
kill -STOP $daemon
echo "=== request"
exec stage4-begin -v 2 -A reboot -t 30s stage4-nuke stage4-umountall -t 2s stage4-hook ' env' '' stage4-freeze -t 2s stage4-hpr -t 1s
END

ok "the disk that only has a writer is named" console_has "$console" 'left: /a \(ext4 on /dev/vda, writable\), held by [0-9]* @load'
ok "what is covered is made read-only" console_has "$console" 'made read-only /b \(ext4 on /dev/vdb\)'
ok "FUSE is not forced: a disk would go out of sight" not console_has "$console" 'forcing|detached'
ok "the disk below it is still named" console_has "$console" 'left: /fuse/dir \(ext4 on /dev/vdc, writable\)'
ok "the time was up" console_has "$console" '^\?=99'
ok "by way of a file" console_has "$console" 'froze /file \(ext4 on /dev/vdd\)'
ok "all others are frozen, too" console_has "$console" 'froze 3 of 3 writable file systems'
ok "the machine reset itself" console_has "$console" 'reboot: Restarting system'
ok "in time" test "$(since_request)" -lt 15000
disks_clean ways a b c d
done_testing
