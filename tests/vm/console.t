#!/bin/bash
# Consoles that are not there, or take nothing any more: the chain ends in time, and the kernel log has its last line.
. "$(dirname "$0")/lib.sh"

vm_test loop
vm_test_stage4

# boot TITLE <script : with a disk on /mnt; what the kernel log gets can be seen on the first serial line
boot () {
  title=$1
  image_ext4 "$work/disk.img" 16M
  {
    cat <<'END'
mount_disk /dev/vda /mnt
echo data >/mnt/file
ln -s terminal /bin/@terminal
mkdir /d
for i in 1 2 3 4 5 6 7 8 9 10 11 12 ; do : >/d/$i ; done   # a line about each of them
echo 8 >/proc/sys/kernel/printk
chain='stage4-nuke -t 2s stage4-hookdir -d /d stage4-umountall -t 2s stage4-freeze -t 2s stage4-hpr -t 2s'
END
    cat
  } | guest "$work/disk.img"
}

# ended MILLISECONDS [PATTERN] : in that time, with the last line there, behind PATTERN
ended () {
  reset_and_clean "$title"
  ok "$title: the last line ($(since_request) ms)" \
    console_has "$console" "${2-}stage4-hpr: info: reboot after .* left: 0 writable file systems"
  ok "$title: in time" test "$(since_request)" -lt "$1"
  cp "$console" "$console.${title//[ \/]/-}"
}
in_log='^\[ *[0-9.]*\] '

# Nothing is there to write to, or to read from, not even as 0, 1 and 2.
boot "no /dev" <<'END'
echo "=== request"
exec <&- >&- 2>&-
umount -l /dev
rm -rf /dev
exec stage4-begin -A reboot -t 20s $chain
END
ok "no /dev: the console is found all the same" console_has "$console" '^stage4-begin: info: reboot by pid 1, within 20.0 s'
ended 20000

boot "no console" <<'END'
echo "=== request"
rm /dev/console
mkdir /dev/console
exec stage4-begin -A reboot -t 20s $chain 2>&-
END
ok "no console: it is said" console_has "$console" "${in_log}stage4-begin: warning: unable to open /dev/console"
ended 20000 "$in_log"

# A serial line that the other end has stopped. Closing it waits for half a minute until that takes what was written.
boot "a serial line" <<'END'
# timed WHAT COMMAND... : less than that half minute
timed () {
  what=$1 before=$(ms)
  shift
  "$@"
  echo "$(($(ms) - before)) ms"
  check "$what" test $(($(ms) - before)) -lt 15000
}
timed "an open file is closed in time" terminal serial /dev/ttyS1 sh -c 'exec stage4-begin -A return -o true 5>&2 2>&-'
dmesg -c >/dev/null
timed "stderr is given up in time" terminal serial /dev/ttyS1 stage4-begin -A return -o stage4-hookdir -d /d true
check "the kernel log has its last line" sh -c "dmesg | grep -q 'stage4-hookdir: warning: not executable, not run: /d/9'"
echo "=== request"
exec terminal serial /dev/ttyS1 stage4-begin -A reboot -t 20s $chain
END
guest_says "an open file is closed in time" "stderr is given up in time" "the kernel log has its last line"
ended 20000

# It can be written to, says poll(2), but that is not so: a terminal gets it that nobody reads.
boot "the console" <<'END'
mkdir /dev/pts
mount -t devpts devpts /dev/pts
echo "=== request"
exec @terminal console stage4-begin -A reboot -t 20s $chain
END
ended 20000 "$in_log"

# Its session's leader is killed: everybody who has it open gets an error.
boot "hung up" <<'END'
begin terminal lead /dev/ttyS1
echo "=== request"
exec stage4-begin -o -A reboot -t 20s $chain >/dev/ttyS1 2>&1
END
ended 20000 "$in_log"

boot "full" <<'END'
mkdir /dev/pts
mount -t devpts devpts /dev/pts
for kind in pty stopped broken ; do
  dmesg -c >/dev/null
  before=$(ms)
  @terminal $kind stage4-begin -o -A return stage4-hookdir -d /d true
  after=$(ms)
  echo "$kind: $((after - before)) ms"
  check "$kind: in time" test $((after - before)) -lt 15000
  check "$kind: what it can't take is in the kernel log" sh -c "dmesg | grep -q 'stage4-hookdir: warning: not executable, not run: /d/9'"
done
echo "=== request"
exec @terminal pipe stage4-begin -o -A reboot -t 20s $chain
END
guest_says {pty,stopped,broken}": in time" {pty,stopped,broken}": what it can't take is in the kernel log"
ended 20000 "$in_log"
done_testing
