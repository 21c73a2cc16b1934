#!/bin/bash
# stage4-begin with real root: what only that can see. The chains return, so one machine has many of them.
. "$(dirname "$0")/lib.sh"

vm_test softdog
vm_test_stage4
new_disks 32M a

VM_APPEND=quiet guest "$work/a.img" <<'END'
# is WHAT GOT WANTED
is () {
  check "$1" test "$2" = "$3"
  test "$2" = "$3" || echo "got: $2"
}
# value NAME : what fitness has seen
value () {
  sed -n "s/^$1 //p" /look
}
# knob NAME [VALUE] : of the kernel
knob () {
  if test -n "$2" ; then echo "$2" >/proc/sys/kernel/"$1" ; else cat /proc/sys/kernel/"$1" ; fi
}
untouched () {
  knob core_pattern core
  knob ctrl-alt-del 0
  knob panic 0
  knob sysrq 0
}
knobs () {
  echo "$(knob core_pattern) $(knob ctrl-alt-del) $(knob panic) $(knob sysrq)"
}

## The process
mkdir /some /some/where
for kind in nice idle realtime ; do
  cd /some/where
  sh -c 'echo 500 >/proc/self/oom_score_adj ; exec "$@"' x fitness spoil $kind stage4-begin -A return -o \
    sh -c 'cat /proc/$$/oom_score_adj >/oom ; readlink /proc/$$/cwd >/cwd ; readlink /proc/$$/fd/0 >/stdin ; exec fitness look >/look'
  cd /
  is "$kind: OOM score -1000" "$(cat /oom)" -1000
  is "$kind: the ordinary scheduling" "$(value policy) $(value nice)" "0 0"
  is "$kind: also of its input and output" "$(value ioprio)" 0
  is "$kind: the working directory" "$(cat /cwd)" /
  is "$kind: umask, signal mask, session, terminal" "$(value umask) $(value blocked) $(value session) $(value terminal)" "022 0 1 0"
  is "$kind: signals are ignored" "$(value ignored)" "1 2 3 10 12 13 14 15 16 20 21 22 23 24 25 26 27 28 29 30"
  is "$kind: the limit of open files is the kernel's" "$(value files)" "$(cat /proc/sys/fs/nr_open) $(cat /proc/sys/fs/nr_open)"
  is "$kind: no core dumps" "$(value core)" "0 0"
  is "$kind: no limit that could end or hinder it" "$(value cpu) $(value fsize) $(value as) $(value data) $(value nproc)" \
    "-1 -1 -1 -1 -1 -1 -1 -1 -1 -1"
  is "$kind: stdin" "$(cat /stdin)" /dev/null
  is "$kind: other files are closed, but for the lock" "$(value open | wc -w)" 1
done

begin fitness child sh -c 'exec stage4-begin -A return -o sh -c "fitness look >/look ; : >/looked ; exec sleep 1000"'
parent=$!
await test -e /looked
is "the parent-death signal is cleared" "$(value pdeathsig)" 0
: >/parent-ends
await not test -d /proc/$parent
check "it survives its parent" kill -0 $said
kill -KILL $said

## The watchdog
exec 7>/dev/watchdog0
check "the watchdog runs" grep -qx active /sys/class/watchdog/watchdog0/state
WDTFD=7 stage4-begin -A return -o sh -c 'echo $STAGE4_WATCHDOG >/number ; readlink /proc/$$/fd/7 >/file'
is "an inherited watchdog is kept" "$(cat /number) $(cat /file)" "7 /dev/watchdog0"
WDTFD=0 stage4-begin -A return -o sh -c 'echo ${STAGE4_WATCHDOG-none} >/number ; readlink /proc/$$/fd/7 >/file'
is "what is none is not" "$(cat /number) $(cat /file)" "none "
echo V >&7
exec 7>&-
check "the watchdog is at rest" grep -qx inactive /sys/class/watchdog/watchdog0/state

