#!/bin/bash
# Out of an initramfs, which can't be pivoted away from: what is mounted on it comes along, or nothing does.
. "$(dirname "$0")/lib.sh"

vm_test fuse
vm_test_stage4

# shellcheck disable=SC2016   # that's for the guest's shell
prepare='
mkdir /mnt/disk /mnt/fuse /mnt/over /mnt/over/sub
mount -t tmpfs -o mode=755 run /run
mkdir -p /run/media/disk
mount -t ext4 /dev/vda /run/media/disk
echo data >/run/media/disk/file
for again in 1 2 ; do    # the second replaces the first, here without MOVE_MOUNT_BENEATH
  stage4-ramfs /run/stage4 /bin/busybox /bin/sh /bin/cat /bin/mark || echo "=== no ramfs"
done
: >/etc/afile
mount --bind /run/media/disk/file /etc/afile
mount -t tmpfs below /mnt/over/sub
mount -t tmpfs above /mnt/over
mount -t tmpfs on-top /mnt/over
fuse_daemon /mnt/fuse
kill -STOP $daemon
echo "=== request"
'
boot () {
  image_ext4 "$work/disk.img" 32M
  { echo "$prepare" ; cat ; } | VM_APPEND=quiet guest "$work/disk.img"
}

boot <<'END'
exec stage4-begin -A reboot -t 30s -R /run/stage4 stage4-nuke stage4-pivot \
  stage4-hook ' cat' ' /proc/self/mountinfo' '' \
  stage4-settle ' stage4-umountall' ' -T' ' tmpfs' ' stage4-umountall' ' -t' ' 3s' '' \
  stage4-hook ' mark' ' full' '' stage4-freeze stage4-hpr
END
ok "all: pivoted, although a FUSE file system hangs" console_has "$console" 'pivoted to /run/stage4, the old root is at /oldroot'
ok "all: of two ramfs, one replaced the other" test "$(grep -c ' - ramfs none' "$console")" = 1
ok "all: it came along" console_has "$console" ' /oldroot/mnt/fuse .* - fuse'
ok "all: so did a file" console_has "$console" ' /oldroot/etc/afile .* - ext4'
ok "all: one that covers another" console_has "$console" ' /oldroot/mnt/over .* - tmpfs on-top'
ok "all: the one below it" console_has "$console" ' /oldroot/stage4-covered-.* - tmpfs above'
ok "all: and one below that" console_has "$console" ' /oldroot/stage4-covered-.* - tmpfs below'
ok "all: /run is in its place, with what is on it" console_has "$console" ' /run/media/disk .* - ext4'
ok "all: and was unmounted there" test "$(image_marker "$work/disk.img")" = full
reset_and_clean all

boot <<'END'
mkdir /run/stage4/oldroot
: >/run/stage4/oldroot/mnt
cut -d ' ' -f 1-5 /proc/self/mountinfo | sort >/before
exec stage4-begin -A reboot -t 30s -R /run/stage4 stage4-nuke stage4-pivot /bin/sh -c '
  cut -d " " -f 1-5 /proc/self/mountinfo | sort >/after
  echo "=== ?=$?"
  cmp /before /after && echo "=== as before"
  exec stage4-umountall -t 3s stage4-hpr'
END
ok "undone: it is said why" console_has "$console" 'no pivot: unable to move /mnt/.* Not a directory'
ok "undone: every mount is where it was" console_has "$console" '^=== as before'
reset_and_clean undone
done_testing
