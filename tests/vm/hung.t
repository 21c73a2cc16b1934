#!/bin/bash
# Mounts that hang: a tmpfs below a FUSE file system whose daemon, spared, has stopped; a disk that answers no more.
. "$(dirname "$0")/lib.sh"

vm_test fuse dm_mod
vm_test_stage4
image_ext4 "$work/disk.img" 16M
image_ext4 "$work/dead.img" 16M

VM_APPEND=quiet guest "$work/disk.img" "$work/dead.img" <<'END'
mkdir /mnt/fuse /mnt/disk /mnt/dead
dm create dead /dev/vdb
mount -t ext4 /dev/mapper/dead /mnt/dead
echo data >/mnt/dead/file
mount -t ext4 /dev/vda /mnt/disk
echo data >/mnt/disk/file
fuse_daemon /mnt/fuse
mount -t tmpfs tmpfs /mnt/fuse/dir
kill -STOP $daemon
dm suspend dead
echo "=== request"
exec stage4-begin -A reboot -t 20s stage4-nuke stage4-umountall -t 3s stage4-hook ' env' '' stage4-umountall \
  /bin/sh -c 'echo "=== after umountall"; cat /proc/mounts; exec stage4-hpr -t 2s'
END

ok "the mount that hangs is named while it does" console_has "$console" 'still unmounting .*/mnt/fuse/dir'
ok "and is given up" console_has "$console" 'gave up unmounting /mnt/fuse/dir .* after 3\.'
ok "the FUSE file system that it hangs on is forced" console_has "$console" 'forcing /mnt/fuse '
ok "the chain goes on" console_has "$console" '^=== after umountall'
ok "nothing of it is left" not console_has "$console" ' /mnt/fuse.* 0 0'
ok "the disk that does not answer is named" console_has "$console" 'left: /mnt/dead \(ext4 on /dev/mapper/dead\), still being unmounted'
ok "it is not counted as unmounted" console_has "$console" 'stage4-umountall: info: unmounted 2, left '
ok "the time was up" console_has "$console" '^\?=99'
ok "the next step does not believe that all is well" console_has "$console" 'left: 1 unmounts of an earlier step, still under way'
ok "at the end it is not forgotten" console_has "$console" 'left: 1 unmounts under way, 0 writable file systems'
ok "the machine reset itself" console_has "$console" 'reboot: Restarting system'
ok "within its budget" test "$(since_request)" -lt 20000
clean "FUSE"
done_testing
