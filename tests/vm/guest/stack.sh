#!/bin/sh
# A machine with its root (or, of vfat, a file system with data) on a storage stack: made and shut down in one boot,
# looked at in the next. The stacks are listed in tests/vm/matrix.sh; $fs and $stack are on the kernel's command line, and
# so is $by, whose shutdown it is: the chain's, or another's (tools/compare, see peers.sh).
# Executed as /init, as pid 1 or by it in the new root ("go"), and by the chain as a teardown hook ("teardown"). exitrd.sh
# sources it for the stack.
# shellcheck disable=SC1091,SC2034,SC2154 # /functions, /load-modules and /peers are of the guest

## Layers: make_X DEVICE NAME, open_X DEVICE NAME; $device is then what the next one is made on

make_luks () {
  below_crypt=$1   # of /etc/crypttab
  echo key | t cryptsetup -q luksFormat --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 "$1" - && open_luks "$@"
}
open_luks () {
  echo key | t cryptsetup open --key-file - "$1" "$2" && device=/dev/mapper/$2
}

make_lvm () {
  l pvcreate -q -ff -y "$1" && l vgcreate -q "$2" "$1" && l lvcreate -q -y -W n -n root -l 100%FREE "$2" && device=/dev/mapper/$2-root
}
open_lvm () {
  l vgchange -q -a y "$2" && device=/dev/mapper/$2-root
}

make_thin () {
  l pvcreate -q -ff -y "$1" && l vgcreate -q "$2" "$1" &&
    l lvcreate -q -y --type thin-pool -l 80%FREE --poolmetadatasize 4M -n pool "$2" &&
    l lvcreate -q -y -W n -T "$2/pool" -V 320M -n root && device=/dev/mapper/$2-root
}
open_thin () {
  open_lvm "$@"
}

# make_two : a volume group of two disks
make_two () {
  l pvcreate -q -ff -y /dev/vda /dev/vdb && l vgcreate -q vg /dev/vda /dev/vdb
}
make_lvm_raid1 () {
  make_two && l lvcreate -q -y -W n --type raid1 -m 1 --nosync -n root -L 400M vg && device=/dev/mapper/vg-root
}
# Whatever is written there is copied before, to the other disk.
make_lvm_snapshot () {
  make_two && l lvcreate -q -y -W n -n root -L 320M vg /dev/vda && l lvcreate -q -y -s -n before -L 340M vg/root /dev/vdb &&
    device=/dev/mapper/vg-root
}
make_lvm_cache () {
  make_two && l lvcreate -q -y -W n -n root -L 400M vg /dev/vda &&
    l lvcreate -q -y --type cache-pool -n quick -L 64M --poolmetadatasize 8M --cachemode writeback vg /dev/vdb &&
    l lvconvert -q -y --type cache --cachepool vg/quick vg/root && device=/dev/mapper/vg-root
}
# cache_is_clean : or else all of it is taken for dirty (drivers/md/dm-cache-metadata.c:CLEAN_SHUTDOWN)
cache_is_clean () {
  l lvchange -q -a y -y vg/quick_cpool_cmeta
  flags=$(dd if=/dev/mapper/vg-quick_cpool_cmeta bs=1 skip=4 count=1 2>/dev/null | od -An -tu1)
  l lvchange -q -a n vg/quick_cpool_cmeta
  test "$((flags & 1))" = 1
}

# Swap with a key that nobody knows, in use.
make_swap () {
  t cryptsetup open --type plain --cipher aes-xts-plain64 --key-size 256 --key-file /dev/urandom /dev/vdb swap &&
    swap_on /dev/mapper/swap && swap_out
}
# swap_out : what is in a tmpfs
swap_out () {
  mkdir -p /sys/fs/cgroup && mount -t cgroup2 cgroup /sys/fs/cgroup && echo +memory >/sys/fs/cgroup/cgroup.subtree_control &&
    mkdir /sys/fs/cgroup/some &&
    sh -c 'echo $$ >/sys/fs/cgroup/some/cgroup.procs ; exec dd if=/dev/urandom of=/run/swapped bs=1M count=32' &&
    echo 24M >/sys/fs/cgroup/some/memory.reclaim
  umount /sys/fs/cgroup
  awk 'NR > 1 { exit $4 < 16000 }' /proc/swaps
}

