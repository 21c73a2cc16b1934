#!/bin/bash
# What each kind of file system shows on its disk after a freeze (doc/frozen.html), with data that was only in memory
# before, and writers; without a ramfs, so that the chain goes on in a root that is frozen.
export VM_KERNEL_PACKAGE=linux-image-amd64   # the other one has no f2fs
export VM_TIME=150
. "$(dirname "$0")/lib.sh"

need_packages xfsprogs btrfs-progs f2fs-tools dosfstools >&2 || bail_out "no programs to make and check file systems"
vm_test ext4 xfs btrfs f2fs vfat nls_cp437 nls_ascii loop
vm_test_stage4

# sparse IMAGE SIZE COMMAND... : a new file of that size, which the command makes a file system of
sparse () {
  local image=$1 size=$2
  shift 2
  rm -f "$image"
  truncate -s "$size" "$image"
  "$@" "$image" </dev/null >"$work/mkfs.log" 2>&1 || { cat "$work/mkfs.log" >&2 ; bail_out "can't make $image" ; }
}

# five PREFIX : of each kind one, below $work
five () {
  image_ext4 "$work/$1-ext4.img" 16M
  sparse "$work/$1-xfs.img" 300M mkfs.xfs -q
  sparse "$work/$1-btrfs.img" 128M mkfs.btrfs -q
  sparse "$work/$1-f2fs.img" 64M mkfs.f2fs -q
  sparse "$work/$1-vfat.img" 16M mkfs.vfat
}

# images NAME... : their paths
images () {
  local name
  for name ; do images+=("$work/$name.img") ; done
}

# The root has a file with a file system, in which there is another one.
five cut
five frozen
new_disks 4M innermost
rm -rf "$work/dir"
mkdir "$work/dir"
cp --sparse=always "$work/innermost.img" "$work/dir/innermost"
image_ext4 "$work/inner.img" 16M "$work/dir"
cp -a "$work/stage/." "$work/dir/"
mkdir "$work/dir"/{inner,nojournal,xfs,btrfs,f2fs,vfat,reader}
rm "$work/dir/innermost"
cp --sparse=always "$work/inner.img" "$work/dir/image"
image_ext4 "$work/frozen-ext4.img" 80M "$work/dir"
sparse "$work/frozen-nojournal.img" 16M mke2fs -q -t ext4 -O ^has_journal
sparse "$work/frozen-reader.img" 16M mkfs.vfat
cut=(ext4 xfs btrfs f2fs vfat)
frozen=("${cut[@]}" nojournal reader)

# unsynced_in DIR... : nothing of it is flushed, until somebody does that
# shellcheck disable=SC2016  # for the guest
unsynced_in='
unsynced_in () {
  local dir
  for dir ; do
    mkdir $dir/u
    unsynced -p $dir/u
  done
  sync
  echo 0 >/proc/sys/vm/dirty_writeback_centisecs
  echo 3 >/proc/sys/vm/drop_caches
  for dir ; do begin unsynced $dir/u ; done
}
'

# What the others are compared with.
images=()
images "${cut[@]/#/cut-}"
{ echo "$unsynced_in" ; cat <<'END' ; } | guest "${images[@]}"
mkdir /ext4 /xfs /btrfs /f2fs /vfat
mount -t ext4 -o commit=1000 /dev/vda /ext4
mount -t xfs /dev/vdb /xfs
mount -t btrfs -o commit=1000 /dev/vdc /btrfs
mount -t f2fs /dev/vdd /f2fs
mount -t vfat /dev/vde /vfat
unsynced_in /ext4 /xfs /btrfs /f2fs /vfat
echo "<1>=== all is written" >/dev/kmsg   # a terminal would still have it
echo b >/proc/sysrq-trigger
sleep 1000
END
ok "cut: it was" console_has "$console" '=== all is written'