## Cgroups: pids in the usual place, cpu elsewhere, one without a controller and version 2 mounted nowhere
mkdir -p /sys/fs/cgroup /elsewhere /unseen
mount -t tmpfs cgroup /sys/fs/cgroup
mkdir /sys/fs/cgroup/pids
mount -t cgroup -o pids pids /sys/fs/cgroup/pids
mount -t cgroup -o cpu,cpuacct cpu /elsewhere
mkdir /sys/fs/cgroup/pids/p /elsewhere/c /unseen/named /unseen/2
mount -t cgroup -o none,name=named named /unseen/named
mount -t cgroup2 cgroup2 /unseen/2
mkdir /unseen/named/n /unseen/2/t
echo 1 >/sys/fs/cgroup/pids/p/pids.max
echo 30000 >/elsewhere/c/cpu.cfs_quota_us
cat >/inside <<'X'
for group in /elsewhere/c /unseen/named/n /unseen/2/t $1 ; do echo $$ >$group/cgroup.procs ; done
umount /unseen/named
umount /unseen/2
shift
cat /proc/self/cgroup >/before
exec "$@"
X
cat >/seen <<'X'
while read -r line ; do case $line in *:/) ;; *) echo "$line" ;; esac ; done </proc/$$/cgroup >/left
/bin/true && echo forked >/forked
X
sh /inside '' stage4-begin -A return -o sh /seen 2>/err
cat /err
is "cgroups: it was in them" "$(grep -c ':/[cnt]$' /before)" 3
is "cgroups: it is in the root of each" "$(cat /left)" ""
check "cgroups: nothing is complained of" not grep -q 'root of cgroup' /err
# no child can be had, not even to look
cat >/alone <<'X'
echo $$ >/sys/fs/cgroup/pids/p/cgroup.procs
exec "$@"
X
rm -f /forked /left
sh /alone stage4-begin -A return -o sh /seen 2>&1 | cat >/err
cat /err
check "pids.max: the line is not checked, and that is said" grep -q 'unable to fork, the line is not checked' /err
is "pids.max: it is in the root of each" "$(cat /left)" ""
is "pids.max: what follows has children" "$(cat /forked)" forked
rmdir /sys/fs/cgroup/pids/p
umount /sys/fs/cgroup/pids
umount /elsewhere
umount /sys/fs/cgroup

## The kernel
untouched
stage4-begin -A return -o true
is "the kernel's settings" "$(knobs)" "/dev/null 1 5 0"

untouched
stage4-begin -A return -o sh -c ': >/first ; exec sleep 1000' &
first=$!
await test -e /first
untouched
stage4-begin -A poweroff -o sh -c ': >/second' 2>/err
is "a second chain: 111" $? 111
cat /err
check "a second chain: it is said" grep -q 'a chain is under way on this machine already' /err
check "a second chain: its line is not walked" not test -e /second
is "a second chain: nothing was touched" "$(knobs)" "core 0 0 0"
kill -KILL $first
wait $first

stage4-begin -A return -o stage4-nuke stage4-swapoff stage4-umountall -t 0 true 2>/err
is "a typing error: 100" $? 100
is "a typing error: nothing was touched" "$(knobs)" "core 0 0 0"
check "a typing error: not even the lock" stage4-begin -A return -o true

mount -o remount,ro /proc
stage4-begin -A return -o true
mount -o remount,rw /proc
is "a read-only /proc: the kernel's settings" "$(knobs)" "/dev/null 1 5 0"

## The early sync: nobody else writes here
mount_disk /dev/vda /mnt
echo 0 >/proc/sys/vm/dirty_writeback_centisecs
written () { awk '{ print $7 }' /sys/block/vda/stat ; }
sync
before=$(written)
dd if=/dev/zero of=/mnt/file bs=1M count=8 2>/dev/null
has_written () { test $(($(written) - before)) -ge 16384 ; }
usleep 300000
check "what is dirty waits" not has_written
stage4-begin -A return -o true
check "the early sync writes it" await has_written
umount /mnt

## Standard output and error
stage4-begin -A return sh -c 'readlink /proc/$$/fd/1 ; readlink /proc/$$/fd/2' >/out 2>&1
is "-c: nothing more in the file" "$(cat /out)" ""
stage4-begin -A return -K sh -c 'echo "=== in the kernel log" >&2 ; echo "=== this, too"' >/out 2>&1
is "-K: nothing more in the file" "$(cat /out)" ""
check "-K: stderr is the kernel log" sh -c "dmesg | grep -q '=== in the kernel log'"
check "-K: stdout is it, too" sh -c "dmesg | grep -q '=== this, too'"
check "-K: what begin says is there" sh -c "dmesg | grep -q 'stage4-begin: info: return by pid'"
is "-K: without a limit of lines" "$(knob printk_devkmsg)" on

## The end of pid 1 after all: what follows begin is not of the toolkit, and ends
knob panic 0
echo "=== the end"
exec stage4-begin -A reboot -o sh -c 'exit 3'
END

mapfile -t said < <(sed -n 's/^ *[0-9]* === \(.*\) \(ok\|FAILED.*\)$/\1/p' "$console")
guest_says "${said[@]}"
ok "the script has come to its end" console_has "$console" '^=== the end'
ok "-c: stdout and stderr are the console" test "$(grep -c ' /dev/console$' "$console")" = 2
ok "pid 1 ends: a panic" console_has "$console" 'Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000300'
ok "pid 1 ends: the machine is reset all the same" console_has "$console" 'Rebooting in 5 seconds'
ok "pid 1 ends: and nobody had to end it" not console_has "$console" 'had to be ended'
ok "the disk is clean" image_clean "$work/a.img"
done_testing
