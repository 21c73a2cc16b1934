#!/bin/bash
# Debian's systemd ends its machine by way of /run/initramfs/shutdown, as in examples/exitrd: from a root on LUKS on LVM
# on RAID, which it can't leave by itself.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/matrix.sh"
. "$(dirname "$0")/systemd.sh"

# services TREE : that have files open on the root, and one that asks for the end
services () {
  local tree=$1
  unit writer.service <<'END'
[Service]
ExecStart=/usr/lib/test/load writer /var/written
END
  unit sleeper.service <<'END'
[Service]
ExecStart=/usr/lib/test/load sleeper
WorkingDirectory=/var
StandardOutput=append:/var/open
END
  unit test.target <<'END'
[Unit]
Wants=writer.service sleeper.service request.service
After=writer.service sleeper.service
END
  request '' <<'END'
. /usr/lib/test/functions
dd if=/dev/zero of=/var/dirty bs=64k count=64
check "/run can't be executed from" grep -q '^[^ ]* /run tmpfs [^ ]*noexec' /proc/mounts
if test -e /run/initramfs/shutdown ; then echo "=== there is an exitrd" ; else echo "=== there is no exitrd" ; fi
printf '#!/usr/bin/busybox sh\necho "=== the late hook, $STAGE4_OLDROOT"\n' >/etc/stage4/teardown.d/late
chmod 755 /etc/stage4/teardown.d/late
echo "=== request"
exec systemctl $(tr , ' ' </run/verb)
END
}

# hooks TREE : what is in use when systemd-shutdown has done what it can, and when the chain has
hooks () {
  hook "$1/etc/stage4/teardown.d/teardown" <"$top/tests/vm/guest/stack.sh"
  hook "$1/usr/lib/systemd/system-shutdown/before" <<'END'
busybox sh /etc/stage4/teardown.d/teardown 2>&1 | busybox sed 's/^=== /=== before: /' >/dev/console
END
}

# the_example TREE : as its README says
the_example () {
  local from=$top/examples/exitrd
  mkdir -p "$1/etc/stage4" "$1/etc/systemd/system/sysinit.target.wants"
  install -m 755 "$from/shutdown" "$from/make-exitrd" "$1/etc/stage4/" &&
    install -m 644 "$from/stage4-exitrd.service" "$1/etc/systemd/system/" &&
    ln -s ../stage4-exitrd.service "$1/etc/systemd/system/sysinit.target.wants/"
}

make_root () {
  systemd_tree tree
  cp "$work/tools/load" "$tree/usr/lib/test/"
  services "$tree"
  hooks "$tree"
  the_example "$tree" && systemd_stage4 && image_ext4 "$work/root.img" 120M "$tree"
}

vm_test dm_mod dm_crypt raid1 md_mod af_alg algif_skcipher algif_hash xts aesni_intel softdog
vm_test_stage4
vm_debian systemd systemd-sysv execline cryptsetup-bin lvm2 mdadm e2fsprogs >&2 || bail_out "no systemd"
image_ext4 "$work/tools.img" 600M "$debian"
make_root || bail_out "no root"
cp "$top/tests/vm/guest/stack.sh" "$work/stage/stack"
cp "$top/tests/vm/guest/exitrd.sh" "$work/stage/exitrd"
chmod 755 "$work/stage/exitrd"
vm_pack "$work/stage" "$work/initramfs"
for i in a b ; do rm -f "$work/$i.img" ; truncate -s 200M "$work/$i.img" ; done

# machine LOG LOOKING VERB [WORD...] : boots
machine () {
  console=$work/$1
  VM_MEMORY=768M VM_TIME=300 VM_APPEND="quiet printk.devkmsg=on rdinit=/exitrd fs=ext4 stack=luks-on-lvm-on-md \
    looking=$2 verb=$3 systemd.unit=test.target systemd.show_status=no ${*:4}" \
    VM_QEMU="-drive if=virtio,format=raw,readonly=on,file=$work/root.img \
    -drive if=virtio,format=raw,readonly=on,file=$work/tools.img" \
    vm_run "$console" "$work/initramfs" "$work"/{a,b}.img || echo "     - the machine had to be ended" >>"$console"
}

# says REGEX : on the console
says () {
  console_has "$console" "$1" || { tail -n 30 "$console" ; return 1 ; }
}

# says_not REGEX : and the machine has come to its end
says_not () {
  says 'reboot: (Restarting system|Power down)' && not says "$1"
}

# left_by_systemd : what was in use when it had done what it can
left_by_systemd () {
  sed -n 's/.*=== before: left: //p' "$console" | paste -s -d ';'
}

# the_chain TITLE ACTION KERNEL : what it did, and what the kernel says at last
the_chain () {
  ok "$1: /run can't be executed from" guest_said "/run can't be executed from"
  ok "$1: there is an exitrd before" says '=== there is an exitrd'
  ok "$1: systemd leaves LUKS, LVM and RAID" grep 'dm-0 vg-root;dm-1 crypt;md0 ' <(left_by_systemd)
  ok "$1: pid 1 is the chain" says "^stage4-begin: info: $2 by pid 1,"
  ok "$1: systemd's watchdog is taken over" says '^stage4-watchdog: info: armed /dev/watchdog'
  ok "$1: no file system, no block device" \
    says "^stage4-hpr: info: $2 .* left: 0 writable file systems, 5 mounts, 0 swaps, 0 block"
  ok "$1: the kernel does it" says "reboot: $3\$"
  ok "$1: no panic, no kernel bug" console_no_panic "$console"
}

# looked TITLE : at what the boot before has left
looked () {
  local what
  for what in "the array is clean on /dev/vda" "the array is clean on /dev/vdb" "the stack opens" "no resync" \
    "LVM's metadata is consistent" "the file system is clean" "the data is there" ; do
    ok "$1: $what" guest_said "$what"
  done
  ok "$1: no journal is replayed" says_not '=== replayed:'
}

# The exitrd is made again at the shutdown.
machine first '' reboot,--reboot-argument=recovery
the_chain reboot reboot "Restarting system with command 'recovery'"
ok "reboot: nothing is left" test -z "$(matrix_left)"
ok "reboot: the exitrd has what came after the boot" says '^=== the late hook'
ok "reboot: hooks are told where the old root was" says '^=== the late hook, /oldroot$'

# Forced: no unit is stopped, and the exitrd is the one of the boot.
machine second 1 poweroff,-f
looked "after the reboot"
the_chain power-off poweroff 'Power down'
ok "power-off: nothing is left" test -z "$(matrix_left)"

# The line is spoilt, and systemd alone.
machine third 1 reboot spoilt=1
looked "after the power-off"
ok "a line that is wrong: no exitrd" says '=== there is no exitrd'
ok "a line that is wrong: systemd resets the machine" says 'reboot: Restarting system$'
ok "a line that is wrong: LUKS, LVM and RAID are left" grep 'dm-0 vg-root;dm-1 crypt;md0 ' <(left_by_systemd)
ok "a line that is wrong: no chain" says_not '^stage4-begin: info'
done_testing