# Names in /dev, on the root, are not in memory when stderr, a file there, is given up.
images=()
images "${frozen[@]/#/frozen-}"
{ echo "$unsynced_in" ; cat <<'END' ; } | guest "${images[@]}"
mkdir /a
mount -t ext4 -o commit=1000 /dev/vda /a
mount -t xfs /dev/vdb /a/xfs
mount -t btrfs -o commit=1000 /dev/vdc /a/btrfs
mount -t f2fs /dev/vdd /a/f2fs
mount -t vfat /dev/vde /a/vfat
mount -t ext4 /dev/vdf /a/nojournal
mount -t vfat /dev/vdg /a/reader
losetup /dev/loop0 /a/image
mount -t ext4 /dev/loop0 /a/inner
mkdir /a/innermost
losetup /dev/loop1 /a/inner/innermost
mount -t ext4 /dev/loop1 /a/innermost
cp -a /dev/. /a/dev/
unsynced_in /a /a/xfs /a/btrfs /a/f2fs /a/vfat /a/nojournal /a/inner /a/innermost /a/reader
kill -9 $!
wait $!
cd /a/reader
begin load sleeper
cd /
for i in xfs btrfs f2fs innermost ; do begin load writer /a/$i/busy ; done
echo on >/proc/sys/kernel/printk_devkmsg
echo 8 >/proc/sys/kernel/printk
umount /dev
mount --move /sys /a/sys
mount --move /proc /a/proc
echo "=== request"
exec switch_root -c /dev/console /a /bin/sh -c 'exec stage4-freeze -f -v 2 stage4-hook " env" "" \
  stage4-hpr -f -A reboot -t 0 2>/log'
END
for i in '' btrfs f2fs inner innermost nojournal xfs ; do
  ok "/$i is frozen" console_has "$console" "froze /$i \\((ext4|btrfs|f2fs|xfs) on "
done
ok "vfat with a writer is synced, and named" \
  console_has "$console" "warning: synced, but it can't be frozen: /vfat \\(vfat on /dev/vde\\)"
ok "vfat without one is made read-only" console_has "$console" 'made read-only /reader \(vfat on /dev/vdg\)'
ok "that is a failure" console_has "$console" '^\?=1'
ok "the last program has its say: in the kernel log, without its file" \
  console_has "$console" 'stage4-hpr: info: reboot; left: [0-9]* writable'
ok "the machine reset itself" console_has "$console" 'reboot: Restarting system'
ok "no panic, no kernel bug" console_no_panic "$console"

## What the disks look like from outside

ok "ext4: clean, nothing to replay" image_clean "$work/frozen-ext4.img"
ok "ext4: fsck is silent" image_fsck "$work/frozen-ext4.img"
image_file "$work/frozen-ext4.img" /image "$work/inner.copy"
ok "in a file: clean, nothing to replay" image_clean "$work/inner.copy"
ok "in a file: fsck is silent" image_fsck "$work/inner.copy"
image_file "$work/inner.copy" /innermost "$work/innermost.copy"
ok "in a file in a file: clean, nothing to replay" image_clean "$work/innermost.copy"
ok "in a file in a file: fsck is silent" image_fsck "$work/innermost.copy"

state_of_ext4 () {
  dumpe2fs -h "$1" 2>/dev/null | sed -n 's/^Filesystem state: *//p'
}
ok "ext4 without a journal: not clean" test "$(state_of_ext4 "$work/frozen-nojournal.img")" = "not clean"
ok "ext4 without a journal: fsck is silent" image_fsck "$work/frozen-nojournal.img"

log_of_xfs () {
  xfs_logprint -t "$1" 2>/dev/null | sed -n 's/.* state: <\(.*\)>.*/\1/p'
}
ok "xfs: its log is dirty" test "$(log_of_xfs "$work/frozen-xfs.img")" = DIRTY

ok "btrfs: check finds nothing" btrfs check "$work/frozen-btrfs.img"
log_root_of_btrfs () {
  btrfs inspect-internal dump-super "$1" | awk '$1 == "log_root" { print $2 }'
}
ok "btrfs: no log to replay" test "$(log_root_of_btrfs "$work/frozen-btrfs.img")" = 0

fsck_f2fs () {
  fsck.f2fs --dry-run -f "$1" 2>&1
}
f2fs_is_whole () {
  local said
  said=$(fsck_f2fs "$1") && grep -q '\[Ok\.\.\]' <<<"$said" && ! grep -E '\[Fail|ASSERT|\[FIX\]' <<<"$said"
}
ok "f2fs: fsck finds nothing" f2fs_is_whole "$work/frozen-f2fs.img"
ok "f2fs: not marked as unmounted" \
  grep -q 'checkpoint state.* sudden-power-off' <<<"$(fsck_f2fs "$work/frozen-f2fs.img")"

