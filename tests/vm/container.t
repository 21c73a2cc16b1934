#!/bin/bash
# Whole chains in pid and mount namespaces, by real root with all capabilities: what is the host's stays as it is, and
# the namespace ends as its parent expects it.
. "$(dirname "$0")/lib.sh"

vm_test dm_mod softdog loop
vm_test_stage4
image_ext4 "$work/stage/small.img" 4M
new_disks 16M a b
truncate -s 16M "$work/swap.img"

VM_APPEND=quiet guest "$work/a.img" "$work/b.img" "$work/swap.img" <<'END'
mount -t tmpfs -o mode=755 run /run
mount_disk /dev/vda /mnt/a
dm create disk /dev/vdb
mount_disk /dev/mapper/disk /mnt/b
cp /small.img /mnt/a/image
mkdir /mnt/loop
mount -t ext4 -o loop /mnt/a/image /mnt/loop
swap_file /mnt/a/swapfile 4
mkswap /dev/vdc >/dev/null
swapon /dev/vdc
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mkdir /sys/fs/cgroup/container
stage4-ramfs /run/stage4 /bin/busybox /bin/sh /bin/cat /bin/sleep || echo "=== no ramfs"
begin unruly log /signals
daemon=$!
mkdir /hooks
printf '#!/bin/sh\nexit 0\n' >/hooks/ok
chmod 755 /hooks/ok

