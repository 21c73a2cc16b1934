#!/bin/bash
# What stage4-umountall meets on a real kernel: references that outlive a process, other mount namespaces, deleted files,
# file systems in files in files, stacks of mounts, frozen file systems.
. "$(dirname "$0")/lib.sh"

vm_test loop
vm_test_stage4
dirs=$work/dirs
rm -rf "$dirs"
mkdir -p "$dirs"/{3,2,1}
image_ext4 "$dirs/3/file" 2M
cp "$dirs/3/file" "$dirs/3/second"
image_ext4 "$dirs/2/file" 16M "$dirs/3"
image_ext4 "$dirs/1/file" 32M "$dirs/2"
mkdir "$dirs/1/dir"

content=$dirs/1   # what tests need in their disks
new_disks 64M a b
VM_APPEND=quiet guest "$work"/{a,b}.img <<'END'
mkdir /a /b /1 /2 /3 /4
# all_goes [COMMAND...] : stage4-umountall, started by that, says nothing of what would be left; the disk is free
all_goes () {
  "$@" stage4-umountall -f -v 2 2>/said true
  code=$?
  cat /said
  test $code = 0 || { echo "exit code $code" ; return 1 ; }
  not grep 'left:\|warning' /said && mark -d /dev/vda free
}
# lingers KIND : at least now and then umount(2) comes too early
lingers () {
  for try in 1 2 3 4 5 6 7 8 9 10 ; do
    mount -t ext4 /dev/vda /a
    if ! linger "$1" /a/file umount /a ; then
      stage4-umountall -f true
      return 0
    fi
  done
  return 1
}
check "a registered file lingers" lingers uring
check "a socket lingers" lingers inflight
# waited_out KIND : each time
waited_out () {
  for try in 1 2 3 4 5 ; do
    mount -t ext4 /dev/vda /a || return
    all_goes linger "$1" "/a/$1" || return
  done
}
check "a registered file is waited for" waited_out uring
check "a socket is waited for" waited_out inflight

mount -t ext4 /dev/vda /a
mount -t ext4 -o loop /a/file /1
mount -t ext4 -o loop /1/file /2
mount -t ext4 -o loop /2/file /3
mount -t ext4 -o loop,ro /2/second /4
echo data >/3/data
check "loop: there are four" test "$(losetup -a | wc -l)" = 4
check "loop: all goes" all_goes
check "loop: no device is in use" test -z "$(losetup -a)"

mount -t ext4 /dev/vda /a
echo data >/a/data
begin unshare -m sh -c 'echo ; exec sleep 1000'
pid=$!
mkdir /run/ns
mount -t tmpfs private /run/ns
touch /run/ns/mnt
mount --bind /proc/$pid/ns/mnt /run/ns/mnt
kill -9 $pid
wait $pid
umount /a
check "pinned: another namespace has the disk" not mark -d /dev/vda no
nsenter --mount=/run/ns/mnt cat /proc/self/mountinfo | grep vda
mount -t ext4 /dev/vda /a
check "pinned: all goes" all_goes
END
guest_says "a registered file lingers" "a socket lingers" "a registered file is waited for" "a socket is waited for" \
  "loop: there are four" "loop: all goes" "loop: no device is in use" \
  "pinned: another namespace has the disk" "pinned: all goes"
disks_clean free a

# Deleted files of @load: one that is only read, one that is written.
new_disks 64M a b
VM_APPEND=quiet guest "$work"/{a,b}.img <<'END'
mkdir /a /b
ln -s load /bin/@load
mount -t ext4 /dev/vda /a
mount -t ext4 /dev/vdb /b
echo data >/a/deleted
reads () { exec @load sleeper <"$1" ; }
begin reads /a/deleted
rm /a/deleted
begin @load writer /b/deleted
rm /b/deleted
echo "=== request"
exec stage4-begin -v 2 -A reboot -t 30s stage4-nuke stage4-umountall -t 2s stage4-hook ' env' '' stage4-freeze -t 2s stage4-hpr -t 1s
END
for i in a b ; do
  ok "deleted: the holder of /$i is named" \
    console_has "$console" "left: /$i \\(ext4 on /dev/vd$i, writable\\), held by [0-9]* @load \\(open file\\)"
