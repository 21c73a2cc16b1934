#!/bin/bash
# Chains by hand, with an initramfs as root: pid 1 is a shell that executes into stage4-begin.
. "$(dirname "$0")/lib.sh"

vm_test loop
vm_test_stage4

# Each boot has a disk on /mnt/disk, a swap file on it, and a ramfs in /run/stage4.
prepare='
mount -t tmpfs -o mode=755 run /run
mount_disk /dev/vda /mnt/disk
swap_file /mnt/disk/swap 4
echo data >/mnt/disk/file
stage4-ramfs /run/stage4 /bin/busybox /bin/sh /bin/rm /bin/cat /bin/mark || echo "=== no ramfs"
'
boot () {
  image_ext4 "$work/disk.img" 32M
  { echo "$prepare" ; cat ; } | VM_APPEND=quiet guest "$work/disk.img"
}

boot <<'END'
exec stage4-begin -A reboot -t 30s -R /run/stage4 stage4-nuke stage4-pivot \
  stage4-settle ' stage4-umountall' ' -T' ' tmpfs' ' stage4-swapoff' ' stage4-umountall' '' \
  stage4-hook ' mark' ' full' '' stage4-hook ' cat' ' /proc/self/mountinfo' '' stage4-freeze stage4-hpr
END
ok "full: pivoted from the initramfs" console_has "$console" 'pivoted to /run/stage4'
ok "full: the swap file is off" console_has "$console" 'switched off 1 of 1'
ok "full: the disk was unmounted" test "$(image_marker "$work/disk.img")" = full
ok "full: nothing is left to be said" console_has "$console" 'left: 0 writable file systems, [0-9]* mounts, 0 swaps, 0 block devices'
reset_and_clean full

boot <<'END'
exec stage4-begin -A poweroff -t 30s -R /run/stage4 stage4-nuke stage4-pivot \
  stage4-hook ' rm' ' /bin/stage4-freeze' '' stage4-freeze stage4-hpr
END
ok "missing: it is said" console_has "$console" 'unable to execute stage4-freeze'
ok "missing: last resort" console_has "$console" "the chain can't go on: last resort, then poweroff"
ok "missing: the machine is off all the same" console_has "$console" 'reboot: Power down'
clean missing

boot <<'END'
exec stage4-begin -A reboot -t 30s -R /run/stage4 stage4-nuke stage4-pivot \
  stage4-settle ' stage4-umountall' ' -T' ' tmpfs' ' stage4-swapoff' ' stage4-umountall' '' \
  stage4-hook ' mark' ' full' '' stage4-freeze -x stage4-hpr
END
ok "typo: it is said" console_has "$console" 'stage4-freeze: fatal: usage: '
ok "typo: pid 1 got as far as it could" test "$(image_marker "$work/disk.img")" = full
ok "typo: last resort" console_has "$console" "the chain can't go on: last resort, then reboot"
reset_and_clean typo

boot <<'END'
sleep 1000 &
stage4-begin -A reboot -R /run/stage4 stage4-nuke stage4-pivot stage4-umountall -t 1x stage4-hpr
echo "=== typing error: $?"
stage4-begin -A reboot -R /run/stage4 stage4-nuke stage4-pivot no-such-program stage4-hpr
echo "=== no program: $?"
stage4-begin -A reboot stage4-nuke stage4-settle ' stage4-swapoff' ' -x' '' stage4-hpr
echo "=== in a block: $?"
rm /run/stage4/bin/stage4-hpr
stage4-begin -n -A reboot -R /run/stage4 stage4-nuke stage4-pivot stage4-hpr
check "nobody was killed" kill -0 $!
check "nothing was unmounted" grep -q ' /mnt/disk ext4 rw' /proc/mounts
check "no swap was switched off" grep -q /mnt/disk/swap /proc/swaps
exec stage4-begin -A reboot stage4-nuke stage4-swapoff stage4-umountall stage4-hpr
END
ok "walk: a typing error" console_has "$console" '=== typing error: 100'
ok "walk: a program that is not in the ramfs" console_has "$console" '=== no program: 100'
ok "walk: a typing error in a block" console_has "$console" '=== in a block: 100'
ok "walk: the ramfs that is not whole is said" console_has "$console" 'the ramfs /run/stage4 is not used: missing inside: bin/stage4-hpr'
guest_says "nobody was killed" "nothing was unmounted" "no swap was switched off"
clean walk
done_testing
