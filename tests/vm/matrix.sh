# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # top, vm and work are tests/vm/lib.sh's; console is for who sources this
# The matrix: file systems on storage stacks, shut down under load with pid 1 in the ramfs, and looked at by a second
# boot. To be sourced after tests/vm/lib.sh by tests/vm/matrix.t and tools/matrix.

matrix_stacks='plain luks lvm-on-luks luks-on-lvm md luks-on-lvm-on-md loop-on-luks overlay md-on-integrity thin'
matrix_fs='ext4 xfs btrfs vfat'

# matrix_names : FS:STACK
matrix_names () {
  local fs stack
  for stack in $matrix_stacks ; do
    for fs in $matrix_fs ; do
      case $fs:$stack in vfat:overlay) continue ;; esac   # it can't be an upper layer
      echo "$fs:$stack"
    done
  done
}

# matrix_ready : the machine
matrix_ready () {
  vm_test dm_mod dm_crypt dm_integrity dm_thin_pool dm_bio_prison raid1 md_mod loop xfs btrfs vfat nls_ascii nls_cp437 \
    squashfs overlay af_alg algif_skcipher algif_hash xts
  vm_test_stage4
  vm_debian cryptsetup-bin lvm2 thin-provisioning-tools mdadm e2fsprogs xfsprogs btrfs-progs dosfstools squashfs-tools >&2 ||
    bail_out "no tools"
  mkdir -p "$debian/medium" "$debian/new"
  image_ext4 "$work/tools.img" 600M "$debian"
  cp "$top/tests/vm/guest/stack.sh" "$work/stage/init"
  chmod 755 "$work/stage/init"
  vm_pack "$work/stage" "$work/initramfs"
}

# matrix_in NAME : what this one leaves is in $dir
matrix_in () {
  dir=$work/${1/:/-}
  console=$dir/console
}

# matrix_boot NAME : both boots
matrix_boot () {
  local dir console i
  matrix_in "$1"
  rm -rf "$dir"
  mkdir -p "$dir"
  for i in b c d ; do truncate -s 480M "$dir/$i.img" ; done
  cp --sparse=always --reflink=auto "$work/tools.img" "$dir/tools.img"
  matrix_run '' "$1" "$console"
  matrix_run 1 "$1" "$dir/looked"
}

# matrix_run LOOKING NAME LOG
matrix_run () {
  VM_MEMORY=768M VM_TIME=300 VM_APPEND="quiet printk.devkmsg=on fs=${2%%:*} stack=${2#*:} looking=$1" \
    vm_run "$3" "$work/initramfs" "$dir"/{tools,b,c,d}.img || echo "     - the machine had to be ended" >>"$3"
}
