#!/bin/bash
# Overlays whose upper layer is on a disk: a busy one, with the lower one in a file on another disk; one that is the root
# of a live system, that stays, and that is left.
. "$(dirname "$0")/lib.sh"

vm_test overlay loop
vm_test_stage4

mkdir -p "$work"/{lower,store}
image_ext4 "$work/store/file" 8M "$work/lower"
boot () {
  image_ext4 "$work/disk.img" 64M
  image_ext4 "$work/store.img" 16M "$work/store"
  VM_APPEND=quiet guest "$work/disk.img" "$work/store.img"
}
# The disk is below its own overlay, and what the overlay's options say of it leads nowhere any more.
# shellcheck disable=SC2016   # that's for the guest's shell
live='
mkdir /mnt/disk /mnt/ov
mount -t ext4 /dev/vda /mnt/disk
mkdir /mnt/disk/upper /mnt/disk/work /lower
cp -a /bin /lower
mount -t overlay -o lowerdir=/lower,upperdir=/mnt/disk/upper,workdir=/mnt/disk/work over /mnt/ov
for i in dev proc sys run media ; do mkdir -p /mnt/ov/$i ; done
for i in dev proc sys ; do mount --move /$i /mnt/ov/$i ; done
mount --move /mnt/disk /mnt/ov/media
mount -t tmpfs -o mode=755 run /mnt/ov/run
echo data >/mnt/ov/file
cd /mnt/ov
mount --move . /
'

boot <<'END'
mkdir /mnt/disk /mnt/store /mnt/lower /mnt/ov
mount -t ext4 /dev/vda /mnt/disk
mount -t ext4 /dev/vdb /mnt/store
mount -t ext4 -o loop /mnt/store/file /mnt/lower
mkdir /mnt/disk/upper /mnt/disk/work
mount -t overlay -o lowerdir=/mnt/lower,upperdir=/mnt/disk/upper,workdir=/mnt/disk/work over /mnt/ov
ln -s load /bin/@load
begin @load writer /mnt/ov/busy
stage4-umountall -n
stage4-umountall -n -k /mnt/ov
stage4-freeze -n
exec stage4-begin -v 2 -A reboot -t 30s stage4-nuke stage4-umountall -t 3s stage4-hook ' cat' ' /proc/self/mountinfo' '' \
  stage4-freeze stage4-hpr
END
ok "busy: the overlay goes first" test "$(sed -n 's/^ *[0-9]* unmount \(.*\): .*/\1/p' "$console" | tr '\n' ' ')" = "/mnt/ov /mnt/lower /mnt/store /mnt/disk "
ok "busy: if it is kept, so are its layers" test "$(grep -c 'leave /mnt/[a-z]*: carries /mnt/[a-z]*$' "$console")" = 3
ok "busy: it is no overlay that is frozen, and a file before the disk it is on" \
  test "$(sed -n 's/^ *[0-9]* freeze \(.*\): .*/\1/p' "$console" | tr '\n' ' ')" = "/mnt/lower /mnt/store /mnt/disk "
ok "busy: its holder is named" console_has "$console" 'left: /mnt/ov \(overlay on over, writable\), held by [0-9]* @load'
ok "busy: the layer is still in sight" console_has "$console" '/ /mnt/disk '
ok "busy: what lies below a loop device is frozen" console_has "$console" 'froze 1 of 1'
ok "busy: the other disk is clean" image_clean "$work/store.img"
ok "busy: the other disk: fsck is silent" image_fsck "$work/store.img"
reset_and_clean busy

{ echo "$live" ; cat ; } <<'END' | boot
exec chroot . sh -c 'stage4-umountall -n ; exec stage4-begin -v 2 -A reboot -t 30s stage4-nuke stage4-umountall -t 3s \
  stage4-hook " env" "" stage4-freeze stage4-hpr'
END
ok "root: the plan" console_has "$console" 'leave /media until it is read-only: it may be a layer of /$'
ok "root: it is made read-only" console_has "$console" 'made read-only / \(overlay'
ok "root: then the layer" console_has "$console" 'made read-only /media \(ext4'
ok "root: then that goes" console_has "$console" 'unmounted /media '
ok "root: nothing is left" console_has "$console" '^\?=0'
reset_and_clean root

{ echo "$live" ; cat ; } <<'END' | boot
exec chroot . sh -c 'stage4-ramfs /run/stage4 /bin/busybox /bin/mark
  exec stage4-begin -v 2 -A reboot -t 30s -R /run/stage4 stage4-nuke stage4-pivot stage4-umountall -t 3s stage4-hook " mark" " left" "" \
  stage4-freeze stage4-hpr'
END
ok "pivot: it was left" console_has "$console" 'pivoted to /run/stage4'
ok "pivot: the disk was unmounted, and the overlay" test "$(image_marker "$work/disk.img")" = left
ok "pivot: nothing is left to be said" console_has "$console" 'left: 0 writable file systems'
reset_and_clean pivot
done_testing