# make_md DEVICE DEVICE
make_md () {
  t mdadm -q --create /dev/md0 --run --level=1 --raid-devices=2 --metadata=1.2 --assume-clean "$1" "$2" && device=/dev/md0
}
open_md () {
  t mdadm -q --assemble /dev/md0 "$1" "$2" && device=/dev/md0
}

make_integrity () {
  t integritysetup -q format --no-wipe "$1" && open_integrity "$@"
}
open_integrity () {
  t integritysetup open --integrity-recalculate "$1" "$2" && device=/dev/mapper/$2
}

# A file system on DEVICE, with a file in it, and that one as a loop device.
make_loop () {
  t mke2fs -q -t ext4 "$1" && mkdir -p /layer && mount -t ext4 "$1" /layer && truncate -s 330M /layer/image && attach_loop
}
open_loop () {
  mkdir -p /layer && mount -t ext4 "$1" /layer && attach_loop
}
attach_loop () {
  losetup /dev/loop0 /layer/image && device=/dev/loop0
}

## Stacks: "stack make NAME" or "stack open NAME"

stack () {
  device=/dev/vda
  case $2 in
    luks) "$1"_luks $device crypt ;;
    lvm-on-luks) "$1"_luks $device crypt && "$1"_lvm $device vg ;;
    luks-on-lvm) "$1"_lvm $device vg && "$1"_luks $device crypt ;;
    md) "$1"_md /dev/vda /dev/vdb ;;
    luks-on-lvm-on-md) "$1"_md /dev/vda /dev/vdb && "$1"_lvm $device vg && "$1"_luks $device crypt ;;
    loop-on-luks) "$1"_luks $device crypt && "$1"_loop $device ;;
    md-on-integrity) "$1"_integrity /dev/vda one && "$1"_integrity /dev/vdb two && "$1"_md /dev/mapper/one /dev/mapper/two ;;
    thin) "$1"_thin $device vg ;;
    lvm-raid1) case $1 in make) make_lvm_raid1 ;; *) open_lvm $device vg ;; esac ;;
    lvm-snapshot) case $1 in make) make_lvm_snapshot ;; *) open_lvm $device vg ;; esac ;;
    lvm-cache) case $1 in make) make_lvm_cache ;; *) cache_is_clean && open_lvm $device vg ;; esac ;;
    swap-on-luks) test "$1" = open || make_swap ;;
    nbd)
      ln -s nbd /bin/@nbd
      begin @nbd /dev/vda /dev/nbd0
      device=/dev/nbd0 ;;
    *) ;;   # it is what lies on the disk that matters
  esac
}

make_fs () {
  case $fs in
    ext4) t mke2fs -q -t ext4 "$device" ;;
    xfs) t mkfs.xfs -q -f "$device" ;;
    btrfs) t mkfs.btrfs -q -f "$device" ;;
    vfat) t mkfs.vfat "$device" >/dev/null ;;
  esac
}

# fs_is_clean : nothing to replay or repair, as its own tool says
fs_is_clean () {
  case $fs in
    ext4)
      t dumpe2fs -h "$device" >/header 2>&1
      t e2fsck -fn "$device" && grep '^Filesystem state: *clean$' /header && not grep needs_recovery /header ;;
    xfs) t xfs_logprint -t "$device" | grep '<CLEAN>' && t xfs_repair -n "$device" ;;
    btrfs) t btrfs inspect-internal dump-super "$device" | grep '^log_root[[:space:]]*0$' && t btrfs check "$device" ;;
    vfat) t fsck.vfat -n "$device" ;;
  esac
}

## First boot: made, used, shut down

fill_root () {
  case $by in
    '') fill_root_stage4 ;;
    *) "fill_root_${by%-*}" ;;
  esac
}

# The new root: what runs there, and nothing else.
fill_root_stage4 () {
  mkdir -p /new/dev /new/proc /new/sys /new/run /new/mnt /new/bin /new/etc/stage4/teardown.d /new/var
  cp -a /bin/busybox /bin/load /bin/stage4-* /new/bin/
  busybox --list | while read -r i ; do test -e "/new/bin/$i" || ln -s busybox "/new/bin/$i" ; done
  cp /functions /new/
  cp /init /new/go
  test ! -e /peers || cp /peers /new/
  cp /init /new/etc/stage4/teardown.d/teardown
}