## What is the host's
# state : of all of it, in one text
state () {
  cat /proc/self/mounts /proc/self/mountinfo
  cut -f 1 /proc/swaps
  for i in panic ctrl-alt-del sysrq printk printk_devkmsg core_pattern ; do echo "$i: $(cat /proc/sys/kernel/$i)" ; done
  cat /sys/block/dm-0/dm/suspended /sys/class/watchdog/*/state /sys/module/printk/parameters/always_kmsg_dump
  cat /sys/block/loop0/loop/backing_file
}
echo 0 >/proc/sys/kernel/ctrl-alt-del
state >/before
# the_host WHAT : is as it was
the_host () {
  state >/after
  check "$1: nothing of the host has changed" cmp -s /before /after
  diff /before /after
  for dir in a b loop ; do check "$1: /mnt/$dir can be written to" timeout -s KILL 20 sh -c "echo data >/mnt/$dir/written && sync" ; done
  check "$1: who is outside lives, and has got no signal" sh -c "kill -0 $daemon && test ! -s /signals"
}
# ends WHAT STATUS : of the last container
ends () {
  check "$1: ends with $2 ($status)" test "$status" = "$2"
}
# contain WORD... : unshare's words, then a script's. Its standard output and error are in /said
contain () {
  timeout -s KILL 60 unshare "$@" >/said 2>&1
  status=$?
  grep -v '^$' /said
}

cat >/chain <<'X'
test "$1" = - || mount -t proc proc /proc
action=$2
set --
line="stage4-begin -o -v 2 -A $action -t 20s -R /run/stage4 stage4-nuke -t 1s stage4-watchdog stage4-pivot stage4-settle"
exec $line ' stage4-umountall' ' -T' ' tmpfs' ' stage4-swapoff' ' -A' ' stage4-umountall' '' \
  stage4-hookdir -d /hooks stage4-hook ' cat' ' /proc/self/cgroup' '' stage4-freeze stage4-hpr
X
# by another process there: pid 1 would wait for ever
cat >/other <<'X'
mount -t proc proc /proc
(
  trap '' TERM
  sleep 1000
) &
sh /chain + "$1" &
while : ; do sleep 1 ; done
X

# SIGHUP and SIGINT: pid_namespaces(7)
for try in reboot=129 poweroff=130 halt=130 kexec=129 ; do
  action=${try%=*} wanted=${try#*=}
  contain -p -m -f sh /chain + $action
  ends "$action, as pid 1" $wanted
  check "$action, as pid 1: to the last line" grep -q "stage4-hpr: info: $action after .* left: " /said
  the_host "$action, as pid 1"
  contain -p -m -f sh /other $action
  ends "$action, as another" $wanted
  check "$action, as another: to the last line" grep -q "stage4-hpr: info: $action after .* left: " /said
  the_host "$action, as another"
done
check "the watchdog: it is said" grep -q 'stage4-watchdog: .*container' /said
check "freezing: it is said" grep -q 'stage4-freeze: .*container' /said
check "swap: it is said" grep -q 'stage4-swapoff: .*container' /said

contain -p -m -f --propagation shared sh /chain + reboot
ends "shared mounts" 129
the_host "shared mounts"

# a /proc that is the host's, or none, is replaced by one that is mounted nowhere
contain -p -m -f sh /chain - reboot
ends "the host's /proc" 129
the_host "the host's /proc"
contain -p -m -f sh -c 'umount -l /proc ; exec sh /chain - poweroff'
ends "no /proc" 130
the_host "no /proc"

# its own settings in /proc, as a container that was made with care
contain -p -m -f sh -c 'mount -t proc -o ro proc /proc ; exec sh /chain - reboot'
ends "a read-only /proc" 129
the_host "a read-only /proc"

# root of a user namespace that is root outside, too
contain -U -r -p -m -f sh /chain + reboot
ends "a user namespace" 129
the_host "a user namespace"

# and can't have a procfs, because none is in sight: the host's watchdog still is
cat >/hidden <<'X'
test ! -e /proc/self && test -c /dev/watchdog0 || exit 77
! mount -t proc proc /proc 2>/dev/null || exit 78
test -w /dev/watchdog0 && echo "the node would do"
STAGE4_PID=$$ STAGE4_ACTION=reboot stage4-watchdog env
exec stage4-begin -o -A reboot -t 20s stage4-nuke -t 1s stage4-watchdog stage4-umountall stage4-swapoff -A stage4-freeze stage4-hpr
X
timeout -s KILL 60 hidden sh /hidden >/said 2>&1
status=$?
cat /said
ends "a user namespace without /proc" 129
check "a user namespace without /proc: no watchdog" grep -qx '?=111' /said
check "a user namespace without /proc: though it could be opened" grep -qx 'the node would do' /said
the_host "a user namespace without /proc"

# what is limited there stays so
contain sh -c 'echo $$ >/sys/fs/cgroup/container/cgroup.procs ; exec unshare -p -m -f sh /chain + reboot'
contain -p -m -f sh -c 'mount -t proc proc /proc ; echo $$ >/sys/fs/cgroup/container/cgroup.procs
  exec stage4-begin -o -A return cat /proc/self/cgroup'
check "cgroups: it stays in that of the host" grep -q '^0::/container$' /said
the_host "cgroups"

# begin, there: this process is made fit, the kernel is left as it is
contain -p -m -f sh -c 'mount -t proc proc /proc
  exec fitness spoil idle stage4-begin -o -A return sh -c "cat /proc/self/oom_score_adj ; exec fitness look"'
ends "begin" 0
check "begin: the process is fit" test "$(sed -n '/^stage4/d; s/^\(policy\|nice\|ioprio\|blocked\|pdeathsig\|umask\) //p' /said | tr '\n' ' ')" = "0 0 022 0 0 0 "
the_host "begin"

# a chain of the host's, and one there: neither is in the other's way
contain -p -m -f sh -c 'mount -t proc proc /proc ; exec stage4-begin -o -A return sh -c "echo under way ; stage4-hook \" true\" \"\" true ; exec sleep 3"' &
await grep -q 'under way' /said
check "the host begins a chain beside it" stage4-begin -o -A return true
wait $!
echo 0 >/proc/sys/kernel/ctrl-alt-del
state >/before

# the last resort: the next program has gone
cat >/gone <<'X'
mount -t proc proc /proc
cp /bin/true /run/gone-$$
exec stage4-begin -o -A reboot -t 20s stage4-nuke -t 1s stage4-hook ' rm' " /run/gone-$$" '' /run/gone-$$
X
contain -p -m -f sh /gone
ends "last resort, as pid 1" 127
the_host "last resort, as pid 1"
contain -p -m -f sh -c 'sh /gone ; code=$? ; exit $((code - 100))'
ends "last resort, as another" 27
the_host "last resort, as another"

echo "=== all done"
kill -KILL $daemon
exec stage4-begin -A reboot -t 60s stage4-nuke stage4-swapoff -A stage4-umountall stage4-hpr
END

mapfile -t said < <(sed -n 's/^ *[0-9]* === \(.*\) \(ok\|FAILED.*\)$/\1/p' "$console")
guest_says "${said[@]}"
ok "the host has lived to its own end" console_has "$console" '^=== all done'
ok "the host reset itself" console_has "$console" 'reboot: Restarting system'
disks_clean "the host" a b
done_testing
