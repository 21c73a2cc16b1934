#!/bin/bash
# A mount that hangs: a tmpfs below a FUSE file system whose daemon, spared, has stopped.
. "$(dirname "$0")/lib.sh"

vm_test fuse
vm_test_stage4
image_ext4 "$work/disk.img" 16M

VM_TIME=90 VM_APPEND=quiet guest "$work/disk.img" <<'END'
mkdir /mnt/fuse /mnt/disk
mount -t ext4 /dev/vda /mnt/disk
echo data >/mnt/disk/file
mkfifo /fifo
ln -s fusehang /bin/@fusehang
@fusehang /mnt/fuse >/fifo &
daemon=$!
read -r ready </fifo
mount -t tmpfs tmpfs /mnt/fuse/dir
kill -STOP $daemon
echo "=== request"
exec stage4-begin -A reboot -t 20s stage4-nuke stage4-umountall -t 3s \
  /bin/sh -c 'echo "=== after umountall"; cat /proc/mounts; exec stage4-hpr'
END

ok "the mount that hangs is named while it does" console_has "$console" 'still unmounting /mnt/fuse/dir'
ok "and is given up" console_has "$console" 'gave up unmounting /mnt/fuse/dir .* after 3\.'
ok "the FUSE file system that it hangs on is forced" console_has "$console" 'forcing /mnt/fuse '
ok "nothing of it is left" not console_has "$console" ' /mnt/fuse.* 0 0'
ok "the machine reset itself" console_has "$console" 'reboot: Restarting system'
ok "within its budget" test "$(($(console_time "$console" 'reboot: Restarting') - $(console_time "$console" '^=== request')))" -lt 20000
ok "the disk is clean" image_clean "$work/disk.img"
ok "fsck is silent" image_fsck "$work/disk.img"
ok "no panic, no kernel bug" console_no_panic "$console"
done_testing
