#!/bin/bash
# examples/sysupgrade: a small system, A, replaces its own root by an image of B, in many ways that end well or badly;
# then whatever is on the disk is booted. The disk has a misc partition, one for the root and one for data.
. "$(dirname "$0")/lib.sh"
export VM_TIME=150
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
  if test "$1" = B ; then mkdir -p -m 700 "$tree"/{root,srv/ssh} && ln -s /srv/ssh "$tree/etc/ssh" || return ; fi
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
  test "$3" = demo || sed -i '/^sleep/d' "$tree/etc/demo/service/request/run"
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

# machine NAME WORD... : A boots, with these words for the kernel, which end as environment variables; the image of B is
# the second disk. $slowly: the first one takes so many bytes a second. $third: a third disk.
machine () {
  local name=$1
  shift
  console=$work/console.$name
  VM_APPEND="quiet demo_chain=upgrade demo_load=${load:-none} image_bytes=$(stat -c %s "$b") image_sum=$(sha256sum "$b" | cut -c -64) $*" \
    vm_run "$console" "$work/initramfs" "$work/disk.img${slowly:+,throttling.bps-write=$slowly}" "$b" ${third:+"$third"} ||
    echo "     - the machine had to be ended" >>"$console"
}

# special NAME NODE WORD... : the first disk is what that node of QEMU's is, a -blockdev of $VM_QEMU on top of `image`
special () {
  local name=$1 node=$2
  shift 2
  console=$work/console.$name
  VM_APPEND="quiet demo_chain=upgrade demo_load=none image_bytes=$(stat -c %s "$b") image_sum=$(sha256sum "$b" | cut -c -64) $*" \
    VM_QEMU="-blockdev driver=file,node-name=image,filename=$work/disk.img ${VM_QEMU//$'\n'/} \
      -device virtio-blk-pci,drive=$node,werror=report,addr=0x10 \
      -drive if=none,id=b,format=raw,readonly=on,file=$b -device virtio-blk-pci,drive=b,addr=0x11" \
    vm_run "$console" "$work/initramfs" || echo "     - the machine had to be ended" >>"$console"
}

# next_boot NAME : of whatever there is; it looks, and shuts down
next_boot () {
  console=$work/console.$1
  VM_APPEND="quiet demo_chain=look demo_load=shell" \
    vm_run "$console" "$work/initramfs" "$work/disk.img" || echo "     - the machine had to be ended" >>"$console"
}

# a_on_disk FS LOAD : a new disk; B is always a small one
a_on_disk () {
  a=$work/$1-$2.A b=$work/$1-light.B
  new_disk "$a"
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
  ok "$1: all of it" says '^=== the key is there'
  ok "$1: it has nothing else of A" says '^=== leftovers: none'
  data_clean "$1"
}

# is_a TITLE WHY : the next boot; A is as it was, and knows why
is_a () {
  ok "$1: the root is as it was" is_whole "$a"
  ok "$1: it is A" says '^=== this is A'
  ok "$1: it knows why" says "^sysupgrade: the last upgrade $2"
  ok "$1: nothing of the user's is lost" says '^=== leftovers: some'
  data_clean "$1"
}

# not_begun TITLE : all is as it was, and the next boot would know; seen from outside
not_begun () {
  ok "$1: the root is as it was" is_whole "$a"
  ok "$1: it is recorded" recorded "$2"
  data_clean "$1"
}

# recorded REGEX : a line of the newer one of the two records
recorded () {
  get 1 1 "$work/misc.img"
  tr -d '\0' <"$work/misc.img" |
    awk '$1 == "serial" { new = $2 > max ; if (new) { max = $2 ; text = "" } } new { text = text $0 "\n" } END { print text }' |
    grep -E "^$1"
}

# no_root TITLE WHY : the next boot finds none, and knows why
no_root () {
  ok "$1: there is no root" says '^=== no root'
  ok "$1: it is known why" says "^sysupgrade: the last upgrade $2"
}

vm_test squashfs overlay loop softdog dm_mod
"$top/tools/build" multicall >"$work/build.log" 2>&1 || bail_out "no stage4"
make_image A squashfs demo && make_image A ext4 demo && make_image A squashfs light &&
  make_image B squashfs light && make_image B ext4 light || bail_out "no image"
make_initramfs

## From A to B, under the load of the demo

# Squashfs and overlay; the image in a tmpfs, which the chain takes along.
a_on_disk squashfs demo
load=shell,stubborn machine overlay image=/tmp/image sabotage=refusals
refusals=$(sed -n 's/^  refused "\([^"]*\)".*/\1/p' "$top/tests/vm/guest/upgrade.sh")
while read -r why ; do
  guest_says "refused: $why" "refused: $why: it says why" "refused: $why: nobody was ended" \
    "refused: $why: nothing is left of it" "refused: $why: nothing is recorded"
done <<<"$refusals"
guest_says "only a check" "only a check: nobody was ended" "only a check: nothing is recorded" "wrong usage: exit code 100"
upgraded overlay
ok "overlay: nobody is left" says 'stage4-nuke: info: nobody is left'
ok "overlay: the watchdog is taken over" says 'stage4-watchdog: info: armed /dev/watchdog0'
ok "overlay: the swap file is switched off" says 'switched off 1 of 1 swaps'
ok "overlay: nothing is left" says 'stage4-hpr: info: .* left: 0 writable file systems, 6 mounts, 0 swaps, 0 block'
next_boot overlay-b
is_b overlay

