#!/bin/bash
# Processes that are hard to find or to end: fork bombs, successors, supervisors, helpers of the kernel, pids used again.
# Each has a pipe open: its end says for certain that nobody is left, which a look at /proc doesn't.
. "$(dirname "$0")/lib.sh"

vm_test dm_mod
vm_test_stage4
execline=$(dirname "$(readlink -f "$(command -v execlineb)")")
for program in "$execline/foreground" /usr/lib/execline/bin/foreground ; do test ! -x "$program" || break ; done
cp "$program" "$work/stage/bin/foreground"
copy_libraries "$work/stage" "$program"
image_ext4 "$work/disk.img" 16M
truncate -s 32M "$work/swap.img"

guest "$work/disk.img" "$work/swap.img" <<'END'
ln -s unruly /bin/@unruly
mkdir /mnt/disk
mount -t ext4 /dev/vda /mnt/disk
mount -t cgroup2 cgroup2 /sys/fs/cgroup
echo +pids +memory >/sys/fs/cgroup/cgroup.subtree_control
mkdir /sys/fs/cgroup/bomb /sys/fs/cgroup/swapped
echo 80 >/sys/fs/cgroup/bomb/pids.max

# begun COMMAND... : it says so, and has the pipe open with all its descendants
begun () {
  rm -f /fifo
  mkfifo /fifo
  exec 4<>/fifo 3</fifo   # neither waits for another side: a SIGCHLD would end that, and with it pid 1
  "$@" >&4 3<&- 4>&- &
  exec 4>&-
  read -r ready <&3
}
extinct () { timeout -s KILL 5 cat <&3 >/dev/null ; }
within () { test $(($(ms) - start)) -lt "$1" ; }
# nuke WHAT OPTION... : WHAT is over; the one who is spared has heard nothing
nuke () {
  title=$1
  shift
  start=$(ms)
  stage4-nuke -f "$@"
  code=$?
  check "$title: done ($code)" within 12000
  check "$title: nobody is left" extinct
  check "$title: exit code" test $code = 0
}
untouched () {
  check "$title: who is spared lives" kill -0 $spared
  check "$title: and has got no signal" test ! -s /log
  check "$title: not even one that is blocked" grep -q '^SigPnd:.0000000000000000$' /proc/$spared/status
}
@unruly log /log >/dev/null &
spared=$!

begun unruly supervisor
nuke supervisor -t 1s
untouched

begun sh -c 'echo $$ >/sys/fs/cgroup/bomb/cgroup.procs ; exec setsid unruly bomb'
crowded () { test "$(cat /sys/fs/cgroup/bomb/pids.current)" -ge 60 ; }
await crowded
nuke bomb -t 1s
untouched

begun setsid unruly phoenix
nuke phoenix -t 1s
untouched

# a helper that the kernel has started: a child of kthreadd, as its threads are
echo '|/bin/unruly hold /mnt/disk/core %p' >/proc/sys/kernel/core_pattern
sh -c 'kill -SEGV $$' &   # its end waits until the helper has read all of it
await test -e /mnt/disk/core
for helper in $(pidof unruly) ; do cat /proc/$helper/status ; done >/helpers
check "helper: it is a child of kthreadd" grep -q '^PPid:.2$' /helpers
stage4-nuke -f
check "helper: nobody keeps the disk busy" umount /mnt/disk
mount -t ext4 /dev/vda /mnt/disk

# the command line of one lies in the swap, on a disk that is dead
dm create dead /dev/vdb
swap_on /dev/mapper/dead
begun sh -c 'echo $$ >/sys/fs/cgroup/swapped/cgroup.procs ; exec unruly swapped'
victim=$!
# a page that has just been written may still be there: then once more; who reads it can't be killed
is_stuck () { in_state D $reader && grep -q swap /proc/$reader/stack ; }
has_ended () { test ! -e /proc/$reader || in_state Z $reader ; }
stuck_or_ended () { is_stuck || has_ended ; }
for i in 1 2 3 4 5 6 7 8 9 10 ; do
  await grep '^VmSwap:.*[1-9]' /proc/$victim/status
  echo 1M >/sys/fs/cgroup/swapped/memory.reclaim 2>/dev/null
  dm suspend dead
  cat /proc/$victim/cmdline >/dev/null &
  reader=$!
  await stuck_or_ended
  if is_stuck ; then break ; fi
  dm resume dead
done
check "swapped: its command line can't be read" is_stuck
nuke swapped -t 1s -o $reader
untouched
dm resume dead

# all pids are used again soon
max=$(cat /proc/sys/kernel/pid_max)
read -r load load load load last </proc/loadavg
@unruly churn /churned >/dev/null &
churner=$!
echo 1000 >/proc/sys/kernel/pid_max
hundred () { test "$(pidof sleep | wc -w)" = 100 ; }
for files in 1024 64 ; do
  i=0
  while test $i -lt 100 ; do sleep 1000 & i=$((i + 1)) ; done
  await hundred
  (
    ulimit -n $files
    exec stage4-nuke -f -t 1s
  )
  check "pids, $files files: nobody is left" test -z "$(pidof sleep)"
  check "pids, $files files: nobody else got a signal" test ! -s /churned
done
check "pids: they were used again" test "$(sed 's/.* //' /proc/loadavg)" -lt 1001
kill -9 $churner
wait $churner
echo $max >/proc/sys/kernel/pid_max

# nobody is spared but pid 1: not even one who is in a new session each time can escape
kill -9 $spared
wait $spared
begun unruly phoenix -s
nuke "phoenix in sessions" -t 1s
END

guest_says "supervisor: nobody is left" "bomb: nobody is left" "phoenix: nobody is left" "swapped: nobody is left"
for what in supervisor bomb phoenix swapped ; do
  guest_says "$what: exit code" "$what: who is spared lives" "$what: and has got no signal" \
    "$what: not even one that is blocked"
  ok "$what: in time" console_has "$console" "^=== $what: done \\(.*\\) ok"
done
guest_says "helper: it is a child of kthreadd" "helper: nobody keeps the disk busy" "swapped: its command line can't be read"
for files in 1024 64 ; do
  guest_says "pids, $files files: nobody is left" "pids, $files files: nobody else got a signal"
done
guest_says "pids: they were used again" "phoenix in sessions: nobody is left" "phoenix in sessions: exit code"
ok "no panic, no kernel bug" console_no_panic "$console"

# Pid 1 starts them again and again; the chain is another process, and nuke a child of that. On one CPU pid 1, which has a
# real-time policy, is always back before nuke looks again: on two it may be late when the host has one of them.
image_ext4 "$work/disk.img" 16M
VM_CPUS=1 guest "$work/disk.img" <<'END'
mkdir /mnt/disk
mount -t ext4 /dev/vda /mnt/disk
cat >/chain <<'X'
load sleeper >/ready 3>/mnt/disk/file &
read -r said <>/ready
echo "=== request"
exec stage4-begin -A reboot -t 30s foreground ' stage4-nuke' '' stage4-hook ' env' '' stage4-umountall -t 2s \
  stage4-hook ' mark' ' free' '' stage4-freeze stage4-hpr -t 2s
X
exec unruly init sh /chain
END
ok "init: it is seen" console_has "$console" 'pid 1 starts them again and again, going on: [0-9]* (getty|unruly)'
ok "init: no more than three rounds of grace" test "$(since_request)" -lt 20000
ok "init: the disk was unmounted" test "$(image_marker "$work/disk.img")" = free
reset_and_clean init
done_testing
