#!/bin/bash
# What the next boot finds in pstore after a chain with -K: of a kexec, then of a reset. One machine boots three kernels.
. "$(dirname "$0")/lib.sh"

vm_test ramoops softdog
vm_test_stage4
sed -i /ramoops/d "$work/stage/load-modules"   # each boot has other parameters for it
cp "$kernel" "$work/kernel.img"
new_disks 32M disk

# shellcheck disable=SC2016
VM_REBOOTS=1 VM_APPEND='quiet memmap=1M$0x10000000' guest "$work/disk.img" "$work/kernel.img" "$work/initramfs" <<'END'
# keep MAX_REASON : pstore has a place, where the last kernel has left something
keep () {
  insmod /modules/ramoops.ko mem_address=0x10000000 mem_size=0x100000 record_size=0x20000 max_reason=$1
  mount -t pstore pstore /sys/fs/pstore
  cat /sys/fs/pstore/* 2>/dev/null | sed -n "s/^.*\(stage4-[a-z]*: .*\)/=== $n found: \1/p"
  rm -f /sys/fs/pstore/*
}
# walk ACTION
walk () {
  echo $((n + 1)) >/mnt/disk/boots
  echo 8 >/proc/sys/kernel/printk
  exec stage4-begin -v 2 -K -A $1 -a bootloader -t 60s stage4-nuke stage4-watchdog -t 30s stage4-umountall stage4-freeze stage4-hpr
}
mount_disk /dev/vda /mnt/disk
read -r n 2>/dev/null </mnt/disk/boots || n=0
case $n in
  0)
    keep 4
    cat /dev/vdb >/kernel
    cat /dev/vdc >/initramfs
    check "a kernel is loaded" kexecload /kernel /initramfs "$(cat /proc/cmdline) second"
    walk kexec
    ;;
  1)
    check "kexec: it is the second kernel" grep -q second /proc/cmdline
    keep 0
    check "reset: pstore has no limit of its own" grep -qx N /sys/module/printk/parameters/always_kmsg_dump
    walk reboot
    ;;
  2)
    check "reset: it is the first kernel" not grep -q second /proc/cmdline
    keep 2
    walk poweroff
    ;;
esac
END
guest_says "a kernel is loaded" "kexec: it is the second kernel" "reset: pstore has no limit of its own" \
  "reset: it is the first kernel"
left='left: 0 writable file systems, 4 mounts, 0 swaps, 0 block devices'
ok "kexec: the kernel said so" console_has "$console" 'kexec_core: Starting new kernel'
ok "kexec: it is in pstore how the chain began" console_has "$console" '^=== 1 found: stage4-begin: info: kexec by pid 1'
ok "kexec: and how it ended" console_has "$console" "^=== 1 found: stage4-hpr: info: kexec after .*; $left"
ok "reset: with the argument" console_has "$console" "reboot: Restarting system with command 'bootloader'"
ok "reset: it is in pstore how the chain began" console_has "$console" '^=== 2 found: stage4-begin: info: reboot by pid 1'
ok "reset: and how it ended" console_has "$console" "^=== 2 found: stage4-hpr: info: reboot after .*; $left"
ok "it is said that the log is kept" test "$(grep -c 'stage4-begin: info: the kernel log of a reboot is kept in pstore' "$console")" = 2
ok "poweroff: it is said that it is not" console_has "$console" \
  'stage4-begin: warning: the kernel log of a reboot is not kept in pstore: ramoops.max_reason is 2, less than 4'
ok "poweroff: the machine powered itself off" console_has "$console" 'reboot: Power down'
clean poweroff
done_testing
