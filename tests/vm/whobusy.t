#!/bin/bash
# stage4-busy: who keeps disks and file systems busy, by whatever way. Processes and namespaces: tests/ns/busy.t, too.
. "$(dirname "$0")/lib.sh"

vm_test fuse overlay loop dm_mod raid1
vm_test_stage4
new_disks 32M a b c
new_disks 16M d e f h i
rm -f "$work/g.img"
truncate -s 16M "$work/g.img"

VM_APPEND=quiet guest "$work"/{a,b,c,d,e,f,g,h,i}.img <<'END'
# busy CODE ARGUMENT... : ends with that code; what it says is in /out
busy () {
  want=$1
  shift
  stage4-busy -t 120s "$@" >/out 2>/err
  code=$?
  echo "--- $*: $code" ; cat /out /err
  test $code = "$want"
}
# says REGEX... : each is a line
says () {
  for regex ; do grep -Eqx -e "$regex" /out || { echo "--- no line $regex" ; return 1 ; } ; done
}
# only N : that many lines
only () {
  test "$(wc -l </out)" = "$1"
}

busy_shortly () {
  stage4-busy -t 1ms /mnt/disk /dev/vda >/out 2>/err
  code=$?
  echo "--- shortly: $code" ; cat /out /err
  test $code = 99
}

## a path
mount_disk /dev/vda /mnt/disk
check "a path: nobody" busy 0 /mnt/disk
check "a device that is mounted" busy 1 /dev/vda
check "a device that is mounted: that is all" only 1
check "a device that is mounted: where" says '/dev/vda: mounted on /mnt/disk'
mkdir /mnt/disk/dir /mnt/disk/bin /mnt/disk/on
cp /bin/load /mnt/disk/bin/load
cp /bin/busybox /mnt/disk/bin/busybox
begin load writer /mnt/disk/file ; file=$!
begin load writer /mnt/disk/gone ; gone=$!
rm /mnt/disk/gone
begin sh -c 'cd /mnt/disk/dir ; exec load sleeper' ; cwd=$!
begin chroot /mnt/disk /bin/load sleeper ; root=$!
begin /mnt/disk/bin/load sleeper ; exe=$!
begin unshare -m load sleeper ; other=$!
mount -t tmpfs on /mnt/disk/on
dd if=/dev/zero of=/mnt/disk/image bs=1M count=4 2>/dev/null
losetup /dev/loop0 /mnt/disk/image
swap_file /mnt/disk/swap 4
mkdir /mnt/disk/u /mnt/disk/w /lower /ov
mount -t overlay -o lowerdir=/lower,upperdir=/mnt/disk/u,workdir=/mnt/disk/w over /ov
check "a path: somebody" busy 1 /mnt/disk
check "an open file" says "/mnt/disk: $file load \\(open file /mnt/disk/file\\)"
check "a deleted one" says "/mnt/disk: $gone load \\(open file /mnt/disk/gone, deleted\\)"
check "a working directory" says "/mnt/disk: $cwd load \\(working directory /mnt/disk/dir\\)"
check "a root" says "/mnt/disk: $root load \\(root /mnt/disk\\)"
check "a program" says "/mnt/disk: $exe load \\(program /mnt/disk/bin/load\\)"
check "another mount namespace" says "/mnt/disk: mount namespace of $other load, mounted on /mnt/disk"
check "what is mounted on it" says '/mnt/disk: carries /mnt/disk/on'
check "a loop device" says '/mnt/disk: loop device /dev/loop0, file /mnt/disk/image'
check "swap" says '/mnt/disk: swap /mnt/disk/swap'
check "an overlay" says '/mnt/disk: overlay /ov'
check "a path: a symbolic link leads there" sh -c 'ln -s /mnt/disk/dir /link ; stage4-busy /link | grep -q "^/link: swap /mnt/disk/swap"'

## devices
check "a device: the other mount namespace" busy 1 /dev/vda
check "a device: that is said" says '/dev/vda: mounted on /mnt/disk' "/dev/vda: mount namespace of $other load, mounted on /mnt/disk"
check "a device: nobody" busy 0 /dev/vdb
dm create crypt /dev/vdb
check "a dm device on it" busy 1 /dev/vdb
check "a dm device on it: its name" says '/dev/vdb: dm device crypt \(dm-0\)'
check "a name of a dm device: nobody" busy 0 crypt
mount_disk /dev/mapper/crypt /mnt/crypt
check "a name of a dm device: where it is mounted" busy 1 crypt /dev/mapper/crypt
check "a name of a dm device: that is said" says 'crypt: mounted on /mnt/crypt' '/dev/mapper/crypt: mounted on /mnt/crypt'
mirror md7 vdh vdi
check "an md device on it" busy 1 /dev/vdh /dev/vdi
check "an md device on it: its name" says '/dev/vdh: md device md7' '/dev/vdi: md device md7'
swap_on /dev/vdg
check "swap on a device" busy 1 /dev/vdg
check "swap on a device: that is said" says '/dev/vdg: swap /dev/vdg'
losetup /dev/loop1 /dev/vdd
check "a loop device of a device" busy 1 /dev/vdd
check "a loop device of a device: that is said" says '/dev/vdd: loop device /dev/loop1, file /dev/vdd'
begin sh -c 'exec 5</dev/vde ; exec load sleeper' ; opened=$!
check "a device that is open" busy 1 /dev/vde
check "a device that is open: by whom" says "/dev/vde: $opened load \\(open file /dev/vde\\)"

