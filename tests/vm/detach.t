#!/bin/bash
# stage4-detach: dm, md and loop devices on each other; what must stay; what can't go, and who has it; what hangs.
. "$(dirname "$0")/lib.sh"

vm_test loop dm_mod raid1 nbd
vm_test_stage4
new_disks 32M a
for i in b c d e f ; do rm -f "$work/$i.img" ; truncate -s 16M "$work/$i.img" ; done

VM_APPEND=quiet guest "$work"/{a,b,c,d,e,f}.img <<'END2'
# devices NAME... : these are in use, and no others
devices () {
  ran test "$(for i in /sys/block/* ; do
    i=${i##*/}
    case $i in
      dm-*) echo "$i" ;;
      md*) test "$(cat /sys/block/$i/md/array_state)" = clear || echo "$i" ;;
      loop*) test ! -e /sys/block/$i/loop/backing_file || echo "$i" ;;
    esac
  done | tr '\n' ' ')" = "$(for i ; do echo "$i" ; done | sort | tr '\n' ' ')"
}
# dm_on DEVICE NAME : over a node that is left of an earlier one
dm_on () {
  rm -f "/dev/mapper/$2"
  dm create "$2" "$1"
}
# image FILE : 8 MiB
image () {
  dd if=/dev/zero of="$1" bs=1M count=8 2>/dev/null
}
mount_disk /dev/vda /mnt/disk

## nothing to do
check "nothing: fine" detach 0
check "nothing: silent" test ! -s /out

## each on the others
image /mnt/disk/file
losetup /dev/loop0 /mnt/disk/file
dm_on /dev/loop0 one
dm_on /dev/mapper/one two
losetup /dev/loop1 /dev/mapper/two
mirror md5 vdb vdc
dm_on /dev/md5 three
check "a stack: is there" devices dm-0 dm-1 dm-2 loop0 loop1 md5
check "a stack: the plan" detach 0 -n
check "a stack: the plan names all" plans 'detach loop1 \(/dev/mapper/two\)' 'detach dm-1 \(dm two\)' 'detach dm-0 \(dm one\)' \
  'detach loop0 \(/mnt/disk/file\)' 'detach md5 \(raid1\)' 'detach dm-2 \(dm three\)'
check "a stack: the plan touches nothing" devices dm-0 dm-1 dm-2 loop0 loop1 md5
check "a stack: goes" detach 0
check "a stack: nothing is left" devices
check "a stack: says so" says 'info: detached loop1 \(/dev/mapper/two\), .*' 'info: detached 6 of 6 block devices'
check "a stack: its file can be unmounted" umount /mnt/disk

## what must stay
mount_disk /dev/vda /mnt/disk
losetup /dev/loop0 /mnt/disk/file
dm_on /dev/loop0 one
mke2fs -q /dev/mapper/one 2>/dev/null
mount_disk /dev/mapper/one /mnt/one
dm_on /dev/vdb two
swap_on /dev/mapper/two
check "mounted, swap: stay" detach 1
check "mounted, swap: all of it" devices dm-0 dm-1 loop0
check "mounted, swap: said" says 'info: left: dm-0 \(dm one\): mounted on /mnt/one' 'info: left: loop0 \(/mnt/disk/file\): used by dm-0' \
  'info: left: dm-1 \(dm two\): swap /dev/mapper/two' 'info: detached 0 of 3 block devices'
check "mounted: the loop device is as it was" ran grep -qx 0 /sys/block/loop0/loop/autoclear
begin unshare -m sh -c 'echo ready ; exec sleep 1000' ; holder=$!
umount /mnt/one
swapoff /dev/mapper/two
check "mounted in another namespace: stays" detach 1
check "mounted in another namespace: the rest goes" devices dm-0 loop0
check "mounted in another namespace: said" says 'info: left: dm-0 \(dm one\): mounted on .*' 'info: detached dm-1 \(dm two\), .*'
kill -9 $holder
wait $holder
check "mounted no more: goes" detach 0
check "mounted no more: nothing is left" devices

