#!/bin/bash
# examples/sysupgrade: a small system, A, replaces its own root by an image of B, in many ways that end well or badly;
# then whatever is on the disk is booted. The disk has a misc partition, one for the root and one for data.
# STORIES: only these, of the functions below. CUTS, SEED: other power cuts than the 200 of always.
. "$(dirname "$0")/lib.sh"
need_packages squashfs-tools fdisk >&2 || bail_out "no squashfs"

mib=1048576
root_at=2 root_size=128 data_at=130 data_size=80 disk_size=211   # MiB

## The system

# install_programs TREE : busybox, s6, execline, bash for the load; with their libraries
install_programs () {
  local tree=$1 name
  mkdir -p "$tree"/{bin,lib64,usr}
  ln -s ../bin "$tree/usr/bin"
  cp "$(command -v busybox)" "$tree/bin/busybox"
  for name in $(busybox --list) ; do
    case $name in busybox | bash | init | reboot) ;; *) ln -s busybox "$tree/bin/$name" ;; esac
  done
  cp -L /usr/lib/execline/bin/* "$tree/bin/" || return
  for name in s6-{svscan,supervise,svscanctl,svc,svwait,svlisten1,ftrigrd,log} bash ; do
    rm -f "$tree/bin/$name"
    cp -L "$(command -v "$name")" "$tree/bin/" || return
  done
  copy_libraries "$tree" "$tree"/bin/{bash,execlineb,s6-*}
}

# install_example TREE : as its README says
install_example () {
  local from=$top/examples/sysupgrade
  mkdir -p "$1/usr/lib/sysupgrade" "$1/etc" "$1/bin"
  cp "$from/sysupgrade.conf" "$1/etc/"
  cp -R "$from"/{functions,stop,write.d} "$1/usr/lib/sysupgrade/"
  cp "$from/sysupgrade" "$1/bin/"
}

# make_tree FS : $work/tree, the demo's files with our own ways to go down. Its load is the demo's, which takes a
# squashfs, or our own.
make_tree () {
  local tree=$work/tree i
  rm -rf "$tree"
  mkdir -p "$tree"/{dev,proc,sys,run,tmp,mnt,rom,overlay,sbin,var/lib/demo,var/log,usr/lib/demo,etc/stage4/teardown.d} \
    "$tree"/srv/chroot/{bin,dev,proc,sys}
  install_programs "$tree" && install_example "$tree" || return
  cp -R "$top/tools/demo.d/root/etc" "$top/tools/demo.d/root/usr" "$tree/"
  ln -s ../usr/sbin/init "$tree/sbin/init"
  sed -i 's,/usr/lib/execline/bin/,/bin/,' "$tree/usr/sbin/init" "$tree/etc/demo/chain/default"
  sed -i 's,^ln -s ,&-f ,' "$tree/etc/demo/rc.boot"         # it is booted more than once
  sed -i -e 's,readlink .* | wc -l,pidof load | wc -w,' -e '/^sleep/d' \
    -e 's,^for i in 1 2 3 4 ,test ! -d /mnt/loop.1 || &,' "$tree/etc/demo/service/request/run"   # busybox has a smaller one
  # shellcheck disable=SC2016  # for the guest
  sed -i 's,^exec 2>&1$,&\ncase $demo_load in demo*) ;; *) exec /usr/lib/demo/light ;; esac,' "$tree/etc/demo/service/load/run"
  cp "$work"/tools/{load,dm} "$tree/usr/lib/demo/"
  cp "$work/tools/load" "$tree/srv/chroot/bin/"
  cp "$top/tests/vm/guest/functions.sh" "$tree/usr/lib/demo/functions"
  cp "$top/tests/vm/guest/upgraded.sh" "$tree/usr/lib/demo/look"
  install -m 755 "$top/tests/vm/guest/upgrade-load.sh" "$tree/usr/lib/demo/light"
  install -m 755 "$top/tests/vm/guest/upgrade.sh" "$tree/etc/demo/chain/upgrade"
  printf '#!/bin/sh\n. /usr/lib/demo/look\nexec /etc/demo/chain/default\n' >"$tree/etc/demo/chain/look"
  chmod 755 "$tree/etc/demo/chain/"*
  echo root:x:0:0::/:/bin/sh >"$tree/etc/passwd"
  make -C "$top/build/multicall" install DESTDIR="$tree" >"$work/install.log" 2>&1 || return
  if test "$1" = squashfs ; then
    for i in 1 2 3 4 ; do image_ext4 "$tree/var/lib/demo/loop.$i" 5M ; done
    sed -i 's,/var/swap,/overlay/swap,' "$tree/etc/demo/service/load/run"
    sed -i 's,^where=.*,where=/overlay,' "$tree/usr/lib/demo/light"
  fi
}

# make_images FS : $work/FS.A and $work/FS.B
make_images () {
  local version image
  make_tree "$1" || return
  for version in A B ; do
    image=$work/$1.$version
    echo $version >"$work/tree/etc/version"
    echo "factory of $version" >"$work/tree/etc/hostname"
    rm -f "$image"
    # what is kept lies below it: a link, and a private directory
    if test $version = B ; then
      mkdir -m 700 "$work"/tree/{root,srv/ssh} && ln -s /srv/ssh "$work/tree/etc/ssh" || return
    fi
    case $1 in
      squashfs) mksquashfs "$work/tree" "$image" -comp gzip -no-progress -quiet -all-root >&2 ;;
      ext4) image_ext4 "$image" "$([ $version = A ] && echo 60M || echo 14M)" "$work/tree" ;;
    esac || return
  done
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

# a_on_disk FS [DIR] : a new disk with A on it, and what is in the directory on its data partition; B is the image for the
# upgrade
a_on_disk () {
  a=$images/$1.A b=$images/$1.B
  rm -f "$work/disk.img"
  truncate -s ${disk_size}M "$work/disk.img"
  printf 'start=%s, size=%s\n' $((1 * 2048)) 2048 $((root_at * 2048)) $((root_size * 2048)) \
    $((data_at * 2048)) $((data_size * 2048)) | sfdisk -q "$work/disk.img" >&2 || bail_out "no partitions"
  image_ext4 "$work/data.img" ${data_size}M ${2:+"$2"}
  put "$work/data.img" $data_at
  put "$a" $root_at
}

## Booting

# machine NAME WORD... : A boots, with these words for the kernel, which end as environment variables; the image of B is
# the second disk. $on_disk: words for QEMU, a -blockdev `top` on top of the first one, `image`.
machine () {
  local name=$1 node=${on_disk:+top}
  shift
  console=$work/console.$name
  VM_APPEND="quiet demo_chain=upgrade demo_load=${load:-light} image_bytes=$(stat -c %s "$b") image_sum=$(sha256sum "$b" | cut -c -64) $*" \
    VM_QEMU="-blockdev driver=file,node-name=image,filename=$work/disk.img,cache.no-flush=on ${on_disk//$'\n'/}
      -device virtio-blk-pci,drive=${node:-image},werror=report,addr=0x10
      -drive if=none,id=b,format=raw,readonly=on,file=$b -device virtio-blk-pci,drive=b,addr=0x11" \
    vm_run "$console" "$images/initramfs" || echo "     - the machine had to be ended" >>"$console"
}

# next_boot NAME : of whatever there is; it looks, and shuts down
next_boot () {
  console=$work/console.$1
  VM_APPEND="quiet demo_chain=look demo_load=light" \
    vm_run "$console" "$images/initramfs" "$work/disk.img" || echo "     - the machine had to be ended" >>"$console"
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

# writing_took : milliseconds
writing_took () {
  echo "$(($(console_time "$console" 'MiB are written, and') - $(console_time "$console" 'sysupgrade: writing')))"
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
  ok "$1: and so does who asks it" says '^=== recorded: done$'
  ok "$1: it has the configuration" says '^=== the hostname is that of the user'
  ok "$1: all of it" says '^=== the key is there'
  ok "$1: it has nothing else of A" says '^=== leftovers: none'
  data_clean "$1"
}

# not_begun TITLE REGEX : the root is as it was, and the record says so
not_begun () {
  ok "$1: the root is as it was" is_whole "$a"
  ok "$1: it is recorded" recorded "$2"
}

# is_a TITLE WHY RECORDED : the next boot; A is as it was, and knows why
is_a () {
  ok "$1: it is A" says '^=== this is A'
  ok "$1: it knows why" says "^sysupgrade: the last upgrade $2"
  ok "$1: and so does who asks it" says "^=== recorded: $3"
  ok "$1: nothing of the user's is lost" says '^=== leftovers: some'
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

## From A to B

# Squashfs and overlay, under the load of the demo; the image in a tmpfs, which the chain takes along.
overlay () {
  local refusals why
  a_on_disk squashfs
  load=demo,shell,stubborn machine overlay image=/tmp/image sabotage=refusals
  refusals=$(sed -n 's/^  refused "\([^"]*\)".*/\1/p' "$top/tests/vm/guest/upgrade.sh")
  while read -r why ; do
    guest_says "refused: $why" "refused: $why: it says why" "refused: $why: nobody was ended" \
      "refused: $why: nothing is left of it" "refused: $why: nothing is recorded"
  done <<<"$refusals"
  guest_says "only a check" "only a check: nobody was ended" "only a check: nothing is recorded" "wrong usage: exit code 100"
  upgraded overlay
  ok "overlay: a service that does not stop in its time" says 'stage4-hook: warning: /usr/lib/sysupgrade/stop is not done'
  ok "overlay: nobody is left" says 'stage4-nuke: info: nobody is left'
  ok "overlay: the watchdog is taken over" says 'stage4-watchdog: info: armed /dev/watchdog0'
  ok "overlay: the swap file is switched off" says 'switched off 1 of 1 swaps'
  ok "overlay: nothing is left" says 'stage4-hpr: info: .* left: 0 writable file systems, 6 mounts, 0 swaps, 0 block'
  next_boot overlay-b
  is_b overlay
}

