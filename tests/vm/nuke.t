#!/bin/bash
# What a kill meets on a real machine: frozen cgroups, other pid namespaces, somebody who is stuck in the kernel.
. "$(dirname "$0")/lib.sh"

vm_test dm_mod
vm_test_stage4
image_ext4 "$work/disk.img" 16M
image_ext4 "$work/dead.img" 16M

guest "$work/disk.img" "$work/dead.img" <<'END'
mkdir /mnt/disk /mnt/dead
mount -t ext4 /dev/vda /mnt/disk
dm create dead /dev/vdb
mount -t ext4 /dev/mapper/dead /mnt/dead
# cgroup 1, where it may be: mounted elsewhere, and nowhere any more
mkdir /cg
mount -t cgroup -o freezer freezer /cg
for name in .x y ; do
  begin load cleaner /clean
  mkdir /cg/$name
  echo $! >/cg/$name/cgroup.procs
  echo FROZEN >/cg/$name/freezer.state
  check "freezer $name: somebody is frozen" await grep -qx FROZEN /cg/$name/freezer.state
  test $name = .x || umount /cg
  stage4-nuke -f
  check "freezer $name: nobody is left" test $? = 0
  check "freezer $name: who was in it ends by itself" test -e /clean
  rm -f /clean
done
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mkdir -p /sys/fs/cgroup/some/deep /sys/fs/cgroup/other
begin load cleaner /mnt/disk/clean 3>/mnt/disk/frozen   # of a signal that is only fatal it would die frozen
echo $! >/sys/fs/cgroup/some/deep/cgroup.procs
echo 1 >/sys/fs/cgroup/some/deep/cgroup.freeze
start=$(ms)
stage4-nuke -f
check "a frozen process ends" test $? = 0
check "in time" test $(($(ms) - start)) -lt 8000
check "by itself" test -e /mnt/disk/clean
# the init of a pid namespace doesn't see SIGTERM unless it catches it
unshare -p -f sh -c 'sleep 1000 & exec unshare -p -f sh -c "echo >/ready ; exec sleep 1000"' >/mnt/disk/nested &
read -r said <>/ready
stage4-nuke -f -t 1s
check "nested pid namespaces end" test $? = 0
check "nobody keeps the disk busy" umount /mnt/disk
mount -t ext4 /dev/vda /mnt/disk
# the host's cgroup stays frozen when a container's nuke waits for one that ignores SIGTERM
begin load cleaner /clean
frozen=$!
echo $frozen >/sys/fs/cgroup/other/cgroup.procs
echo 1 >/sys/fs/cgroup/other/cgroup.freeze
is_frozen () { test "$(cat /sys/fs/cgroup/other/cgroup.freeze)" = 1 ; }
cat >/container <<'X'
mount -t proc proc /proc
load stubborn >/ready &
read -r said <>/ready
stage4-nuke -f -t 1s
echo "?=$?" >/code
X
unshare -m -p -f sh /container
check "a container's nuke ends what is slow there" grep -qx '?=0' /code
check "the host's frozen cgroup stays frozen" is_frozen
# so it does on the host, if only who is spared is in it
begin load stubborn
stage4-nuke -f -t 1s -o $frozen
check "a cgroup of who is spared stays frozen" is_frozen
stage4-nuke -f
check "a cgroup with a victim doesn't" not is_frozen
check "who was in it ends by itself" test -e /clean
# a marked cgroup, of which this one is below
mkdir -p /sys/fs/cgroup/marked/below
setxattr /sys/fs/cgroup/marked user.survive_final_kill_signal 1
begin load sleeper
marked=$!
echo $marked >/sys/fs/cgroup/marked/below/cgroup.procs
sleep 1000 &
stage4-nuke -f -t 1s
check "who is in a marked cgroup lives" kill -0 $marked
check "who is not doesn't" not kill -0 $!
umount /sys/fs/cgroup
check "that is mounted nowhere" not grep -q cgroup2 /proc/mounts
stage4-nuke -f -t 1s
check "he still lives" kill -0 $marked
kill -9 $marked
echo x >/mnt/dead/file
dm suspend dead
sh -c 'usleep 1 & exec sync' &
stuck=$!
zombie () { in_state Z "$(tr -d ' ' </proc/$stuck/task/$stuck/children)" ; }   # there is one child
check "somebody is stuck" await in_state D $stuck
check "and has a dead child" await zombie
# what begin has to set there it sets in a /proc of its own
mount -o remount,ro /proc
check "/proc is read-only" not sh -c 'echo 5 >/proc/sys/kernel/panic'
echo "=== request"
exec stage4-begin -A reboot -t 30s stage4-nuke -t 1s -k 1s stage4-hook ' env' '' stage4-umountall -t 1s stage4-hpr -t 1s
END

guest_says "freezer .x: somebody is frozen" "freezer .x: nobody is left" "freezer .x: who was in it ends by itself" \
  "freezer y: somebody is frozen" "freezer y: nobody is left" "freezer y: who was in it ends by itself"
guest_says "a frozen process ends" "in time" "by itself" "nested pid namespaces end" "nobody keeps the disk busy" \
  "a container's nuke ends what is slow there" "the host's frozen cgroup stays frozen" \
  "a cgroup of who is spared stays frozen" "a cgroup with a victim doesn't" "who was in it ends by itself" \
  "who is in a marked cgroup lives" "who is not doesn't" "that is mounted nowhere" "he still lives" "somebody is stuck" "and has a dead child"
ok "the frozen cgroup is named" console_has "$console" '^stage4-nuke: info: thawed cgroups: /some/deep$'
guest_says "/proc is read-only"
ok "a read-only /proc: nothing is impossible for that" not console_has "$console" 'stage4-.*: Read-only file system'
ok "a read-only /proc: there is an early sync" console_has "$console" 'sysrq: Emergency Sync'
ok "who is stuck is named, and where" \
  console_has "$console" "stage4-nuke: info: can't be killed: [0-9]* sync \\(uninterruptible in [a-z_0-9]* < [a-z_0-9]* < "
ok "a zombie of it is not" not console_has "$console" "can't be killed: .*usleep"
ok "?=1" console_has "$console" '^\?=1'
reset_and_clean "somebody stuck"
done_testing
