#!/bin/bash
# Swap of every kind: what goes, what stays, what has no name any more; content that doesn't fit; a disk too slow.
. "$(dirname "$0")/lib.sh"

vm_test lzo_rle loop dm_mod zram
vm_test_stage4
ln -s load "$work/stage/bin/@load"
image_ext4 "$work/disk.img" 64M
image_ext4 "$work/lost.img" 16M

# swapped MEGABYTES : a process that is spared, with so much in the swap, and not in memory as well; its cgroup: $cgroup
# shellcheck disable=SC2016  # for the guest
swapped='
cgroup=/sys/fs/cgroup/.load
swapped () {
  mount -t cgroup2 cgroup2 /sys/fs/cgroup
  echo +memory >/sys/fs/cgroup/cgroup.subtree_control
  mkdir $cgroup
  begin sh -c "echo \$\$ >$cgroup/cgroup.procs ; exec @load swapped $1"
  load=$!
  echo "$1M" >$cgroup/memory.reclaim
  echo 2M >$cgroup/memory.max
  await in_swap $(($1 - 2))
  cat /proc/swaps
}
in_swap () {
  test "$(cat $cgroup/memory.swap.current)" -ge $(($1 << 20)) && test "$(cat $cgroup/memory.current)" -le $((2 << 20))
}
'

for i in plain dm ; do rm -f "$work/$i.img" ; truncate -s 8M "$work/$i.img" ; done

{ echo "$swapped" ; cat ; } <<'END' | guest "$work"/{disk,plain,dm,lost}.img
mount_disk /dev/vda /mnt/disk
# swap NAME [PRIORITY] : in a file of 4 MiB, if it is no device
swap () {
  if test -b "$1" ; then swap_on "$1" "$2" ; else swap_file "$1" 4 "$2" ; fi
}
# swaps NAME... : these are on, as /proc/swaps has them
swaps () {
  test "$(awk 'NR > 1 { print $1 }' /proc/swaps | sort | tr '\n' ' ')" = "$(for i ; do echo "$i" ; done | sort | tr '\n' ' ')"
}
swap '/mnt/disk/a b\c' 300
swap /mnt/disk/second
swap /dev/vdb 7
dm create dm /dev/vdc
swap /dev/mapper/dm 200
dd if=/dev/zero of=/mnt/disk/loop bs=1M count=4 2>/dev/null
losetup /dev/loop0 /mnt/disk/loop
swap /dev/loop0 100
echo 8M >/sys/block/zram0/disksize
swap /dev/zram0 50
dd if=/dev/zero of=/mnt/disk/back bs=1M count=4 2>/dev/null
losetup /dev/loop1 /mnt/disk/back
cat /sys/class/zram-control/hot_add
echo /dev/loop1 >/sys/block/zram1/backing_dev
echo 4M >/sys/block/zram1/disksize
swap /dev/zram1 40
check "spaces and backslashes are escaped" grep -F '/mnt/disk/a\040b\134c' /proc/swaps
swapped 14
stage4-swapoff -f -n
check "a plan" test $? = 0
check "which only shows" test "$(wc -l </proc/swaps)" = 8
fault openat@.load/memory.max EROFS 2+ stage4-swapoff -f
check "a limit that can't be lifted" test $? = 1
check "all swaps are left on" test "$(wc -l </proc/swaps)" = 8
mount -o remount,bind,ro /sys/fs/cgroup
check "nothing can be lifted there" not sh -c "echo max >$cgroup/memory.max"
# strict, with room for some shells, but not for the content of any swap; the files of the initramfs count, too
awk '{ kb[$1] = $2 } END { print kb["Committed_AS:"] - kb["SwapTotal:"] + 3500 }' /proc/meminfo >/proc/sys/vm/overcommit_kbytes
echo 2 >/proc/sys/vm/overcommit_memory
grep -E '^(Commit|SwapTotal)' /proc/meminfo
mount -o remount,ro /proc
stage4-swapoff -f -v 2
check "all that keep something busy are off" test $? = 0
check "what pins nothing is left alone" swaps /dev/vdb /dev/zram0
check "who had it lives" kill -0 $load
check "the loop device is free" losetup -d /dev/loop0
check "nothing is in it" test ! -e /sys/block/loop0/loop
losetup -d /dev/loop1
check "nor in what was behind the other zram" test ! -e /sys/block/loop1/loop
check "the dm device is free" dm remove dm
check "the file system is free" umount /mnt/disk
stage4-swapoff -f
check "there is nothing to do twice" test $? = 0
check "and nothing is done" swaps /dev/vdb /dev/zram0
stage4-swapoff -f -A -v 2
check "all, if they are asked for" test $? = 0
check "none is left" swaps
check "zram can be reset" sh -c 'echo 1 >/sys/block/zram0/reset'
kill $load