## somebody has it open
dm_on /dev/vdb one
dm_on /dev/mapper/one two
begin sh -c 'exec 5</dev/mapper/two ; echo ready ; exec sleep 1000' ; opened=$!
losetup /dev/loop0 /mnt/disk/file
begin sh -c 'exec 5</dev/loop0 ; echo ready ; exec sleep 1000' ; loop=$!
check "open: stays" detach 1
check "open: he is named" says "warning: left: dm-1 \\(dm two\\): $opened sleep \\(open file /dev/mapper/two\\)" \
  'warning: left: dm-0 \(dm one\): what lies on it is left' "warning: left: loop0 \\(/mnt/disk/file\\): $loop sleep \\(open file /dev/loop0\\)"
check "open: the loop device does not go with him" ran grep -qx 0 /sys/block/loop0/loop/autoclear
kill -9 $opened $loop
wait $opened $loop
check "open: no more" detach 0
check "open: nothing is left" devices

## swap on a device whose node is gone; no mount table
dm_on /dev/vdb one
dm_on /dev/vdc two
swap_on /dev/mapper/one
rm /dev/mapper/one
check "swap on a removed node: stays" detach 1
check "swap on a removed node: said" says 'info: left: dm-0 \(dm one\): swap /dev/mapper/one \(deleted\)'
mknod /dev/mapper/one b $(tr : ' ' </sys/block/dm-0/dev)
swapoff /dev/mapper/one
dm remove one
dm_on /dev/vdc two
mount_disk /dev/vda /mnt/disk2
image /mnt/disk2/file2
losetup /dev/loop1 /mnt/disk2/file2
mke2fs -q /dev/loop1 2>/dev/null
mount_disk /dev/loop1 /mnt/one
mount -t tmpfs tmpfs /proc
in_there='deny errno fsopen'
check "no mount table: what is free goes" detach 1
in_there=
umount /proc
check "no mount table: said" says 'warning: unable to read the mount table, .*' 'info: detached dm-0 \(dm two\), .*' \
  'warning: left: loop1 \(/mnt/disk2/file2\): .*'
umount /mnt/one /mnt/disk2
losetup -d /dev/loop1

## suspended: what lies on it goes, it stays
dm_on /dev/vdb one
dm_on /dev/mapper/one two
dm_on /dev/vdc other
dm suspend one
check "suspended: the plan" detach 0 -n
check "suspended: the plan says why" plans 'detach dm-1 \(dm two\): lies on a suspended one, so without a flush' 'leave dm-0 \(dm one\): it is suspended'
begun=$(ms)
check "suspended: stays" detach 1
check "suspended: no waiting" ran test $(($(ms) - begun)) -lt 3000
check "suspended: the others go" devices dm-0
check "suspended: said" says 'info: left: dm-0 \(dm one\): it is suspended'
dm resume one
check "suspended: no more" detach 0

## fails
dm_on /dev/vdb one
dm_on /dev/mapper/one two
dm error one
check "fails: goes" detach 0
check "fails: nothing is left" devices
dm_on /dev/vdb one
begin sh -c 'exec 5<>/dev/mapper/one ; echo dirty >&5 ; echo ready ; exec sleep 1000' ; writer=$!
dm error one
check "fails to be flushed: he who has it open keeps it" detach 1
check "fails to be flushed: said" says 'warning: unable to flush dm-0 \(dm one\): .*'
kill -9 $writer
wait $writer
check "fails to be flushed: goes" detach 0

## partitions
image /mnt/disk/parts
printf 'n\np\n1\n\n+3M\nn\np\n2\n\n\nw\n' | fdisk /mnt/disk/parts >/dev/null 2>&1
losetup -P /dev/loop0 /mnt/disk/parts || losetup /dev/loop0 /mnt/disk/parts
mdev -s
check "partitions: are there" test -b /dev/loop0p2
dm_on /dev/loop0p1 one
mke2fs -q /dev/loop0p2 2>/dev/null
mount_disk /dev/loop0p2 /mnt/one
check "partitions: one is mounted" detach 1
check "partitions: the other goes" devices loop0
check "partitions: said" says 'info: left: loop0 \(/mnt/disk/parts\): mounted on /mnt/one'
umount /mnt/one
check "partitions: go" detach 0
check "partitions: nothing is left" devices

