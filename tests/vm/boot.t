#!/bin/bash
# Proves the machinery of the other tests: what they rely on in the guest, and that the judges can say no.
. "$(dirname "$0")/lib.sh"

vm_test loop fuse vfat nls_cp437 nls_ascii overlay dm_mod softdog
image_ext4 "$work/unmounted.img" 16M
image_ext4 "$work/left.img" 16M

guest "$work/unmounted.img" "$work/left.img" <<'END'
check "modules are loaded" grep -q '^softdog' /proc/modules
check "fuse is there" grep -q 'fuse$' /proc/filesystems
mkdir /mnt/1 /mnt/2 /mnt/loop
mount -t ext4 /dev/vda /mnt/1
mount -t ext4 /dev/vdb /mnt/2
echo data >/mnt/1/file

truncate -s 4M /mnt/1/image
mkdosfs /mnt/1/image
check "a loop device works" mount -t vfat -o loop /mnt/1/image /mnt/loop
check "a mounted disk can't be marked" not mark -d /dev/vda early
umount /mnt/loop
umount /mnt/1
check "an unmounted disk can be marked" mark -d /dev/vda late
check "a disk that is mounted somewhere can't be marked" not mark -d /dev/vdb late
dd if=/dev/zero of=/mnt/2/file bs=1M count=2
sync
END

guest_says "modules are loaded" "fuse is there" "a loop device works" \
  "a mounted disk can't be marked" "an unmounted disk can be marked" "a disk that is mounted somewhere can't be marked"
ok "the machine powered itself off" console_has "$console" 'reboot: Power down'
ok "no panic, no kernel bug" console_no_panic "$console"
ok "the unmounted disk is clean" image_clean "$work/unmounted.img"
ok "and has nothing to repair" image_fsck "$work/unmounted.img"
ok "and bears the mark" test "$(image_marker "$work/unmounted.img")" = late
image_file "$work/unmounted.img" /file "$work/file"
ok "its file can be read" grep -qx data "$work/file"
ok "the disk that was left mounted is not clean" not image_clean "$work/left.img"
ok "and bears no mark" not image_marker "$work/left.img"
ok "times are increasing" sort -s -n -c "$console"
done_testing
