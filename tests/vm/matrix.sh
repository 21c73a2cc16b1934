# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # top, vm and work are tests/vm/lib.sh's; console is for who sources this
# The matrix: file systems on storage stacks, shut down under load with pid 1 in the ramfs, and looked at by a second
# boot. To be sourced after tests/vm/lib.sh by tests/vm/matrix.t and tools/matrix.

matrix_stacks='plain luks lvm-on-luks luks-on-lvm md luks-on-lvm-on-md loop-on-luks overlay overlay-below-itself md-on-integrity thin lvm-raid1 lvm-snapshot lvm-cache'
matrix_fs='ext4 xfs btrfs vfat'
matrix_roots='ext4:usr-and-var btrfs:subvolumes ext4:tmpfs ext4:initramfs ext4:nbd ext4:swap-on-luks'

# matrix_names : FS:STACK
matrix_names () {
  local fs stack
  for stack in $matrix_stacks ; do
    for fs in $matrix_fs ; do
      case $fs:$stack in vfat:overlay*) continue ;; esac   # it can't be an upper layer
      echo "$fs:$stack"
    done
  done
  tr ' ' '\n' <<<"$matrix_roots"
}

# matrix_tools : Debian's tools for file systems and storage, as $work/tools.img
matrix_tools () {
  vm_debian cryptsetup-bin lvm2 thin-provisioning-tools mdadm e2fsprogs xfsprogs btrfs-progs dosfstools squashfs-tools >&2 ||
    bail_out "no tools"
  mkdir -p "$debian/medium" "$debian/new"
  image_ext4 "$work/tools.img" 600M "$debian"
}

# matrix_ready : the machine
matrix_ready () {
  vm_test dm_mod dm_crypt dm_integrity dm_thin_pool dm_bio_prison dm_snapshot dm_cache dm_cache_smq dm_raid raid1 md_mod loop xfs btrfs vfat nls_ascii nls_cp437 \
    squashfs overlay nbd af_alg algif_skcipher algif_hash xts
  vm_test_stage4
  matrix_tools
  cp "$top/tests/vm/guest/stack.sh" "$work/stage/init"
  chmod 755 "$work/stage/init"
  vm_pack "$work/stage" "$work/initramfs"
}

# matrix_in NAME : what this one leaves is in $dir. Of tools/compare, NAME is FS:STACK:BY.
matrix_in () {
  dir=$work/${1//:/-}
  console=$dir/console
}

# matrix_boot NAME : both boots
matrix_boot () {
  local dir console i
  matrix_in "$1"
  rm -rf "$dir"
  mkdir -p "$dir"
  for i in a b c ; do truncate -s 480M "$dir/$i.img" ; done
  matrix_run '' "$1" "$console"
  matrix_run 1 "$1" "$dir/looked"
}

# matrix_run LOOKING NAME LOG
matrix_run () {
  local fs stack by
  IFS=: read -r fs stack by <<<"$2"
  VM_MEMORY=768M VM_TIME=300 VM_APPEND="quiet printk.devkmsg=on fs=$fs stack=$stack by=$by looking=$1 ${by:+tp_printk}" \
    VM_QEMU="-drive if=virtio,format=raw,readonly=on,file=$work/tools.img ${matrix_qemu-}" \
    vm_run "$3" "$work/initramfs" "$dir"/{a,b,c}.img || echo "     - the machine had to be ended" >>"$3"
}

# matrix_took : milliseconds from the request to the reset
matrix_took () {
  since_request 2>/dev/null | grep -x '[0-9][0-9]*'
}

# matrix_left : what was still in use at the end of the chain, as one line; or that it did not get there
matrix_left () {
  if console_has "$console" '=== torn down' >/dev/null ; then
    sed -n 's/.*=== left: //p' "$console" | paste -s -d ';'
  else
    echo "not torn down"
  fi
}

# matrix_dirty : what is wrong in one of the boots, as one line: checks that say no, the kernel on recoveries; or that
# it did not get to its end
matrix_dirty () {
  {
    sed -n 's/.*=== \(.*\) FAILED.*/not: \1/p' "$console" "$dir/looked"
    grep -q '=== the data is there ok' "$dir/looked" || echo "not looked at"
    sed -n 's/.*=== replayed: \(\[[^]]*\] \)*//p' "$dir/looked"
  } | paste -s -d ';'
}

# matrix_judge NAME
matrix_judge () {
  local dir console
  matrix_in "$1"
  ok "$1: the machine reset itself" matrix_took
  ok "$1: nothing is left" test -z "$(matrix_left | tee "$dir/left")"
  ok "$1: nothing is dirty" test -z "$(matrix_dirty | tee "$dir/dirty")"
  ok "$1: no panic, no kernel bug" console_no_panic "$console"
}