## made again and again, and the time is up
cat >/bin/maker <<'END3'
#!/bin/sh
while : ; do for i in 1 2 3 4 5 6 7 8 ; do dm create again$i /dev/vdc 2>/dev/null || rm -f /dev/mapper/again$i ; done ; done
END3
chmod +x /bin/maker
maker &
maker=$!
await test -e /sys/block/dm-3
begun=$(ms)
STAGE4_PID=1 STAGE4_ACTION=reboot STAGE4_BEGUN=1 STAGE4_DEADLINE=2 stage4-detach -f -v 2 true >/out 2>&1
took=$(($(ms) - begun))
kill -9 $maker
wait $maker
echo "--- took $took" ; cat /out
check "made again and again: some go" says 'info: detached dm-[0-9]* \(dm again[0-9]\), .*'
check "made again and again: past the deadline it ends" test $took -lt 15000
check "made again and again: no more" detach 0
check "made again and again: nothing is left" devices

## external metadata
mirror md6 vdb vdc external:imsm
# a write waits until mdmon has seen it; then the array is dirty until mdmon says that it isn't
dirty_array () {
  mirror md7 vdd vde external:/md6/0
  dd if=/dev/zero of=/dev/md7 bs=4k count=1 conv=fsync 2>/dev/null &
  await grep -q write-pending /sys/block/md7/md/array_state
  echo active >/sys/block/md7/md/array_state
  wait $!
}
dirty_array
check "external: without mdmon it is not clean" detach 99 -t 1s
check "external: that is said" says 'warning: gave up waiting for mdmon: it is not clean: md7 \(raid1\) after .*' \
  'info: detached md7 \(raid1\), .*'
check "external: without mdmon it goes" devices md6
dirty_array
( sleep 2 ; echo clean >/sys/block/md7/md/array_state ) &
check "external: the container stays" detach 0 -t 10s
check "external: said" says 'info: left: md6 \(container\): a container' 'info: detached md7 \(raid1\), .*'
check "external: it was waited for until it was clean" devices md6
mirror md7 vdd vde external:/md6/0
( until grep -q write-pending /sys/block/md7/md/array_state ; do usleep 10000 ; done ; echo active >/sys/block/md7/md/array_state ) &
mke2fs -q /dev/md7 2>/dev/null
wait $!
mkdir /mnt/md
mount -t ext4 -o ro /dev/md7 /mnt/md
check "external and mounted: without mdmon it stays dirty" detach 99 -t 1s
check "external and mounted: that is said" says 'warning: gave up waiting for mdmon: it is not clean: md7 \(raid1\) after .*' \
  'info: left: md7 \(raid1\): mounted on /mnt/md'
( sleep 2 ; echo clean >/sys/block/md7/md/array_state ) &
check "external and mounted: stays" detach 1 -t 10s
check "external and mounted: it was waited for until it was clean" grep -qx clean /sys/block/md7/md/array_state
umount /mnt/md
check "external and mounted: no more" detach 0
check "external and mounted: goes" devices md6
echo clear >/sys/block/md6/md/array_state

## hangs: the others go meanwhile
begin nbd /dev/vdf /dev/nbd0
server=$!
dm_on /dev/nbd0 slow
dm_on /dev/vdb quick
begin sh -c 'exec 5<>/dev/mapper/slow ; echo ready ; kill -STOP '$server' ; echo dirty >&5 ; exec sleep 1000' ; writer=$!
await in_state T $server
kill -9 $writer
await in_state D $writer
begun=$(ms)
check "hangs: given up" detach 99 -t 2s
took=$(($(ms) - begun))
echo "--- took $took"
check "hangs: in time" ran test $took -lt 10000
check "hangs: said" says 'warning: gave up detaching dm-0 \(dm slow\) after [0-9.]* s' 'info: still detaching dm-0 \(dm slow\), .*'
check "hangs: the other one goes" devices dm-0
kill -CONT $server
END2
mapfile -t checks < <(sed -n 's/^check "\([^"]*\)".*/\1/p' "$0")
guest_says "${checks[@]}"
ok "no panic, no kernel bug" console_no_panic "$console"
done_testing
