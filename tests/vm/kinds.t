#!/bin/bash
# stage4-detach: the kinds of devices that LVM, mdadm and multipath-tools make, as their own tools find them afterwards.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/matrix.sh"

vm_test loop dm_mod dm_crypt dm_snapshot dm_cache dm_cache_smq dm_writecache dm_raid dm_multipath dm_round_robin \
  dm_integrity raid1 md_mod af_alg algif_skcipher algif_hash xts
vm_test_stage4
matrix_tools
for i in a b ; do rm -f "$work/$i.img" ; truncate -s 240M "$work/$i.img" ; done
for i in c d e f ; do rm -f "$work/$i.img" ; truncate -s 64M "$work/$i.img" ; done

both () {
  cat <<'END2'
mkdir -p /run
mount -t tmpfs -o mode=755 run /run
tools /dev/vdg
# devices NAME... : these are in use, and no others
devices () {
  ran test "$(for i in /sys/block/* ; do
    if test -e $i/dm/name ; then cat $i/dm/name ; elif test -e $i/loop/backing_file ; then echo "${i##*/}"
    elif test -e $i/md/array_state ; then grep -q clear $i/md/array_state || echo "${i##*/}" ; fi
  done | sort | tr '\n' ' ')" = "$(for i ; do echo "$i" ; done | sort | tr '\n' ' ')"
}
# pattern SEED MIB : not zeroes
pattern () {
  yes "stage4 $1" | head -c $(($2 * 1048576))
}
# data DEVICE SEED MIB : in the page cache
data () {
  pattern "$2" "$3" | dd of="$1" bs=64k conv=notrunc 2>/dev/null
}
open_crypt () {
  echo key | t cryptsetup open --key-file - /dev/md5p1 crypt
}
# m COMMAND... : mdadm, on a machine whose firmware knows nothing of arrays, without udev and systemd
m () {
  t env IMSM_NO_PLATFORM=1 IMSM_DEVNAME_AS_SERIAL=1 MDADM_NO_UDEV=1 MDADM_NO_SYSTEMCTL=1 mdadm "$@"
}
# mdmon : the one of /dev/md127 is $mdmon, and is spared
mdmon () {
  t env IMSM_NO_PLATFORM=1 IMSM_DEVNAME_AS_SERIAL=1 mdmon --offroot --takeover md127
  mdmon=$(cat /run/mdadm/md127.pid)
  echo "--- mdmon: $(tr '\0' ' ' <"/proc/$mdmon/cmdline")"
}
# status NAME : of a dm device
status () {
  t dmsetup status --noflush "$1"
}
END2
}
both_boots () {
  disks=("$work"/{a,b,c,d,e,f}.img "$work/tools.img")
  VM_APPEND=quiet guest "${disks[@]}" < <(both ; first)
  cp "$console" "$work/first"
  VM_APPEND=quiet guest "${disks[@]}" < <(both ; second)
  cat "$work/first" >>"$console"
}

