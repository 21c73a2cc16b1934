#!/bin/sh
# A machine with Debian's systemd, whose root lies on LUKS on LVM on RAID: made in the first boot, which goes on into
# it, looked at in the others, which then do. Executed by the kernel; $fs, $stack, $looking, $verb and $spoilt are on
# its command line.
# shellcheck disable=SC1091,SC2154 # /stack is of the guest
. /stack

machine
if test -n "$looking" ; then
  look
else
  check "the stack is made" stack make "$stack"
  check "the root is copied" dd if=/dev/vdc of="$device" bs=1M
  mkdir /new
fi
umount /tools/run /tools/sys /tools/proc /tools/dev /tools
mount -t "$fs" "$device" /new
test -z "$spoilt" || sed -i 's/nuke -t 1s/nuke -t soon/' /new/etc/stage4/shutdown

# As Debian's initramfs leaves it.
mount -o remount,nosuid,nodev,noexec /run
echo "$verb" >/run/verb
mount --move /run /new/run
enter_root /new /sbin/init