ok "vfat with a writer: marked as in use" grep -q 'Dirty bit is set' <<<"$(fsck.vfat -n "$work/frozen-vfat.img")"
ok "vfat without one: fsck finds nothing" fsck.vfat -n "$work/frozen-reader.img"
ok "vfat without one: not marked" not grep -q 'Dirty bit' <<<"$(fsck.vfat -n "$work/frozen-reader.img")"

## What the next boot finds

images=()
images "${frozen[@]/#/frozen-}" "${cut[@]/#/cut-}"
guest "${images[@]}" <<'END'
# look NAME DEVICE TYPE [OPTION] : first by this option, which prevents a replay, then as always
look () {
  mkdir -p /m/$1
  mount -t $3 -o ro${4:+,$4} $2 /m/$1
  check "$1: the data are in their places" unsynced -c /m/$1/u
  umount /m/$1
  echo "--- $1" >/dev/kmsg
  mount -t $3 $2 /m/$1
  check "$1: the data are there" unsynced -c /m/$1/u
}
echo 8 >/proc/sys/kernel/printk
look ext4 /dev/vda ext4 noload
losetup /dev/loop0 /m/ext4/image
look inner /dev/loop0 ext4 noload
losetup /dev/loop1 /m/inner/innermost
look innermost /dev/loop1 ext4 noload
look xfs /dev/vdb xfs norecovery
look btrfs /dev/vdc btrfs rescue=nologreplay
look f2fs /dev/vdd f2fs norecovery
look vfat /dev/vde vfat
look nojournal /dev/vdf ext4
look reader /dev/vdg vfat
# the rest is what was cut off
echo "--- cut" >/dev/kmsg
for i in xfs:i f2fs:k ext4:h vfat:l btrfs:j ; do
  mkdir -p /cut/${i%:*}
  mount -t ${i%:*} /dev/vd${i#*:} /cut/${i%:*}
  check "cut ${i%:*}: it can be mounted" test -e /cut/${i%:*}/u/mapped
  check "cut ${i%:*}: the data are lost" not unsynced -c /cut/${i%:*}/u
done
umount /m/innermost
losetup -d /dev/loop1
umount /m/inner
losetup -d /dev/loop0
for i in /m/* /cut/* ; do umount $i 2>/dev/null ; done
check "none is mounted any more" not grep ' /[mc]' /proc/mounts
END
for i in ext4 inner innermost xfs btrfs f2fs vfat nojournal reader ; do
  guest_says "$i: the data are in their places" "$i: the data are there"
done
for i in "${cut[@]}" ; do guest_says "cut $i: it can be mounted" "cut $i: the data are lost" ; done
guest_says "none is mounted any more"

# mounting NAME : what the kernel said of that
mounting () {
  awk -v name="--- $1" '/--- / { mine = $NF == substr(name, 5) ; next } mine && /\[ *[0-9.]*\]/' "$console" | grep .
}
nothing_replayed () {
  local said
  said=$(mounting "$1") && ! grep -i 'recovery complete\|replay\|unchecked' <<<"$said"
}
for i in ext4 inner innermost btrfs ; do ok "$i: nothing is replayed" nothing_replayed "$i" ; done
ok "xfs: its log is replayed" grep -q 'Starting recovery' <<<"$(mounting xfs)"
ok "xfs: nothing is left to be repaired" xfs_repair -n -f "$work/frozen-xfs.img"
ok "ext4 without a journal: a check is recommended" grep -q 'running e2fsck is recommended' <<<"$(mounting nojournal)"
ok "vfat with a writer: a check is recommended" grep -q 'not properly unmounted' <<<"$(mounting vfat)"
ok "vfat without one: none is" not console_has "$console" 'FAT-fs \(vdg\): Volume was not properly unmounted'
ok "cut: what was in a journal is replayed" grep -q 'EXT4-fs.*recovery complete' <<<"$(mounting cut)"
done_testing