first () {
  cat <<'END2'
## multipath: two paths to one file
mkdir /mnt/disk
mount -t tmpfs tmpfs /mnt/disk
truncate -s 16M /mnt/disk/target
attach_target () {
  losetup /dev/loop0 /mnt/disk/target
  losetup /dev/loop1 /mnt/disk/target
}
attach_target
# mpath FEATURES : its device, and one on it, as kpartx and LVM make them
mpath () {
  t dmsetup create mpatha --uuid mpath-1 --table "0 32768 multipath $1 0 1 1 round-robin 0 2 1 7:0 1000 7:1 1000" &&
    t dmsetup mknodes && t dmsetup create far --table "0 16384 linear /dev/mapper/mpatha 0" && t dmsetup mknodes
}
# paths WORD : fail or reinstate
paths () {
  for i in 7:0 7:1 ; do t dmsetup message mpatha 0 "$1_path $i" ; done
}
# dirty_one NAME : by somebody who has it open; a whole page, for which nothing has to be read
yes dirty | head -c 4096 >/page
dirty_one () {
  begin sh -c 'exec 5<>/dev/mapper/'"$1"' ; cat /page >&5 ; echo ready ; exec sleep 1000'
  writer=$!
}
queues () {
  t dmsetup table mpatha | grep -q queue_if_no_path
}

check "multipath: is made" mpath '1 queue_if_no_path'
dirty_one far
t dmsetup message mpatha 0 'fail_path 7:0'
check "multipath: one path left: he who has it open keeps it" detach 1
check "multipath: one path left: it is written" grep -q dirty /mnt/disk/target
check "multipath: one path left: it may go on waiting" ran queues
kill -9 $writer
wait $writer
paths fail
dirty_one far
kill -9 $writer
await in_state D $writer
begun=$(ms)
check "multipath: no path: goes" detach 0 -t 4s
took=$(($(ms) - begun))
echo "--- took $took"
check "multipath: no path: it was waited for one" test $took -ge 2000
check "multipath: no path: it is said" says 'warning: no path left, what waits for one fails now: dm-0 \(mpath mpatha\)' \
  'warning: unable to flush dm-1 \(dm far\): .*' 'info: detached dm-0 \(mpath mpatha\), .*'
check "multipath: no path: nothing is left" devices

attach_target
mpath '1 queue_if_no_path'
mke2fs -q /dev/mapper/far 2>/dev/null
mount_disk /dev/mapper/far /mnt/far
echo there >/mnt/far/file
sync
paths fail
echo lost >>/mnt/far/file
umount /mnt/far &
unmounting=$!
await in_state D $unmounting
check "multipath: an unmount that hangs: goes" detach 0 -t 4s
check "multipath: an unmount that hangs: it is said" says 'warning: no path left, what waits for one fails now: dm-0 \(mpath mpatha\)'
check "multipath: an unmount that hangs: nothing is left" devices
wait $unmounting

attach_target
mpath '1 queue_if_no_path'
t dmsetup create near --table '0 16384 linear /dev/mapper/mpatha 16384'
t dmsetup mknodes
mke2fs -q /dev/mapper/near 2>/dev/null
mount_disk /dev/mapper/near /mnt/near
paths fail
dirty_one far
kill -9 $writer
await in_state D $writer
check "multipath: no path, and something mounted: given up" detach 99 -t 2s
check "multipath: no path, and something mounted: it waits on" ran queues
paths reinstate
wait $writer
check "multipath: the path is back: what waited is written" grep -q dirty /mnt/disk/target
umount /mnt/near
check "multipath: the path is back: goes" detach 0
check "multipath: the path is back: nothing is left" devices

## LVM: snapshot, cache, writecache, RAID 1, stripes
l pvcreate -q -ff -y /dev/vda /dev/vdb
l vgcreate -q vg /dev/vda /dev/vdb
l lvcreate -q -y -W n -n data -L 16M vg
data /dev/vg/data 1 4
l lvcreate -q -y -s -n backup -L 16M vg/data
data /dev/vg/data 2 4
l lvcreate -q -y -W n -n cached -L 32M vg /dev/vda
l lvcreate -q -y --type cache-pool -n pool -L 16M --poolmetadatasize 8M --cachemode writeback vg /dev/vdb
l lvconvert -q -y --type cache --cachepool vg/pool vg/cached
for i in 1 2 3 4 5 6 7 8 ; do data /dev/vg/cached 2 4 ; done
t dmsetup message vg-cached 0 migration_threshold 0
data /dev/vg/cached 3 4
l lvcreate -q -y -W n -n slow -L 16M vg /dev/vda
l lvcreate -q -y -W n -n quick -L 8M vg /dev/vdb
l lvchange -q -a n vg/quick
l lvconvert -q -y --type writecache --cachevol vg/quick vg/slow
data /dev/vg/slow 4 4
l lvcreate -q -y -W n --type raid1 -m 1 --nosync -n mirror -L 16M vg
data /dev/vg/mirror 5 4
l lvcreate -q -y -W n --type striped -i 2 -n striped -L 16M vg
data /dev/vg/striped 6 4
for i in data backup cached slow mirror striped ; do
  echo "--- $(status vg-$i)"
  check "LVM: there is $i" test -b /dev/mapper/vg-$i
done
check "cache: some of it is only there" test "$(status vg-cached | cut -d ' ' -f 14)" -gt 0
check "LVM: all goes" detach 0
check "LVM: nothing is left" devices

## md: LUKS on a partition of an array; an array that the firmware knows, with its mdmon
t mdadm -q --create /dev/md5 --run --level=1 --raid-devices=2 --metadata=1.2 --assume-clean /dev/vde /dev/vdf
printf 'n\np\n1\n\n+40M\nn\np\n2\n\n\nw\n' | fdisk /dev/md5 >/dev/null 2>&1
mdev -s
echo key | t cryptsetup -q luksFormat --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 /dev/md5p1 -
open_crypt
data /dev/mapper/crypt 7 4
data /dev/md5p2 8 4
check "md: LUKS on a partition: is there" devices crypt md5
check "md: LUKS on a partition: goes" detach 0
check "md: LUKS on a partition: nothing is left" devices

m -q --create /dev/md127 --metadata=imsm --raid-devices=2 --run /dev/vdc /dev/vdd
m -q --create /dev/md126 --level=1 --raid-devices=2 --assume-clean --run /dev/md127
cat /proc/mdstat
mdmon
stage4-nuke -f -t 500
code=$?
check "imsm: mdmon is spared" ran kill -0 "$mdmon"
data /dev/md126 9 4
echo more | dd of=/dev/md126 bs=4096 seek=1024 conv=sync 2>/dev/null
cat /sys/block/md126/md/array_state
check "imsm: its array goes" detach 0
check "imsm: only the container is left" devices md127
m --examine /dev/vdc >/examined
cat /examined
check "imsm: it is marked clean" grep -q 'Dirty State : clean' /examined
END2
}
second () {
  cat <<'END2'
# is_data DEVICE SEED MIB : what data has written
is_data () {
  pattern $2 $3 | cmp -n $(($3 * 1048576)) - "$1"
}

## LVM
l lvchange -q -a y -y vg/pool_cpool_cmeta
byte=$(dd if=/dev/mapper/vg-pool_cpool_cmeta bs=1 skip=4 count=1 2>/dev/null | od -An -tu1)
l lvchange -q -a n vg/pool_cpool_cmeta
echo "--- flags of the cache: $byte"
check "cache: was shut down cleanly" test $((byte & 1)) = 1
check "LVM: all opens again" l vgchange -q -a y vg
for i in data backup cached slow mirror striped ; do echo "--- $(status vg-$i)" ; done
check "LVM: its metadata is consistent" l vgck vg
check "snapshot: what it was made of is there" is_data /dev/mapper/vg-data 2 4
check "snapshot: is there" is_data /dev/mapper/vg-backup 1 4
check "cache: the data is there" is_data /dev/mapper/vg-cached 3 4
check "writecache: the data is there" is_data /dev/mapper/vg-slow 4 4
check "raid1: no resync" sh -c 'chroot /tools /usr/bin/env dmsetup status --noflush vg-mirror | grep "raid1 2 AA .* idle "'
check "raid1: the data is there" is_data /dev/mapper/vg-mirror 5 4
check "striped: the data is there" is_data /dev/mapper/vg-striped 6 4
l lvconvert -q -y --merge vg/backup
check "snapshot: merges" await is_data /dev/mapper/vg-data 1 4

## md
t mdadm -q --assemble /dev/md5 /dev/vde /dev/vdf
mdev -s
open_crypt
check "md: LUKS on a partition: the data is there" is_data /dev/mapper/crypt 7 4
check "md: the other partition: the data is there" is_data /dev/md5p2 8 4
m -q --assemble /dev/md127 /dev/vdc /dev/vdd
m -q --incremental /dev/md127
array=$(sed -n 's/^\(md[^ ]*\) : active .*vd[cd].*/\1/p' /proc/mdstat)
cat /proc/mdstat
check "imsm: the data is there" is_data "/dev/$array" 9 4
check "md: no resync" not grep -E "resync|recovery" /proc/mdstat
check "nothing was recovered" not sh -c 'dmesg | grep -iE "(recover|resync|unclean|not clean)" | grep -v raid6'
check "second boot: all goes" detach 0
check "second boot: nothing is left" devices md127
END2
}

both_boots
mapfile -t checks < <(sed -n 's/^check "\([^"]*\)".*/\1/p' "$0")
guest_says "${checks[@]}"
ok "no panic, no kernel bug" console_no_panic "$console"
done_testing
