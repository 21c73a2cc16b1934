#!/bin/bash
# Slow disks: flushed side by side, waited for as long as they move, and named meanwhile.
. "$(dirname "$0")/lib.sh"

vm_test dm_mod
vm_test_stage4

# disk NAME BYTES : more words for QEMU: a disk that takes so many bytes a second; its name is its serial number
disk () {
  image_ext4 "$work/$1.img" 64M
  echo "-drive if=none,id=$1,format=raw,cache=unsafe,file=$work/$1.img,throttling.bps-write=$2 -device virtio-blk-pci,drive=$1,serial=$1,request-merging=off"
}

disks=$(disk disk 0 ; for i in a b c ; do disk $i 4000000 ; done ; disk d 400000)
# shellcheck disable=SC2119  # the disks are among QEMU's words
VM_QEMU=$disks guest <<'END'
mkdir /a /b /c /d /e /disk
echo 0 >/proc/sys/vm/dirty_writeback_centisecs
echo 400000000 >/proc/sys/vm/dirty_bytes
echo 300000000 >/proc/sys/vm/dirty_background_bytes
device_of () {
  for block in /sys/block/vd* ; do
    if grep -q "^$1$" "$block/serial" ; then echo "/dev/${block##*/}" ; fi
  done
}
# dirty KIB DIR...
dirty () {
  kib=$1
  shift
  for dir ; do
    mount -t ext4 "$(device_of "${dir#/}")" "$dir"
    rm -f "$dir/file"   # one that is written anew is flushed when it is closed
    dd if=/dev/urandom of="$dir/file" bs=1024 count="$kib" 2>/dev/null
  done
}
# milliseconds COMMAND...
milliseconds () {
  start=$(ms)
  "$@" >&2
  echo "$(($(ms) - start))"
}
dirty 12000 /a
one=$(milliseconds umount /a)
dirty 12000 /a /b /c
all=$(milliseconds stage4-umountall -f)
echo "=== one disk: $one ms, three: $all ms"
check "a slow disk is slow" test "$one" -gt 1500
check "all three are unmounted" not grep ' /[abc] ' /proc/mounts
check "and take longer than half of one would" test "$all" -gt $((one / 2))
check "three take no longer than two would, one after the other" test "$all" -lt $((one * 2))

echo "=== crawling"
d=$(device_of d)
echo 16 >"/sys/block/${d#/dev/}/queue/max_sectors_kb"   # the size of a step
dirty 1600 /d
check "a disk that moves is waited for beyond the limit" test "$(milliseconds stage4-umountall -f -t 1s)" -gt 2000
check "nothing of it is left" not grep ' /d ' /proc/mounts

dm create still "$(device_of a)"
mount -t ext4 /dev/mapper/still /e
echo data >/e/file
dirty 12000 /b
dm suspend still
echo "=== standing"
stage4-umountall -f -t 1s stage4-hook ' env' ''
check "the one that moves has gone" not grep ' /b ' /proc/mounts
dm resume still
await dm remove still

dirty 12000 /a /b /c
mount -t ext4 "$(device_of disk)" /disk
echo "=== request"
exec stage4-begin -A reboot -t 60s stage4-nuke stage4-umountall -t 1s stage4-hpr
END

# progress FROM REGEX : the lines that say so, from the first one that matches FROM on
progress () {
  awk -v from="$1" -v regex="$2" 'substr($0, 8) ~ from { on = 1 } on && substr($0, 8) ~ regex' "$console"
}

less_each_time () {
  progress "$@" | sed 's/.*; \([0-9]*\) KiB to go.*/\1/' | awk 'NR > 1 && $1 > last { exit 1 } { last = $1 } END { exit NR < 2 }'
}

guest_says "a slow disk is slow" "all three are unmounted" "and take longer than half of one would" \
  "three take no longer than two would, one after the other"
ok "they are named together" console_has "$console" 'still unmounting /[abc] .*, /[abc] .*, /[abc] .*, [12]\.[0-9]* s; [0-9]* KiB to go, [0-9]* KiB/s'
guest_says "a disk that moves is waited for beyond the limit" "nothing of it is left"
ok "what is to go becomes less" less_each_time '^=== crawling' 'still unmounting /d .* KiB to go, [1-9][0-9]* KiB/s'
ok "the one that stands still is given up" console_has "$console" 'gave up unmounting /e \(ext4 on /dev/mapper/still\) after 1\.'
guest_says "the one that moves has gone"
ok "and so is known" console_has "$console" '^\?=99'
reset_and_clean "slow disks"
disks_clean "slow disks" a b c d
done_testing
