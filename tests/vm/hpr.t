#!/bin/bash
# The last call, when the kernel does not do as it is told: down the ladder, from rung to rung.
. "$(dirname "$0")/lib.sh"

vm_test softdog dm_mod loop
vm_test_stage4

# The clock runs when nobody else does: a minute passes at once.
idle () {
  VM_CPUS=1 VM_ACCEL=tcg,thread=single VM_QEMU='-icount shift=0,sleep=off' guest "$@"
}

# So that reboot(2) hangs: somebody has begun to suspend the machine, which syncs first, and a disk is dead; he has the
# mutex that all of reboot(2) needs. What is left there: /, /dev, /proc, /sys and the dead disk; a swap; the device mapper's and the loop's device.
dead='mount_disk /dev/vda /mnt/disk
dm create dead /dev/vdb
mount_disk /dev/mapper/dead /mnt/dead
truncate -s 4M /swap
losetup /dev/loop0 /swap
mkswap /dev/loop0 >/dev/null
swapon /dev/loop0
dd if=/dev/zero of=/mnt/dead/file bs=1M count=2 2>/dev/null
echo data >/mnt/disk/file
dm suspend dead
sh -c "echo freeze >/sys/power/state" &
await in_state D $!'
left='left: 1 writable file systems, 5 mounts, 1 swaps, 2 block devices$'

# Who looks at the watchdog is a child of the chain, that nobody kills.
new_disks 16M disk dead
{ echo "$dead" ; cat <<'END' ; } | idle "$work"/{disk,dead}.img
umount /mnt/disk
while : ; do
  read -r now </sys/class/watchdog/watchdog0/state
  test "$now" = "$last" || echo "=== watchdog: $now" >/dev/console
  last=$now
  usleep 500000
done &
await in_state S $!
exec stage4-begin -A kexec -a bootloader stage4-watchdog -t 30s stage4-hpr -t 3s
END
ok "kexec hangs: begin does not hang with it" console_has "$console" 'unable to make Ctrl-Alt-Del a hard reboot: .*timed out'
ok "kexec hangs: what is left" console_has "$console" "stage4-hpr: info: kexec after [0-9.]+ m?s; $left"
ok "kexec hangs: the dead disk is waited for" console_has "$console" 'stage4-hpr: info: still syncing, [12]\.[0-9] s; [1-9][0-9]* KiB to go, 0 KiB/s'
ok "kexec hangs: for three seconds" console_has "$console" 'stage4-hpr: warning: sync is not finished, going on'
ok "kexec hangs: that is said" console_has "$console" 'stage4-hpr: info: waiting for the kernel to kexec, 10\.[0-9] s, in .*reboot'
ok "kexec hangs: and how long it had" console_has "$console" 'stage4-hpr: fatal: kexec: no answer from the kernel for 60\.0 s, in .*reboot'
ok "kexec hangs: no other call, it would hang with it" not console_has "$console" 'kernel to reboot|unable to reboot'
ok "kexec hangs: sysrq" console_has "$console" 'stage4-hpr: fatal: trying sysrq s, u, b'
ok "kexec hangs: does it" console_has "$console" 'sysrq: Resetting'
ok "kexec hangs: the watchdog was armed, not for the kexec, but for the reset" \
  test "$(sed -n 's/.*=== watchdog: //p' "$console" | tr '\n' ' ')" = "inactive active inactive active "
disks_clean "kexec hangs" disk

# The same with power-off; no sync is asked for.
new_disks 16M disk dead
{ echo "$dead" ; echo 'umount /mnt/disk ; exec stage4-begin -A poweroff stage4-hpr -t 0' ; } | idle "$work"/{disk,dead}.img
ok "poweroff hangs: nobody waits for the dead disk" not console_has "$console" 'syncing|sync is'
ok "poweroff hangs: that is said" console_has "$console" 'stage4-hpr: fatal: poweroff: no answer from the kernel for 60\.0 s'
ok "poweroff hangs: sysrq" console_has "$console" 'stage4-hpr: fatal: trying sysrq s, u, o'
ok "poweroff hangs: does it" console_has "$console" 'reboot: Power down'
disks_clean "poweroff hangs" disk

# Nothing works but the watchdog: the first call is killed, the second one fails, and there is no /proc for sysrq.
new_disks 16M disk
idle "$work/disk.img" <<'END'
mount_disk /dev/vda /mnt/disk
umount /proc
exec deny kill arg deny errno reboot,fsopen stage4-begin -A reboot -a bootloader -t 20s stage4-umountall stage4-hpr
END
ok "nothing works: what is left can't be seen" console_has "$console" "stage4-hpr: info: reboot after .*; what is left can't be seen, /proc is not there"
ok "nothing works: a worker that is killed is tried again" \
  test "$(grep -c 'stage4-hpr: warning: the worker that was to reboot with bootloader was killed by signal 31' "$console")" = 3
ok "nothing works: not for ever" console_has "$console" 'stage4-hpr: fatal: unable to reboot with bootloader: its workers are killed'
ok "nothing works: next, without the argument" console_has "$console" 'stage4-hpr: fatal: unable to reboot: Operation not permitted'
ok "nothing works: next, sysrq" console_has "$console" 'stage4-hpr: warning: unable to use sysrq b: No such device'
ok "nothing works: the watchdog, which nobody had armed" console_has "$console" 'stage4-hpr: fatal: leaving it to the watchdog'
ok "nothing works: does it" console_has "$console" 'softdog: Initiating system reboot'

# No kernel is loaded. Nobody has to be waited for.
new_disks 16M disk
guest "$work/disk.img" <<'END'
mount_disk /dev/vda /mnt/disk
exec deny errno arg stage4-begin -A kexec -a bootloader stage4-umountall stage4-hpr
END
ok "no kernel: it is said" console_has "$console" 'stage4-hpr: fatal: unable to kexec: no kernel is loaded'
ok "no kernel: a reboot with the argument is next" console_has "$console" 'stage4-hpr: fatal: unable to reboot with bootloader: Operation not permitted'
reset_and_clean "no kernel"

# A power-off becomes a halt, where there is no sysrq.
VM_UNTIL='reboot: System halted' guest <<'END'
umount /proc
exec deny errno poweroff,fsopen stage4-begin -A poweroff stage4-hpr -t 1s
END
ok "no power-off: it is said" console_has "$console" 'stage4-hpr: fatal: unable to poweroff: Operation not permitted'
ok "no power-off: sysrq is next" console_has "$console" 'stage4-hpr: fatal: trying sysrq s, u, o'
ok "no power-off: the machine is halted" console_has "$console" 'reboot: System halted'

# Not even a halt: what is mounted is made read-only at least.
new_disks 16M disk
VM_UNTIL='nothing else is left to try' guest "$work/disk.img" <<'END'
mount_disk /dev/vda /mnt/disk
exec deny errno halt stage4-begin -A halt stage4-hpr
END
ok "no halt: it is said" console_has "$console" 'stage4-hpr: fatal: unable to halt: Operation not permitted'
ok "no halt: sysrq is next" console_has "$console" 'stage4-hpr: fatal: trying sysrq s, u$'
ok "no halt: it waits for ever" console_has "$console" 'stage4-hpr: fatal: nothing else is left to try, waiting for ever'
clean "no halt"
done_testing