# Ext4, with a swap file and a loop device on it; so is the image, and copied into the ramfs.
plain () {
  a_on_disk ext4
  load=stubborn machine plain image=/var/image
  upgraded plain
  ok "plain: the swap file is switched off" says 'switched off 1 of 1 swaps'
  next_boot plain-b
  is_b plain
  get $root_at 14 "$work/root.img"
  ok "plain: the root is clean" image_clean "$work/root.img"
  ok "plain: the root has nothing to repair" image_fsck "$work/root.img"
}

# 48 MB of memory (Debian's kernel takes 40 MB for itself before it counts what there is), and a disk that needs twice
# as long for the image as the watchdog waits.
small () {
  mkdir "$work/data"
  cp "$images/squashfs.B" "$work/data/image"
  a_on_disk squashfs "$work/data"
  on_disk="-object throttle-group,id=slow,x-bps-write=350000 -blockdev driver=throttle,node-name=top,throttle-group=slow,file=image" \
    VM_MEMORY=84M machine small image=/overlay/image bite=4s
  upgraded small
  ok "small: it has 48 MB" says '^=== memory: 4[0-8] MB'
  ok "small: the image was written for more than 8 s" \
    test "$(writing_took)" -gt 8000
  ok "small: the watchdog was on" says 'armed /dev/watchdog0 .*, 4 s'
  next_boot small-b
  is_b small
}

