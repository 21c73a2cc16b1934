#!/bin/bash
# A watchdog card that resets the machine; QEMU ends with that, as with a reboot, but the kernel says nothing.
export VM_KERNEL_PACKAGE=linux-image-amd64   # the other one has no driver for a card
. "$(dirname "$0")/lib.sh"

vm_test i6300esb dm_mod ext4
vm_test_stage4

new_disks 16M a
export VM_QEMU='-device i6300esb -action watchdog=reset'

# bitten : it was the card that ended the machine
bitten () {
  not console_has "$console" 'reboot: Restarting system' && not console_has "$console" 'had to be ended|terminating on signal'
}

# Each wait of each program feeds it, for three times its timeout.
guest "$work/a.img" <<'END'
echo "=== request"
exec stage4-begin -A reboot -t 60s stage4-nuke stage4-watchdog -t 4s stage4-hook ' sleep' ' 12' '' \
  stage4-settle ' stage4-hook' '  sleep' '  6' ' ' '' stage4-hook ' env' '' stage4-hpr
END
ok "fed: it is armed" console_has "$console" 'armed /dev/watchdog0 \(i6300ESB timer\), 4 s'
ok "fed: hooks don't have it" not console_has "$console" 'STAGE4_WATCHDOG'
ok "fed: the machine reset itself" console_has "$console" 'reboot: Restarting system'

# Who walks the chain is stopped, and so is its guard; pid 1 could not be.
guest "$work/a.img" <<'END'
echo "=== request"
stage4-begin -A reboot -t 60s stage4-nuke -k 100 stage4-watchdog -t 4s stage4-hook ' sh' ' -c' ' kill -STOP $(cut -d " " -f 4 /proc/$PPID/stat) $PPID ; echo === stopped' '' stage4-hpr &
while : ; do sleep 1 ; done
END
ok "stopped: it bites" bitten
ok "stopped: it was stopped" console_has "$console" '^=== stopped'

# A daemon that was just killed had it. A child hangs for three times its timeout, and is abandoned. A halted machine
# stays halted.
VM_UNTIL='reboot: System halted' VM_STAYS=8 guest "$work/a.img" <<'END'
dm create dead /dev/vda
mount_disk /dev/mapper/dead /mnt/dead
echo data >/mnt/dead/file
dm suspend dead
watchdog -F -T 4 -t 1 /dev/watchdog0 &
await grep -qx active /sys/class/watchdog/watchdog0/state
echo "=== request"
exec stage4-begin -A halt -t 60s stage4-nuke stage4-watchdog -t 4s stage4-umountall -t 12s stage4-hpr -t 2s
END
ok "halt: a child hangs" console_has "$console" 'gave up unmounting /mnt/dead .* after 12\.'
ok "halt: it was taken over" console_has "$console" 'armed /dev/watchdog0'
ok "halt: the machine is halted" console_has "$console" 'reboot: System halted'
ok "halt: and stays so" console_has "$console" 'terminating on signal'

# No way out, and it runs already. If it doesn't, it is left alone.
guest "$work/a.img" <<'END'
rmmod i6300esb
insmod /modules/i6300esb.ko nowayout=1
STAGE4_PID=1 STAGE4_ACTION=halt stage4-watchdog env | grep '^?'
check "it does not run" grep -qx inactive /sys/class/watchdog/watchdog0/state
watchdog -F -T 4 -t 1 /dev/watchdog0 &
await grep -qx active /sys/class/watchdog/watchdog0/state
echo "=== request"
exec stage4-begin -A halt -t 60s stage4-nuke stage4-watchdog -t 4s stage4-hpr
END
ok "nowayout: it is said" console_has "$console" "the watchdog can't be disarmed \\(nowayout\\): it will reset the machine after halt"
ok "nowayout: the machine was halted" console_has "$console" 'reboot: System halted'
ok "nowayout: and reset" bitten
ok "nowayout: what does not run is not armed for that" console_has "$console" "not armed: /dev/watchdog0 can't be disarmed"
ok "nowayout: that is ?=111" console_has "$console" '^\?=111'
guest_says "it does not run"
done_testing
