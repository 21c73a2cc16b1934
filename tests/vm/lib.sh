# shellcheck shell=bash
# For tests in a virtual machine. To be sourced by tests/vm/*.t, which speak TAP.
#
#   . "$(dirname "$0")/lib.sh"
#   vm_test loop fuse               the modules the guest needs
#   image_ext4 "$work/disk.img" 16M
#   guest "$work/disk.img" <<'END'  runs this in the guest, as its /init; the file becomes /dev/vda
#   mount /dev/vda /mnt
#   check "root can write" touch /mnt/x
#   END
#   guest_says "root can write"     asks the console for the outcome of a check in the guest
#   ok "the disk is clean" image_clean "$work/disk.img"
#   done_testing

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
. "$top/tools/lib/vm.sh"
tests=0
work=$vm/$(basename "$0" .t)
console=$work/console

bail_out () {
  echo "Bail out! $*"
  exit 111
}

# ok WHAT COMMAND... : one test
ok () {
  local what=$1
  shift
  tests=$((tests + 1))
  if "$@" >"$work/out" 2>&1 ; then
    echo "ok $tests - $what"
  else
    echo "not ok $tests - $what"
    sed 's/^/# /' "$work/out"
  fi
}

not () {
  ! "$@"
}

# guest_says WHAT... : each is a check that went well in the guest
guest_says () {
  local what
  for what ; do ok "$what" guest_said "$what" ; done
}

# guest_said WHAT : or else prints what came before that
guest_said () {
  { grep -qF "=== $1 ok" "$console" && not grep -qF "=== $1 FAILED" "$console" ; } || { grep -F -B 20 "=== $1 FAILED" "$console" || tail -n 20 "$console" ; return 1 ; }
}

# new_disks SIZE NAME... : $work/NAME.img, an ext4 with what is in the directory $content, if that is set
new_disks () {
  local size=$1 i
  shift
  for i ; do image_ext4 "$work/$i.img" "$size" ${content:+"$content"} ; done
}

# disks_clean TITLE NAME... : the same as clean(), of several disks
disks_clean () {
  local title=$1 i
  shift
  for i ; do
    ok "$title: disk $i is clean" image_clean "$work/$i.img"
    ok "$title: disk $i: fsck is silent" image_fsck "$work/$i.img"
  done
  ok "$title: no panic, no kernel bug" console_no_panic "$console"
}

# clean TITLE : $work/disk.img has nothing to replay or repair, and the kernel nothing to complain of
clean () {
  ok "$1: the disk is clean" image_clean "$work/disk.img"
  ok "$1: fsck is silent" image_fsck "$work/disk.img"
  ok "$1: no panic, no kernel bug" console_no_panic "$console"
}

# reset_and_clean TITLE
reset_and_clean () {
  ok "$1: the machine reset itself" console_has "$console" 'reboot: Restarting system'
  clean "$@"
}

# since_request : milliseconds from "=== request" to the reset
since_request () {
  echo "$(($(console_time "$console" 'reboot: Restarting') - $(console_time "$console" '^=== request')))"
}

done_testing () {
  echo "1..$tests"
}

# vm_test MODULE... : the guest's initramfs, in $work/stage, with our helpers; files can be added.
vm_test () {
  mkdir -p "$work"
  { vm_need && vm_kernel && vm_guest_tools "$work/tools" ; } >&2 || bail_out "no virtual machine"
  vm_stage "$work/stage" virtio_pci virtio_blk "$@"
  cp "$work"/tools/* "$work/stage/bin/"
  cp "$top/tests/vm/guest/functions.sh" "$work/stage/functions"
}

# vm_test_stage4 : adds stage4
vm_test_stage4 () {
  { "$top/tools/build" static && make -C "$top/build/static" install DESTDIR="$work/stage" ; } >"$work/build.log" 2>&1 ||
    { cat "$work/build.log" >&2 ; bail_out "no stage4" ; }
}

# copy_libraries TREE PROGRAM... : what these are linked with, to the same places in there
copy_libraries () {
  local tree=$1 file
  shift
  for file in $(ldd "$@" | grep -o '/[^ ]*\.so[^ ]*' | sort -u) ; do
    mkdir -p "$tree${file%/*}"
    cp -L "$file" "$tree$file" || return
  done
}

# at_once NUMBER COMMAND ARG... : the command for each of the arguments, so many at once; fails if one of them does
at_once () {
  local number=$1 command=$2 failed=0 arg
  shift 2
  for arg ; do
    while test "$(jobs -rp | wc -l)" -ge "$number" ; do wait -n || failed=1 ; done
    "$command" "$arg" &
  done
  while test -n "$(jobs -p)" ; do wait -n || failed=1 ; done
  return $failed
}

# guest [DISK...] <script : boots; the machine goes off when the script ends
guest () {
  {
    cat <<'END'
#!/bin/sh
. /load-modules
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
. /functions
END
    cat
    echo 'sync ; poweroff -f'
  } >"$work/stage/init"
  chmod +x "$work/stage/init"
  vm_pack "$work/stage" "$work/initramfs"
  vm_run "$console" "$work/initramfs" "$@" || echo "     - the machine had to be ended" >>"$console"
}