## What goes wrong: A tries again and again, and each time finds out what became of the last one

failures () {
  a_on_disk squashfs
  machine pivot image=/tmp/image sabotage=pivot
  ok "no pivot: it is said" says 'sysupgrade: failed: there was no pivot'
  ok "no pivot: the machine reset itself" says 'reboot: Restarting system'
  not_begun "no pivot" "why there was no pivot, .* nothing was written"
  data_clean "no pivot"

  # Somebody waits for a dead disk, and has the old root for ever.
  machine stuck image=/tmp/image sabotage=stuck
  is_a "no pivot" "failed: there was no pivot, .* nothing was written" "failed: there was no pivot, .* nothing was written"
  ok "who can't be killed: he is named" says 'stage4-nuke: .* dd'
  ok "who can't be killed: the machine reset itself" says 'reboot: Restarting system'
  not_begun "who can't be killed" "why /dev/vda2 is in use; nothing was written"
  data_clean "who can't be killed"

  # It does not end by SIGTERM.
  machine hang image=/tmp/image sabotage=hang
  is_a "who can't be killed" "failed: /dev/vda2 is in use; nothing was written" "failed: /dev/vda2 is in use"
  ok "a hook hangs: it is ended at its limit" says 'stage4-hookdir: .*05-hang'
  ok "a hook hangs: the machine reset itself" says 'reboot: Restarting system'
  not_begun "a hook hangs" 'state asked'
  data_clean "a hook hangs"

  # The chain itself hangs.
  machine frozen image=/tmp/image sabotage=frozen bite=4s
  is_a "a hook hangs" "was not begun" "asked$"
  ok "the chain hangs: it does" says '^=== the chain hangs'
  ok "the chain hangs: the watchdog bites" not says 'reboot: Restarting system|had to be ended|stage4-hpr'
  not_begun "the chain hangs" 'state asked'
  data_clean "the chain hangs"

  VM_UNTIL='^stage4-pivot: info: pivoted' machine before image=/tmp/image
  is_a "the chain hangs" "was not begun" "asked$"
  not_begun "cut before it" 'state asked'
  on_disk="-object throttle-group,id=slow,x-bps-write=2000000 -blockdev driver=throttle,node-name=top,throttle-group=slow,file=image" \
    VM_UNTIL='^sysupgrade: 2 of [0-9]* MiB' machine during image=/tmp/image
  is_a "cut before it" "was not begun" "asked$"
  data_clean "cut before it"
  next_boot during-none
  no_root "cut during it" "was cut short"
}