done
ok "deleted: neither can be made read-only" test "$(grep -c 'busy, so not made read-only' "$console")" = 2
ok "deleted: something is left" console_has "$console" '^\?=1'
ok "deleted: both are frozen" console_has "$console" 'froze 2 of 2'
ok "deleted: the machine reset itself" console_has "$console" 'reboot: Restarting system'
for i in a b ; do ok "deleted: disk $i has nothing to replay" image_clean "$work/$i.img" ; done
for i in a b ; do ok "deleted: disk $i: nothing but the deleted file is to be tidied up" e2fsck -p "$work/$i.img" ; done
disks_clean deleted a b

# Spared, each in a mount namespace of its own: one who writes, one who does nothing, one whose root is on the disk; one
# whose copy of a shared mount is busy.
new_disks 64M a b c d
VM_APPEND=quiet guest "$work"/{a,b,c,d}.img <<'END'
mkdir /a /b /c /d
ln -s load /bin/@load
mount -t ext4 /dev/vda /a
mount -t ext4 /dev/vdb /b
mount -t ext4 /dev/vdc /c
mkdir /c/bin
cp /bin/load /c/bin/@load
begin unshare -m sh -c 'umount /b /c ; exec @load writer /a/busy'
begin unshare -m sh -c 'umount /a /c ; exec @load sleeper'
begin unshare -m sh -c 'umount /a /b ; cd /c ; exec chroot . @load sleeper'
mount --make-rshared /
mount -t ext4 /dev/vdd /d
begin unshare -m --propagation shared sh -c 'cd /d ; exec @load sleeper'
for i in a b c d ; do echo data >/$i/data ; done
unshare -m sh -c 'umount /b ; stage4-umountall -n -T noxfs ; stage4-umountall -n -T xfs' >/plan
check "elsewhere: the plan has it" grep -q '^make read-only /proc/[0-9]*/root/b (ext4 on /dev/vdb): only another mount namespace has it' /plan
check "elsewhere: and nothing that is here, too" test "$(grep -c '^make read-only' /plan)" = 1
check "elsewhere: by its type it may be left" grep -q '^leave /proc/[0-9]*/root/b: ext4 was not asked for' /plan
echo "=== request"
exec stage4-begin -v 2 -A reboot -t 30s stage4-nuke stage4-umountall -t 2s stage4-hook ' env' '' stage4-freeze -t 2s stage4-hpr -t 1s
END
guest_says "elsewhere: the plan has it" "elsewhere: and nothing that is here, too" "elsewhere: by its type it may be left"
ok "elsewhere: nothing is left here" console_has "$console" 'unmounted 4, left 4'
ok "elsewhere: who writes is named" \
  console_has "$console" 'left: /proc/[0-9]*/root/a \(ext4 on /dev/vda\), writable in another .*, held by [0-9]* @load \(open file\)'
ok "elsewhere: what has no writer is read-only" console_has "$console" 'made read-only /proc/[0-9]*/root/b \(ext4 on /dev/vdb\)'
ok "elsewhere: a root, too" console_has "$console" 'made read-only /proc/[0-9]*/root/ \(ext4 on /dev/vdc\)'
ok "elsewhere: by their own mounts" not console_has "$console" 'not by way of'
ok "elsewhere: what was shared, too" console_has "$console" 'made read-only /proc/[0-9]*/root/d \(ext4 on /dev/vdd\)'
ok "elsewhere: that is not all well" console_has "$console" '^\?=1'
ok "elsewhere: it is frozen" console_has "$console" 'froze 1 of 1'
ok "elsewhere: at the end it is not forgotten" console_has "$console" 'left: 1 writable file systems, 4 mounts'
ok "elsewhere: the machine reset itself" console_has "$console" 'reboot: Restarting system'
disks_clean elsewhere a b c d

# Several mounts of a disk, all with somebody in them; of another, with one that is to be kept; a chroot with /sys.
new_disks 64M a b
VM_APPEND=quiet guest "$work"/{a,b}.img <<'END'
mkdir /a /b /1 /2 /keep /chroot
: >/3
ln -s load /bin/@load
mount -t ext4 /dev/vda /a
mount -t ext4 /dev/vdb /b
mount --bind /a /1
mount --bind /a/dir /2
mount --bind /a/file /3
mount --bind /b/dir /keep
mkdir /chroot/sys
mount -t sysfs sys /chroot/sys
sits_in () { cd "$1" && exec @load sleeper ; }
reads () { exec @load sleeper <"$1" ; }
for dir in /a /1 /2 /b /chroot/sys ; do begin sits_in $dir ; done
begin reads /3
echo data >/a/data
echo data >/b/data
echo "=== request"
exec stage4-begin -v 2 -A reboot -t 30s stage4-nuke stage4-umountall -t 2s -k /keep \
  stage4-hook ' env' '' stage4-hook ' sh' ' -c' ' cat /proc/mounts ; touch /keep/x && echo "=== kept is writable ok" ; sync' '' stage4-freeze -t 2s stage4-hpr -t 1s
