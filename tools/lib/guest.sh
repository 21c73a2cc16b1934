# shellcheck shell=bash
# The guest of the demo: a small Debian with s6-svscan as pid 1, under load. After vm.sh, with $work set.
: "${top:?}" "${work:?}"

guest_build () {
  vm_need && mkdir -p "$work" && "$top/tools/build" multicall && vm_guest_tools "$work/tools"
}

guest_make () {
  vm_kernel && vm_debian s6 execline mount && make_initramfs && make_disk
}

# What the guest's disk is before it boots: Debian, our few files (demo.d/root), stage4. With guest_extra TREE,
# if that is defined, somebody else's files as well.
make_disk () {
  local tree=$work/tree i
  rm -rf "$tree"
  cp -a "${debian:?}" "$tree"
  cp -R "$top/tools/demo.d/root/." "$tree"
  mkdir -p "$tree"/usr/lib/demo "$tree"/etc/stage4/teardown.d "$tree"/var/lib/demo "$tree"/srv/chroot/{bin,dev,proc,sys}
  cp "$work"/tools/* "$tree/usr/lib/demo/"
  cp "$work/tools/load" "$tree/srv/chroot/bin/"
  cp "$work/tools/mark" "$tree/etc/stage4/teardown.d/50-mark"
  for i in 1 2 3 4 ; do image_ext4 "$tree/var/lib/demo/loop.$i" 16M || return ; done
  make -C "$top/build/multicall" install DESTDIR="$tree" >"$work/install.log" 2>&1 ||
    { cat "$work/install.log" >&2 ; return 1 ; }
  if declare -F guest_extra >/dev/null ; then guest_extra "$tree" || return ; fi
  image_ext4 "$work/pristine.img" 512M "$tree"
}

# The initramfs only loads the disk's driver and goes on to the disk.
make_initramfs () {
  vm_stage "$work/stage" virtio_pci virtio_blk loop
  cp "$top/tools/demo.d/initramfs-init" "$work/stage/init"
  vm_pack "$work/stage" "$work/initramfs"
}

# boot CHAIN LOAD
boot () {
  rm -f "$work/root.img"
  cp --sparse=always "$work/pristine.img" "$work/root.img"
  VM_APPEND="quiet demo_chain=$1 demo_load=$2" vm_run "$work/console" "$work/initramfs" "$work/root.img"
}