# Ext4; the image on the disk itself, and copied into the ramfs.
a_on_disk ext4 demo
load=shell,stubborn machine plain image=/var/image
upgraded plain
next_boot plain-b
is_b plain
get $root_at 20 "$work/root.img"
ok "plain: the root is clean" image_clean "$work/root.img"
ok "plain: the root has nothing to repair" image_fsck "$work/root.img"

## 48 MB of memory, and a disk that needs three times as long for the image as the watchdog waits

# Debian's kernel takes 40 MB for itself before it counts what there is.
a_on_disk squashfs light
slowly=350000 VM_MEMORY=84M machine small image=/overlay/image bite=4s
upgraded small
ok "small: it has 48 MB" says '^=== memory: 4[0-8] MB'
ok "small: the image was written for more than 8 s" \
  test "$(($(console_time "$console" 'MiB are written, and') - $(console_time "$console" 'sysupgrade: writing')))" -gt 8000
ok "small: the watchdog was on" says 'armed /dev/watchdog0 .*, 4 s'
next_boot small-b
is_b small

## What goes wrong

a_on_disk squashfs light
machine pivot image=/tmp/image sabotage=pivot
ok "no pivot: it is said" says 'sysupgrade: failed: there was no pivot'
ok "no pivot: the machine reset itself" says 'reboot: Restarting system'
next_boot pivot-a
is_a "no pivot" "failed: there was no pivot, .* nothing was written"

# Somebody waits for a dead disk, and has the old root for ever.
a_on_disk squashfs light
truncate -s 1M "$work/dead.img"
third=$work/dead.img machine stuck image=/tmp/image sabotage=stuck
ok "who can't be killed: he is named" says 'stage4-nuke: .* dd'
ok "who can't be killed: the machine reset itself" says 'reboot: Restarting system'
not_begun "who can't be killed" "why /dev/vda2 is in use; nothing was written"

# It does not end by SIGTERM.
a_on_disk squashfs light
machine hang image=/tmp/image sabotage=hang
ok "a hook hangs: it is ended at its limit" says 'stage4-hookdir: .*05-hang'
ok "a hook hangs: the machine reset itself" says 'reboot: Restarting system'
not_begun "a hook hangs" 'state asked'

# The chain itself hangs.
a_on_disk squashfs light
machine frozen image=/tmp/image sabotage=frozen bite=4s
ok "the chain hangs: it does" says '^=== the chain hangs'
ok "the chain hangs: the watchdog bites" not says 'reboot: Restarting system|had to be ended|stage4-hpr'
not_begun "the chain hangs" 'state asked'

a_on_disk squashfs light
# A bad sector, in MiB 2 of the target
VM_QEMU="-blockdev driver=blkdebug,node-name=bad,image=image,inject-error.0.event=none,inject-error.0.iotype=write,
inject-error.0.errno=5,inject-error.0.sector=$(((root_at + 2) * 2048 + 8))" special bad-sector bad image=/tmp/image
ok "a bad sector: it is said" says 'sysupgrade: failed: unable to write MiB 2 to /dev/vda2: .*rror'
ok "a bad sector: the configuration is not written" not says 'the configuration is written'
ok "a bad sector: the machine reset itself" says 'reboot: Restarting system'
data_clean "a bad sector"
next_boot bad-sector-none
no_root "a bad sector" "failed: unable to write MiB 2"

# A way to the image by a link, a full data partition, a link and a private directory in B above what is kept.
a_on_disk squashfs light
machine odd image=/tmp/image sabotage=odd
guest_says "its reader is gone: nothing is left of it"
upgraded odd
next_boot odd-b
is_b odd
ok "odd: the directory above is that of B, and a link is kept" says '^=== above: 700 key /nowhere'

## The power fails

# power_cut NAME REGEX : when this is on the console
power_cut () {
  slowly=2000000 VM_UNTIL=$2 machine "$1" image=/tmp/image
  next_boot "$1-next"
}

a_on_disk squashfs light
power_cut before '^stage4-pivot: info: pivoted'
is_a "cut before it" "was not begun"
power_cut during '^sysupgrade: 2 of [0-9]* MiB'
no_root "cut during it" "was cut short"
a_on_disk squashfs light
power_cut after 'the new root is complete'
is_b "cut after it"

# Any moment of it: old, none or new, never half of one; and new only with its configuration.
a_on_disk squashfs light
cp --sparse=always "$work/disk.img" "$work/before.img"
: >"$work/writes.log"
VM_QEMU="-blockdev driver=file,node-name=log,filename=$work/writes.log
 -blockdev driver=blklogwrites,node-name=logged,file=image,log=log" special logged logged image=/tmp/image
upgraded "written down"
perl -I "$top/tests/vm" "$top/tests/vm/upgrade-cuts.pl" "$work" $root_at "$a" "$b" "${CUTS:-200}" "${SEED:-7}" >"$work/moments"
echo "# $(sort "$work/moments" | uniq -c | paste -s -d ,)"
ok "cut at any moment: it was tried" grep -q . "$work/moments"
ok "cut at any moment: never half of a root" not grep -v '^\(old\|none\|new\)$' "$work/moments"
for what in old none new ; do ok "cut at any moment: there is $what" grep -qx $what "$work/moments" ; done
rm -f "$work"/*.img "$work"/*.[AB] "$work/writes.log"
done_testing
