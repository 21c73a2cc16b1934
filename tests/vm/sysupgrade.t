#!/bin/bash
# examples/sysupgrade: a small system, A, replaces its own root by an image of B, in many ways that end well or badly;
# then whatever is on the disk is booted. The disk has a misc partition, one for the root and one for data.
. "$(dirname "$0")/lib.sh"
need_packages squashfs-tools fdisk >&2 || bail_out "no squashfs"

mib=1048576
root_at=2 root_size=128 data_at=130 data_size=80 disk_size=211   # MiB

## The system

# install_programs TREE : busybox, s6, execline, bash for the load; with their libraries
install_programs () {
  local tree=$1 file name
  mkdir -p "$tree"/{bin,lib64,usr}
  ln -s ../bin "$tree/usr/bin"
  cp "$(command -v busybox)" "$tree/bin/busybox"
  for name in $(busybox --list) ; do
    case $name in busybox | bash | init | reboot) ;; *) ln -s busybox "$tree/bin/$name" ;; esac
  done
  for name in $(ls /usr/lib/execline/bin) ; do cp -L "/usr/lib/execline/bin/$name" "$tree/bin/" || return ; done
  for name in s6-{svscan,supervise,svscanctl,svc,svwait,svlisten1,ftrigrd,log} bash ; do
    rm -f "$tree/bin/$name"
    cp -L "$(command -v "$name")" "$tree/bin/" || return
  done
  for file in $(ldd "$tree"/bin/{bash,execlineb,s6-*} | grep -o '/[^ ]*\.so[^ ]*' | sort -u) ; do
    mkdir -p "$tree${file%/*}"
    cp -L "$file" "$tree$file" || return
  done
}

# install_example TREE : as its README says
install_example () {
  local from=$top/examples/sysupgrade
  mkdir -p "$1/usr/lib/sysupgrade" "$1/etc" "$1/bin"
  cp "$from/sysupgrade.conf" "$1/etc/"
  cp -R "$from"/{functions,stop,write.d} "$1/usr/lib/sysupgrade/"
  cp "$from/sysupgrade" "$1/bin/"
}

# make_tree VERSION FS LOAD : $work/tree, the demo's files with our own ways to go down
make_tree () {
  local tree=$work/tree i
  rm -rf "$tree"
  mkdir -p "$tree"/{dev,proc,sys,run,tmp,mnt,rom,overlay,sbin,var/lib/demo,var/log,usr/lib/demo,etc/stage4/teardown.d}
  install_programs "$tree" && install_example "$tree" || return
  cp -R "$top/tools/demo.d/root/etc" "$top/tools/demo.d/root/usr" "$tree/"
  ln -s ../usr/sbin/init "$tree/sbin/init"
  sed -i 's,/usr/lib/execline/bin/,/bin/,' "$tree/usr/sbin/init"
  sed -i 's,^ln -s ,&-f ,' "$tree/etc/demo/rc.boot"         # it is booted more than once
  sed -i 's,readlink .* | wc -l,pidof load | wc -w,' "$tree/etc/demo/service/request/run"   # busybox has a smaller one
  sed -i 's,^stop_limit=.*,stop_limit=5s,' "$tree/etc/sysupgrade.conf"    # the shell does not end by itself
  cp "$work"/tools/{load,dm} "$tree/usr/lib/demo/"
  cp "$top/tests/vm/guest/functions.sh" "$tree/usr/lib/demo/functions"
  cp "$top/tests/vm/guest/upgrade.sh" "$tree/etc/demo/chain/upgrade"
  printf '#!/bin/sh\n. /usr/lib/demo/look\n' >"$tree/etc/demo/chain/look"
  sed -i 's,/usr/lib/execline/bin/,/bin/,' "$tree/etc/demo/chain/default"
  chmod 755 "$tree/etc/demo/chain/"*
  cp "$top/tests/vm/guest/upgraded.sh" "$tree/usr/lib/demo/look"
  echo "$1" >"$tree/etc/version"
  echo "factory of $1" >"$tree/etc/hostname"
  echo root:x:0:0::/:/bin/sh >"$tree/etc/passwd"
  make -C "$top/build/multicall" install DESTDIR="$tree" >"$work/install.log" 2>&1 || return
  if test "$3" = demo ; then
    mkdir -p "$tree"/srv/chroot/{bin,dev,proc,sys}
    cp "$work/tools/load" "$tree/srv/chroot/bin/"
    for i in 1 2 3 4 ; do image_ext4 "$tree/var/lib/demo/loop.$i" 5M ; done
  else
    install -m 755 "$top/tests/vm/guest/upgrade-load.sh" "$tree/etc/demo/service/load/run"
    sed -i 's,/srv/chroot,,' "$tree/etc/demo/rc.boot"
    sed -i '/^for i in 1 2 3 4 ; do cp/d' "$tree/etc/demo/service/request/run"
  fi
  if test "$2" = squashfs ; then sed -i 's,/var/swap,/overlay/swap,' "$tree/etc/demo/service/load/run" ; fi
}