END
ok "binds: it is made read-only once" test "$(grep -c 'made read-only .* (ext4 on /dev/vda)' "$console")" = 1
ok "binds: the others, too" test "$(grep -c ' /dev/vda /[a123] ext4 ro,' "$console")" = 4
guest_says "kept is writable"
ok "binds: another mount of what is kept is left as it is" console_has "$console" '^/dev/vdb /b ext4 rw,'
ok "binds: the machine's /sys is writable" console_has "$console" '^sys /sys sysfs rw,'
ok "binds: what was asked for is no failure" console_has "$console" '^\?=0'
ok "binds: the machine reset itself" console_has "$console" 'reboot: Restarting system'
disks_clean binds a b

# The root lies over the initramfs; on it there are disks on one path, one below another that was there before.
new_disks 64M a b c d
VM_APPEND=quiet guest "$work"/{a,b,c,d}.img <<'END'
mkdir /new
mount -t ext4 /dev/vda /new
mkdir /new/dev /new/proc /new/sys /new/run
cp -a /bin /new/
for i in dev proc sys ; do mount --move /$i /new/$i ; done
cd /new
mount --move . /
exec chroot . sh -c '
  mount -t ext4 /dev/vdb /dir
  mount -t ext4 /dev/vdc /dir/dir
  mount -t ext4 /dev/vdd /dir
  mount --bind /file /dir/file
  mount --bind / /
  echo "=== request"
  exec stage4-begin -v 2 -A reboot -t 30s stage4-nuke stage4-umountall -t 2s stage4-hook " env" "" \
    stage4-hook " mark" " -d" " /dev/vdb" " free" "" stage4-hook " mark" " -d" " /dev/vdc" " free" "" \
    stage4-hook " mark" " -d" " /dev/vdd" " free" "" stage4-freeze -t 2s stage4-hpr -t 1s'
END
for i in b c d ; do ok "stacked: disk $i was unmounted" test "$(image_marker "$work/$i.img")" = free ; done
ok "stacked: the root is read-only" console_has "$console" 'made read-only / \(ext4'
ok "stacked: no more is to be done" console_has "$console" '^\?=0'
ok "stacked: the machine reset itself" console_has "$console" 'reboot: Restarting system'
disks_clean stacked a b c d

# Frozen: with a writer that is stuck in it; with nobody in it; one with a file system in a file on it.
new_disks 64M a b c d
VM_APPEND=quiet guest "$work"/{a,b,c,d}.img <<'END'
mkdir /a /b /c /d /1
ln -s load /bin/@load
mount -t ext4 /dev/vda /a
mount -t ext4 /dev/vdb /b
mount -t ext4 /dev/vdc /c
mount -t ext4 /dev/vdd /d
mount -t ext4 -o loop /c/file /1
for i in a b c d 1 ; do echo data >/$i/data ; done
begin @load writer /a/busy
sync
for i in a b c ; do fsfreeze --freeze /$i ; done
echo more >/1/data
echo "=== request"
exec stage4-begin -v 2 -A reboot -t 30s stage4-nuke stage4-umountall -t 2s stage4-hook ' env' '' stage4-hook ' cat' ' /proc/mounts' '' \
  stage4-hook ' mark' ' -d' ' /dev/vdd' ' free' '' stage4-freeze -t 2s stage4-hpr -t 1s
END
ok "frozen: who is stuck is named" \
  console_has "$console" 'left: /a \(ext4 on /dev/vda, writable\), held by [0-9]* @load \(open file\)'
ok "frozen: the file system in a file is given up" console_has "$console" 'gave up unmounting /1 .* after 2\.'
ok "frozen: it is named" console_has "$console" 'left: /1 \(ext4 on /dev/loop[0-9]*\), still being unmounted'
ok "frozen: and what it lies on" console_has "$console" 'left: /c \(ext4 on /dev/vdc, writable\), held by loop device /dev/loop[0-9], file /c/file'
ok "frozen: the time was up" console_has "$console" '^\?=99'
ok "frozen: where nobody is, it goes" console_has "$console" 'unmounted /b '
ok "frozen: the other disk goes" test "$(image_marker "$work/d.img")" = free
ok "frozen: the machine reset itself" console_has "$console" 'reboot: Restarting system'
ok "frozen: in time" test "$(since_request)" -lt 15000
disks_clean frozen a b c d
done_testing