# A live system's: a squashfs in a file on a medium, an upper layer on the disk. Its layers are below /run, or, as
# overlayroot has them, below itself.
mount_overlay () {
  mkdir -p /run/layer/medium /run/layer/lower /run/layer/upper
  mount -t tmpfs tmpfs /new
  fill_root
  t mke2fs -q -t ext4 /dev/vdb
  mount -t ext4 /dev/vdb /run/layer/medium
  mount --bind /new /tools/new
  mount --bind /run/layer/medium /tools/medium
  t mksquashfs /new /medium/root.squashfs -no-progress -noI -noD -noF
  umount /tools/new /tools/medium /new
  losetup -r /dev/loop0 /run/layer/medium/root.squashfs
  mount -t squashfs -o ro /dev/loop0 /run/layer/lower
  mount -t "$fs" "$device" /run/layer/upper
  mkdir /run/layer/upper/upper /run/layer/upper/work
  mount -t overlay -o lowerdir=/run/layer/lower,upperdir=/run/layer/upper/upper,workdir=/run/layer/upper/work overlay /new
}

mount_data () {
  mkdir -p "$1/mnt/data"
  mount -t "$fs" "$device" "$1/mnt/data"
}

# Root and /home are subvolumes of one file system.
mount_subvolumes () {
  mount -t btrfs "$device" /new
  mount --bind /new /tools/new
  t btrfs subvolume create /new/@ && t btrfs subvolume create /new/@home
  umount /tools/new /new
  mount -t btrfs -o subvol=@ "$device" /new
  fill_root
  mkdir /new/home
  mount -t btrfs -o subvol=@home "$device" /new/home
}

mount_usr_and_var () {
  mount -t "$fs" "$device" /new
  mkdir /new/usr /new/var
  for i in b:usr c:var ; do
    t mke2fs -q -t ext4 "/dev/vd${i%:*}"
    mount -t ext4 "/dev/vd${i%:*}" "/new/${i#*:}"
  done
  fill_root
  for i in usr var home ; do mkdir -p /new/$i ; done
  test -L /new/bin || { mv /new/bin /new/usr/bin && ln -s usr/bin /new/bin ; }
}

mount_root () {
  case $stack,$fs in
    overlay*) mount_overlay ;;
    subvolumes,*) mount_subvolumes ;;
    usr-and-var,*) mount_usr_and_var ;;
    tmpfs,*) mount -t tmpfs tmpfs /new && fill_root && mount_data /new ;;
    initramfs,*) mkdir -p /etc/stage4/teardown.d && cp /init /go && cp /init /etc/stage4/teardown.d/teardown && mount_data '' ;;
    *,vfat)
      t mke2fs -q -t ext4 /dev/vdc
      mount -t ext4 /dev/vdc /new
      fill_root
      mount_data /new ;;
    *) mount -t "$fs" "$device" /new && fill_root ;;
  esac
}

make () {
  check "the stack is made" stack make "$stack" || return
  check "the file system is made" make_fs || return
  mkdir /new
  check "the root is mounted" mount_root || return
  umount /tools/run /tools/sys /tools/proc /tools/dev /tools
  case $stack in
    loop-*)
      mkdir /new/layer
      mount --move /layer /new/layer ;;
    overlay-*)
      for i in upper lower medium ; do
        mkdir -p /new/layer/$i
        mount --move /run/layer/$i /new/layer/$i
      done ;;
    initramfs) exec /go </dev/console >/dev/console 2>&1 ;;
  esac
  mount --move /run /new/run
  if test -z "$by" ; then enter_root /new /go ; fi
  check "what goes is watched" watch
  enter_root /new "$(init_of "$by")"
}