## below a lazy unmount; then in a mount namespace that only a file keeps
mount_disk /dev/vdf /mnt/lost
begin sh -c 'cd /mnt/lost ; exec load sleeper' ; lost=$!
umount -l /mnt/lost
check "a device below a lazy unmount" busy 1 /dev/vdf
check "a device below a lazy unmount: who" says "/dev/vdf: $lost load \\(working directory /.*\\)"
kill -9 $lost
wait $lost
await stage4-busy /dev/vdf
mount_disk /dev/vdf /mnt/lost
begin unshare -m sh -c 'echo ready ; exec sleep 1000' ; holder=$!
exec 3</proc/$holder/ns/mnt
umount /mnt/lost
kill -9 $holder
wait $holder
check "a device that nobody shows" busy 1 /dev/vdf
check "a device that nobody shows: the kernel" says '/dev/vdf: the kernel, no process'
check "a device that nobody shows: that is all" only 1
exec 3<&-
await stage4-busy /dev/vdf

## partitions
printf 'n\np\n1\n\n\nw\n' | fdisk /dev/vdc >/dev/null 2>&1
await test -b /dev/vdc1
check "a partition: nobody" busy 0 /dev/vdc /dev/vdc1
dm create part /dev/vdc1
check "a partition" busy 1 /dev/vdc
check "a partition: its name" says '/dev/vdc: vdc1: dm device part \(dm-1\)'

## what hangs, and who does
mkdir /mnt/fuse
fuse_daemon /mnt/fuse
begin sh -c 'cd /mnt/fuse/dir ; exec load sleeper' ; hung=$!
kill -STOP $daemon
await in_state T $daemon
before=$(ms)
stage4-busy -t 20s /mnt/fuse/dir /mnt/fuse/dir/deep/file /mnt/disk >/out 2>/err
code=$?
took=$(($(ms) - before))
echo "--- hung: $code, $took ms" ; cat /out /err
check "a FUSE that hangs: it is answered" says "/mnt/fuse/dir: $hung load \\(working directory /mnt/fuse/dir\\)"
check "a FUSE that hangs: a path that can't be walked" says "/mnt/fuse/dir/deep/file: $hung load .*"
check "a FUSE that hangs: the others are, too" says '/mnt/disk: swap /mnt/disk/swap' "/mnt/disk: $file load .*"
check "a FUSE that hangs: in time" test $took -lt 22000
check "a FUSE that hangs: all was seen" test $code = 1
check "there is no such path" busy 111 /not/there
kill -CONT $daemon

## more than can be looked at in an instant
bench sleepers 2000 /pids
before=$(ms)
check "many processes" busy 1 /mnt/disk /dev/vda
echo "--- many processes: $(($(ms) - before)) ms"
check "many processes: all of it" says "/mnt/disk: $file load .*" "/mnt/disk: mount namespace of $other load, mounted on /mnt/disk"
check "too short a time" busy_shortly
check "too short a time: what was seen is said" says '/dev/vda: mounted on /mnt/disk' '/mnt/disk: carries /mnt/disk/on'
END
guest_says "a path: nobody" "a device that is mounted" "a device that is mounted: that is all" \
  "a device that is mounted: where" "a path: somebody" "an open file" "a deleted one" "a working directory" "a root" \
  "a program" "another mount namespace" "what is mounted on it" "a loop device" "swap" "an overlay" \
  "a path: a symbolic link leads there"
guest_says "a device: the other mount namespace" "a device: that is said" "a device: nobody" "a dm device on it" \
  "a dm device on it: its name" "a name of a dm device: nobody" "a name of a dm device: where it is mounted" \
  "a name of a dm device: that is said" "an md device on it" "an md device on it: its name" "swap on a device" \
  "swap on a device: that is said" "a loop device of a device" "a loop device of a device: that is said" "a device that is open" \
  "a device that is open: by whom"
guest_says "a device below a lazy unmount" "a device below a lazy unmount: who" "a device that nobody shows" \
  "a device that nobody shows: the kernel" "a device that nobody shows: that is all" "a partition: nobody" \
  "a partition" "a partition: its name"
guest_says "a FUSE that hangs: it is answered" "a FUSE that hangs: a path that can't be walked" \
  "a FUSE that hangs: the others are, too" "a FUSE that hangs: in time" "a FUSE that hangs: all was seen" \
  "there is no such path" "many processes" "many processes: all of it" "too short a time" "too short a time: what was seen is said"
ok "no panic, no kernel bug" console_no_panic "$console"
done_testing