echo "=== no name"
mount -t ext4 /dev/vda /mnt/disk
swap /mnt/disk/second
check "swap files can't be removed" not rm /mnt/disk/second
swap '/mnt/disk/x (deleted)'
mkdir /nodes
cp -a /dev/vdb /nodes/plain
swap /nodes/plain
rm /nodes/plain
stage4-swapoff -f -n
stage4-swapoff -f -v 2
check "one that has no name can't be switched off" test $? = 1
check "all others can" swaps '/nodes/plain\040(deleted)'
cp -a /dev/vdb /nodes/plain
stage4-swapoff -f -n
stage4-swapoff -f -A -v 2
check "it can if it was made anew" test $? = 0
check "no swap is left" swaps

echo "=== lost"
mkdir /mnt/lost
mount -t ext4 /dev/vdd /mnt/lost
swap /mnt/lost/swap
umount -l /mnt/lost
swap /mnt/disk/second
cat /proc/swaps
echo "=== request"
exec stage4-begin -A reboot -t 20s stage4-nuke stage4-umountall -T tmpfs stage4-swapoff -v 2 stage4-hook ' env' '' \
  stage4-umountall stage4-freeze stage4-hpr
END
guest_says "spaces and backslashes are escaped" "a plan" "which only shows" "all that keep something busy are off" \
  "a limit that can't be lifted" "all swaps are left on" "nothing can be lifted there" "what pins nothing is left alone" "who had it lives" "the loop device is free" "nothing is in it" "nor in what was behind the other zram" \
  "the dm device is free" "the file system is free" "there is nothing to do twice" "and nothing is done" \
  "all, if they are asked for" "none is left" "zram can be reset" "swap files can't be removed" \
  "one that has no name can't be switched off" "all others can" "it can if it was made anew" "no swap is left"
ok "a partition is left alone" console_has "$console" '^leave /dev/vdb: a partition pins nothing'
ok "so is zram" console_has "$console" '^leave /dev/zram0: zram pins nothing'
ok "names are shown as they are" console_has "$console" '^switch off /mnt/disk/a b.134c: a file keeps its file system busy'
ok "dm" console_has "$console" '^switch off /dev/mapper/dm: keeps a device-mapper device busy'
ok "loop" console_has "$console" '^switch off /dev/loop0: keeps a loop device busy'
ok "the name of a file that ends like that of a removed one" console_has "$console" 'switched off /mnt/disk/x \(deleted\), '
ok "a removed node is named" console_has "$console" 'unable to switch off /nodes/plain \(deleted\): No such file'
ok "made anew, it is looked at" console_has "$console" '^leave /nodes/plain \(deleted\): a partition pins nothing'
ok "zram with a backing device" console_has "$console" '^switch off /dev/zram1: zram with a backing device'
ok "limits of cgroups are lifted" console_has "$console" 'lifted the memory limits of cgroups: /\.load$'
ok "and it is said why" \
  console_has "$console" 'unable to lift all memory limits of cgroups, leaving [0-9]* swaps on: Read-only file system'
ok "a file on a detached file system is named" console_has "$console" 'unable to switch off /swap: No such file'
ok "it is not counted" console_has "$console" 'switched off 1 of 2 swaps that keep something busy'
ok "?=1" console_has "$console" '^\?=1'
ok "it is still counted at the end" console_has "$console" 'left: 1 writable file systems, [0-9]* mounts, 1 swaps,'
reset_and_clean kinds

# Cgroup 1, mounted elsewhere, with thousands: a limit stays where nothing is in the swap.
VM_MEMORY=1G guest "$work/dm.img" <<'END'
dm create dm /dev/vda
swap_on /dev/mapper/dm
mkdir /cg
mount -t cgroup -o memory memory /cg
mkdir /cg/idle
seq 3000 | sed 's|^|/cg/|' | xargs mkdir
last=$(find /cg -mindepth 1 -maxdepth 1 -type d | tail -n 1)   # in the order of the directory
echo 8M >/cg/idle/memory.limit_in_bytes
sh -c 'echo $$ >/cg/idle/cgroup.procs ; exec sleep 1000' &
begin sh -c "echo \$\$ >$last/cgroup.procs ; exec @load swapped 6"
load=$!
echo 2M >$last/memory.limit_in_bytes
cat /proc/swaps
check "cgroup 1: swap is in use" test "$(awk 'NR > 1 { print $4 }' /proc/swaps)" -gt 1000
check "cgroup 1: the idle one has memory" test "$(cat /cg/idle/memory.usage_in_bytes)" -gt 0
stage4-swapoff -f -v 2
check "cgroup 1: off" test $? = 0
check "cgroup 1: who had it lives" kill -0 $load
check "cgroup 1: its limit is lifted" test "$(cat $last/memory.limit_in_bytes)" -gt 8388608
check "cgroup 1: the other one stays" test "$(cat /cg/idle/memory.limit_in_bytes)" = 8388608
END
guest_says "cgroup 1: swap is in use" "cgroup 1: the idle one has memory" "cgroup 1: off" "cgroup 1: who had it lives" \
  "cgroup 1: its limit is lifted" "cgroup 1: the other one stays"