go () {
  if test -e /peers ; then
    words
    exec </dev/console >/dev/console 2>&1
  fi
  mkfifo /run/ready
  ln -sf /run/ready /ready
  . /functions
  case $stack,$fs in
    usr-and-var,*) data=/home ;;
    *,vfat | tmpfs,* | initramfs,*) data=/mnt/data ;;
    *) data=/var ;;
  esac
  load writer $data/written &
  load writer $data/deleted &
  load sleeper >$data/open &
  dd if=/dev/zero of=$data/dirty bs=64k count=64 2>/dev/null
  case $by in
    '' | stage4)
      stage4-ramfs /run/stage4 /bin/busybox /bin/sh /bin/tr /bin/cat /bin/mdev /etc/stage4/teardown.d || echo "=== no ramfs" ;;
  esac
  rm $data/deleted
  if test -n "$by" ; then
    in_use | sed 's/^/=== in use: /'
    dmesg -n 7
  fi
  echo "=== request"
  case $by in '' | stage4) ;; *) request ;; esac
  exec stage4-begin -A reboot -t 60s -R /run/stage4 stage4-nuke -t 2s stage4-pivot \
    stage4-settle ' stage4-umountall' ' -T' ' tmpfs' ' stage4-swapoff' ' stage4-umountall' ' stage4-detach' '' \
    stage4-hookdir -d /etc/stage4/teardown.d stage4-freeze stage4-hpr
}

# in_use : devices, and mounted file systems by their device's number
in_use () {
  for i in /sys/block/* ; do
    test ! -e "$i/dm/name" || echo "${i##*/} $(cat "$i/dm/name")"
    test ! -e "$i/loop/backing_file" || echo "${i##*/} $(cat "$i/loop/backing_file")"
    test ! -e "$i/md/array_state" || test "$(cat "$i/md/array_state")" = clear || echo "${i##*/} $(cat "$i/md/array_state")"
  done
  while read -r _ _ number _ dir rest ; do
    rest=${rest##* - }
    case ${rest%% *} in ext4 | xfs | btrfs | vfat | overlay | squashfs) echo "$number ${rest%% *} on $dir" ;; esac
  done </proc/self/mountinfo
}

# Whatever is still in use.
teardown () {
  in_use | sed 's/^/=== left: /'
  sed '1d ; s/^/=== left: /' /proc/swaps
  for i in /sys/fs/ext4/vd* /sys/fs/ext4/dm* /sys/fs/xfs/vd* /sys/fs/xfs/dm* ; do test ! -e "$i" || echo "=== left: $i" ; done
  echo "=== torn down"
}

## Second boot: what is on the disks

look () {
  case $stack in
    *md*)
      for i in /dev/vda /dev/vdb ; do
        case $stack in *integrity) continue ;; esac
        check "the array is clean on $i" sh -c "chroot /tools /sbin/mdadm --examine $i | grep 'State : clean'"
      done ;;
  esac
  check "the stack opens" stack open "$stack" || return
  case $stack in *md*) check "no resync" not grep -E 'resync|recovery' /proc/mdstat ;; esac
  case $stack in *lvm* | thin) check "LVM's metadata is consistent" l vgck vg ;; esac
  check "the file system is clean" fs_is_clean
  if test "$stack" = usr-and-var ; then
    fs=ext4
    for device in /dev/vdb /dev/vdc ; do check "$device is clean" fs_is_clean ; done
    device=/dev/vda
  fi
  mkdir /new
  mount -o ro -t "$fs" "$device" /new
  find /new -name written
  case $stack,$fs in
    overlay*) data=/new/upper/var ;;
    subvolumes,*) data=/new/@/var ;;
    usr-and-var,*) data=/new/home ;;
    *,vfat | tmpfs,* | initramfs,*) data=/new ;;
    *) data=/new/var ;;
  esac
  check "the data is there" cmp -n 4194304 /dev/zero $data/dirty
  umount /new
  dmesg | grep -iE '(recovering|recovery|replay|resync|unclean|not properly unmounted)' |
    grep -v -E 'raid6|recovery required|during recovery' | sed 's/^/=== replayed: /'
}

machine () {
  . /load-modules
  mount -t devtmpfs dev /dev
  mount -t proc proc /proc
  mount -t sysfs sys /sys
  mount -t tmpfs -o mode=755 run /run
  . /functions
  tools /dev/vdd
}

init () {
  machine
  if test -n "$looking" ; then look ; else make ; fi
  sync
  poweroff -f
}

if test -e /peers ; then . /peers ; fi
case ${0##*/} in
  go) go ;;
  teardown) teardown ;;
  init) init ;;
  *) ;;   # sourced, by exitrd.sh
esac