# A bad sector, in MiB 2 of the target
bad_sector () {
  a_on_disk squashfs
  on_disk="-blockdev driver=blkdebug,node-name=top,image=image,inject-error.0.event=none,inject-error.0.iotype=write,
inject-error.0.errno=5,inject-error.0.sector=$(((root_at + 2) * 2048 + 8))" machine bad-sector image=/tmp/image
  ok "a bad sector: it is said" says 'sysupgrade: failed: unable to write MiB 2 to /dev/vda2: .*rror'
  ok "a bad sector: the configuration is not written" not says 'the configuration is written'
  ok "a bad sector: the machine reset itself" says 'reboot: Restarting system'
  data_clean "a bad sector"
  next_boot bad-sector-none
  no_root "a bad sector" "failed: unable to write MiB 2"
}

# A way to the image by a link, a full data partition, a link and a private directory in B above what is kept.
odd () {
  a_on_disk squashfs
  machine odd image=/tmp/image sabotage=odd
  guest_says "its reader is gone: nothing is left of it"
  upgraded odd
  next_boot odd-b
  is_b odd
  ok "odd: the directory above is that of B, and a link is kept" says '^=== above: 700 key /nowhere'
}

# The power fails when all is written; and, of what QEMU has written down until then, at any moment: old, none or new,
# never half of one, and new only with its configuration.
cuts () {
  a_on_disk squashfs
  cp --sparse=always "$work/disk.img" "$work/before.img"
  : >"$work/writes.log"
  on_disk="-blockdev driver=file,node-name=log,filename=$work/writes.log
 -blockdev driver=blklogwrites,node-name=top,file=image,log=log" \
    VM_UNTIL='the new root is complete' machine after image=/tmp/image
  ok "cut after it: the image is written" is_whole "$b"
  perl -I "$top/tests/vm" "$top/tests/vm/upgrade-cuts.pl" "$work" $root_at "$a" "$b" "${CUTS:-200}" "${SEED:-7}" >"$work/moments"
  echo "# $(sort "$work/moments" | uniq -c | paste -s -d ,)"
  ok "cut at any moment: it was tried" test "$(grep -c . "$work/moments")" = "${CUTS:-200}"
  ok "cut at any moment: never half of a root" not grep -v '^\(old\|none\|new\)$' "$work/moments"
  for what in old none new ; do ok "cut at any moment: there is $what" grep -qx $what "$work/moments" ; done
  next_boot after-b
  is_b "cut after it"
}

# tell STORY : one of the functions above, in a directory of its own; what it says is in $work/STORY.tap
tell () {
  images=$work
  work=$work/$1
  rm -rf "$work"
  mkdir "$work"
  "$1" >"$work.tap"
  rm -rf "$work"/{*.img,writes.log,data}
}

vm_test squashfs overlay loop softdog dm_mod
"$top/tools/build" multicall >"$work/build.log" 2>&1 || bail_out "no stage4"
{ make_images squashfs && make_images ext4 ; } || bail_out "no image"
make_initramfs
stories=${STORIES:-failures overlay small cuts plain odd bad_sector}
# shellcheck disable=SC2086 # a list of words
at_once 2 tell $stories
ended=$?
for story in $stories ; do cat "$work/$story.tap" ; done >"$work/tap"
awk '/^(not )?ok / { sub(/ok [0-9]+/, "ok " ++n) } { print }' "$work/tap"
tests=$(grep -cE '^(not )?ok ' "$work/tap")
ok "each story has an end" test $ended = 0
rm -f "$work"/*.[AB]
done_testing