ok "cgroup 1: it is said" console_has "$console" 'lifted the memory limits of cgroups: /[0-9]*$'

# More than the memory, most of it in a tmpfs that goes later: too early, swap can't be switched off; then it can.
image_ext4 "$work/disk.img" 160M
VM_MEMORY=160M guest "$work/disk.img" <<'END'
mkdir /mnt/full
mount_disk /dev/vda /mnt/disk
swap_file /mnt/disk/swap 140
mount -t tmpfs -o size=1g full /mnt/full
dd if=/dev/zero of=/mnt/full/file bs=1M count=140 2>/dev/null
sleep 1000 &
begin @load swapped 2
cat /proc/swaps /proc/meminfo | head -n 5
cat >/bin/spared <<'X'
#!/bin/sh
check=$(pidof @load)
test -n "$check" && echo "=== spared"
X
chmod +x /bin/spared
echo "=== request"
exec stage4-begin -A reboot -t 60s stage4-nuke stage4-swapoff stage4-hook ' env' '' stage4-hook ' spared' '' \
  stage4-umountall -T tmpfs stage4-swapoff stage4-umountall stage4-freeze stage4-hpr
END
ok "content: it is said that it does not fit" \
  console_has "$console" 'unable to switch off /mnt/disk/swap: its content does not fit into memory'
ok "content: none is off" console_has "$console" 'switched off 0 of 1 swaps'
ok "content: ?=1" console_has "$console" '^\?=1'
ok "content: the kernel has ended the one that asked" console_has "$console" 'Out of memory: Killed process [0-9]* \(stage4-swapoff\)'
ok "content: nobody else" test -z "$(grep 'Killed process' "$console" | grep -vF '(stage4-swapoff)')"
ok "content: the spared process lives" console_has "$console" '^=== spared'
ok "content: without the tmpfs it fits" console_has "$console" 'switched off 1 of 1 swaps'
ok "content: nothing is left" console_has "$console" 'left: 0 writable file systems, [0-9]* mounts, 0 swaps'
reset_and_clean content

# Twenty pages a second from one disk, none from the other. It moves, so it has thirty times its timeout.
image_ext4 "$work/disk.img" 32M
rm -f "$work/dead.img"
truncate -s 4M "$work/dead.img"
slow="if=virtio,format=raw,cache=unsafe,file=$work/disk.img,throttling.iops-read=20"
{ echo "$swapped" ; cat ; } <<'END' | VM_QEMU="-drive $slow" guest "$work/dead.img"
mount_disk /dev/vdb /mnt/disk
swap_file /mnt/disk/swap 8 2
dm create dead /dev/vda
swap_on /dev/mapper/dead 1
echo 6 >/proc/sys/vm/page-cluster   # 64 pages a read, while it is made
swapped 10
echo 0 >/proc/sys/vm/page-cluster
dm suspend dead
echo "=== request"
exec stage4-begin -A reboot -t 60s stage4-nuke -t 500ms -k 500ms stage4-swapoff -t 200ms stage4-hook ' env' '' stage4-umountall -t 1s \
  stage4-freeze -t 3s stage4-hpr
END
ok "slow: it is named while it lasts" console_has "$console" 'still switching off /mnt/disk/swap, 1\.[0-9] s; [0-9]* KiB to go, [0-9]* KiB/s'
ok "slow: each second" console_has "$console" 'still switching off /mnt/disk/swap, 5\.[0-9] s; [0-9]* KiB to go'
ok "slow: it is given up at last" console_has "$console" 'gave up switching off /mnt/disk/swap after 6\.'
ok "slow: the dead one at once" console_has "$console" 'gave up switching off /dev/mapper/dead after [0-9]* ms'
ok "slow: their file system is frozen with them" console_has "$console" 'froze 1 of 1 writable file systems'
ok "slow: they are counted at the end" console_has "$console" 'left: 1 writable file systems, [0-9]* mounts, 2 swaps'
ok "slow: the time was up" console_has "$console" '^\?=99'
reset_and_clean slow
done_testing
