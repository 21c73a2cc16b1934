#!/bin/bash
# System calls that fail, in a whole chain: whatever fails, it gets to its end, and the disk is clean.
. "$(dirname "$0")/lib.sh"

vm_test loop
vm_test_stage4
ln -s fault "$work/stage/bin/@fault"
ln -s load "$work/stage/bin/@load"

# boot TITLE CALLS ERROR WHEN : the chain, with these calls failing; see tests/vm/guest/fault.c. More of the guest on stdin
boot () {
  image_ext4 "$work/disk.img" 32M
  { cat <<END
mount -t tmpfs -o mode=755 run /run
mount_disk /dev/vda /mnt/disk
swap_file /mnt/disk/swap 4
sleep 1000 >/mnt/disk/file &
stage4-ramfs /run/stage4 /bin/busybox /bin/sh /bin/mark || echo "=== no ramfs"
END
    cat
    cat <<END
echo "=== request"
exec @fault $2 $3 $4 stage4-begin -A reboot -t 40s -R /run/stage4 stage4-nuke -t 2s -k 2s stage4-pivot \\
  stage4-settle ' stage4-umountall' ' -T' ' tmpfs' ' stage4-swapoff' ' stage4-umountall' '' \\
  stage4-hook ' mark' ' $1' '' stage4-freeze -t 3s stage4-hpr -t 3s
END
  } | VM_APPEND=quiet guest "$work/disk.img"
  test "$1" = memory || ok "$1: they fail" console_has "$console" "fault: first of $2 failed"
  ok "$1: the last step was reached" console_has "$console" "stage4-hpr: info: reboot after"
  ok "$1: within its budget" within_budget
  clean "$1"
}

within_budget () {
  local end
  end=$(console_time "$console" 'reboot: Restarting|sysrq: Resetting') &&
    test $((end - $(console_time "$console" '^=== request'))) -lt 40000
}

boot unmount umount2 EPERM 1+ </dev/null
ok "unmount: it is said" console_has "$console" 'unable to unmount /oldroot/mnt/disk: Operation not permitted'
ok "unmount: the disk is read-only" console_has "$console" 'left: /oldroot/mnt/disk \(ext4 on /dev/vda, read-only\)'
ok "unmount: nothing is lost" console_has "$console" 'left: 0 writable file systems,'

boot remount umount2,mount,fspick,fsopen,fsconfig EPERM 1+ </dev/null
ok "remount: it is said" console_has "$console" 'failed making read-only /mnt/disk .*: Operation not permitted'
ok "remount: the disk is frozen" console_has "$console" 'froze 1 of 1'

boot fork fork EAGAIN 1+ </dev/null
ok "fork: it is said" console_has "$console" 'unable to start a worker for freezing: Resource temporarily unavailable'
ok "fork: the kernel makes the disk read-only" console_has "$console" 'left: 0 writable file systems,'

boot once fork EAGAIN 1 </dev/null
ok "once: the next try did it" test "$(image_marker "$work/disk.img")" = once

boot table openat@mountinfo EMFILE 1+ </dev/null
ok "table: it is said" console_has "$console" 'stage4-umountall: warning: unable to go on unmounting: Too many open files'
ok "table: the kernel makes the disk read-only" console_has "$console" 'stage4-freeze: warning: leaving it to the kernel'

boot old pidfd_open,pidfd_send_signal,close_range,fspick,fsopen,fsconfig,open_tree ENOSYS 1+ </dev/null
ok "old: nothing is missed of what old kernels don't have" test "$(image_marker "$work/disk.img")" = old

boot reboot reboot EPERM 1+ </dev/null
ok "reboot: it is said" console_has "$console" 'unable to reboot: Operation not permitted'
ok "reboot: sysrq does it" console_has "$console" 'sysrq: Resetting'

export VM_MEMORY=160M
boot memory umount2 EPERM 1000000 <<'END'
begin @load full 8
check "there is no memory" test "$said" = ready
END
guest_says "there is no memory"
ok "memory: nothing is lost" console_has "$console" 'left: 0 writable file systems,'
done_testing