# make_image VERSION FS LOAD : $work/FS-LOAD.VERSION
make_image () {
  local image=$work/$2-$3.$1
  make_tree "$@" || return
  rm -f "$image"
  case $2 in
    squashfs) mksquashfs "$work/tree" "$image" -comp gzip -no-progress -quiet -all-root >&2 ;;
    ext4) image_ext4 "$image" "$([ "$3" = demo ] && echo 120M || echo 20M)" "$work/tree" ;;
  esac
}

# make_initramfs : mounts the root as the example's script does
make_initramfs () {
  local tool
  install_example "$work/stage"
  for tool in "$work"/tools/* ; do rm "$work/stage/bin/${tool##*/}" ; done   # memory is scarce in one of them
  cp "$top/examples/sysupgrade/mount-root" "$work/stage/usr/lib/sysupgrade/"
  cat >"$work/stage/init" <<'END'
#!/bin/sh
mount -t devtmpfs dev /dev
mount -t proc proc /proc
sh /load-modules
until test -e /dev/vda3 ; do usleep 10000 ; done
if ! /usr/lib/sysupgrade/mount-root /mnt ; then echo "=== no root" ; poweroff -f ; fi
umount /proc /dev
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
exec switch_root /mnt /sbin/init
END
  chmod 755 "$work/stage/init"
  vm_pack "$work/stage" "$work/initramfs"
}

## The disk

# put FILE MIB : into the disk
put () {
  dd if="$1" of="$work/disk.img" bs=$mib seek="$2" conv=notrunc,sparse status=none
}

# get MIB COUNT FILE : out of it
get () {
  dd if="$work/disk.img" of="$3" bs=$mib skip="$1" count="$2" conv=sparse status=none
}

# new_disk IMAGE : with A on it
new_disk () {
  rm -f "$work/disk.img"
  truncate -s ${disk_size}M "$work/disk.img"
  printf 'start=%s, size=%s\n' $((1 * 2048)) 2048 $((root_at * 2048)) $((root_size * 2048)) \
    $((data_at * 2048)) $((data_size * 2048)) | sfdisk -q "$work/disk.img" >&2 || bail_out "no partitions"
  image_ext4 "$work/data.img" ${data_size}M
  put "$work/data.img" $data_at
  put "$1" $root_at
}

## Booting

# machine NAME WORD... : boots with these words for the kernel, which end as environment variables; the image of B is
# the second disk
machine () {
  local name=$1
  shift
  console=$work/console.$name
  VM_APPEND="quiet demo_chain=upgrade demo_load=shell,stubborn $*" \
    vm_run "$console" "$work/initramfs" "$work/disk.img" "$b" || echo "     - the machine had to be ended" >>"$console"
}

# next_boot NAME : looks, and shuts down
next_boot () {
  console=$work/console.$1
  VM_APPEND="quiet demo_chain=look demo_load=shell" \
    vm_run "$console" "$work/initramfs" "$work/disk.img" || echo "     - the machine had to be ended" >>"$console"
}

# files FS LOAD
files () {
  a=$work/$1-$2.A b=$work/$1-light.B
  sum="image_bytes=$(stat -c %s "$b") image_sum=$(sha256sum "$b" | cut -c -64)"
}

## Judges

# is_whole IMAGE : the target begins with it
is_whole () {
  get $root_at $root_size "$work/root.img"
  cmp -n "$(stat -c %s "$1")" "$work/root.img" "$1"
}

# says REGEX
says () {
  console_has "$console" "$1" || { tail -n 40 "$console" ; return 1 ; }
}

# data_clean TITLE
data_clean () {
  get $data_at $data_size "$work/data.img"
  ok "$1: the data partition is clean" image_clean "$work/data.img"
  ok "$1: it has nothing to repair" image_fsck "$work/data.img"
  ok "$1: no panic, no kernel bug" console_no_panic "$console"
}

# upgraded TITLE
upgraded () {
  ok "$1: the machine reset itself" says 'reboot: Restarting system'
  ok "$1: the image is written" is_whole "$b"
  data_clean "$1"
}

# is_b TITLE : the next boot, with the configuration of A
is_b () {
  ok "$1: it is B" says '^=== this is B'
  ok "$1: it knows that it was upgraded" says '^sysupgrade: the last upgrade is done'
  ok "$1: it has the configuration" says '^=== the hostname is that of the user'
  ok "$1: it has nothing else of A" says '^=== leftovers: none'
  data_clean "$1"
}

vm_test squashfs overlay loop softdog
"$top/tools/build" multicall >"$work/build.log" 2>&1 || bail_out "no stage4"
for fs in squashfs ext4 ; do
  make_image A $fs demo && make_image B $fs light || bail_out "no image"
done
make_image A squashfs light || bail_out "no image"
make_initramfs

## From A to B

files squashfs demo
new_disk "$a"
machine overlay image=/tmp/image sabotage=no "$sum"
upgraded overlay
next_boot overlay-b
is_b overlay

files ext4 demo
new_disk "$a"
machine plain image=/var/image "$sum"
upgraded plain
next_boot plain-b
is_b plain
get $root_at 20 "$work/root.img"
ok "plain: the root is clean" image_clean "$work/root.img"
ok "plain: the root has nothing to repair" image_fsck "$work/root.img"
