#!/bin/bash
# Busy disks that are hard to reach: one of which a socket is bound elsewhere, one that another mount lies over, one
# that is mounted below a FUSE file system whose daemon, spared, has stopped, one of which only a file is mounted.
. "$(dirname "$0")/lib.sh"

vm_test fuse loop
vm_test_stage4
new_disks 16M a b c d

VM_APPEND=quiet guest "$work"/{a,b,c,d}.img <<'END'
mkdir /a /b /d /fuse
ln -s load /bin/@load
mount -t ext4 /dev/vda /a
sock /a/sock
touch /sock
mount --bind /a/sock /sock
begin @load writer /a/busy
mount -t ext4 /dev/vdb /b
echo data >/b/file
mount -t tmpfs cover /b
begin @load writer /b/busy
mount -t ext4 /dev/vdd /d
touch /d/file /file
mount --bind /d/file /file
umount /d
begin @load writer /file
fuse_daemon /fuse
mount -t ext4 /dev/vdc /fuse/dir
begin @load writer /fuse/dir/busy
kill -STOP $daemon
echo "=== request"
exec stage4-begin -v 2 -A reboot -t 30s stage4-nuke stage4-umountall -t 2s stage4-hook ' env' '' stage4-freeze -t 2s stage4-hpr -t 1s
END

ok "the disk that only has a writer is named" console_has "$console" 'left: /a \(ext4 on /dev/vda, writable\), held by [0-9]* @load'
ok "what is covered is made read-only" console_has "$console" 'made read-only /b \(ext4 on /dev/vdb\)'
ok "FUSE is not forced: a disk would go out of sight" not console_has "$console" 'forcing|detached'
ok "the disk below it is still named" console_has "$console" 'left: /fuse/dir \(ext4 on /dev/vdc, writable\)'
ok "the time was up" console_has "$console" '^\?=99'
ok "by way of a file" console_has "$console" 'froze /file \(ext4 on /dev/vdd\)'
ok "all others are frozen, too" console_has "$console" 'froze 3 of 3 writable file systems'
ok "the machine reset itself" console_has "$console" 'reboot: Restarting system'
ok "in time" test "$(since_request)" -lt 15000
disks_clean ways a b c d

# FUSE file systems that only pause: the host's, while a container ends; with a disk in a file on it that only another
# mount namespace has, or that no table shows.
image_ext4 "$work/stage/small.img" 8M
VM_APPEND=quiet guest <<'END'
mkdir /fuse /1 /2
ln -s load /bin/@load
mount --make-rshared /
mount --make-private /proc
fuse_daemon /fuse
mount -t tmpfs tmpfs /fuse/dir
kill -STOP $daemon
cat >/container <<'X'
mount -t proc proc /proc
exec stage4-begin -v 2 -A reboot -t 20s stage4-nuke -t 1s stage4-umountall -t 1s stage4-hpr
X
unshare -m -p -f --propagation shared sh /container
kill -CONT $daemon
check "the host's FUSE goes on when a container has ended" ls /fuse/file
check "and is mounted" grep -q ' /fuse fuse ' /proc/mounts
check "with what lies on it" grep -q ' /fuse/dir tmpfs ' /proc/mounts
echo "=== container ended"
umount /fuse/dir
umount /fuse
mount --make-rprivate /
export daemons= # FUSE
for i in 1 2 ; do
  mkdir /fuse$i
  begin @fusehang /fuse$i
  daemons="$daemons $!"
  dd if=/small.img of=/fuse$i/disk bs=64k conv=notrunc 2>/dev/null
  losetup /dev/loop$i /fuse$i/disk
  mount -t ext4 /dev/loop$i /$i
done
begin unshare -m sh -c 'umount /2 ; cd /1 ; exec @load sleeper'
echo data >/proc/$!/cwd/data
umount /1
sits_in () { cd "$1" && exec @load sleeper ; }
begin sits_in /2
umount -l /2
echo data >/proc/$!/cwd/data
kill -STOP $daemons
echo "=== request"
exec stage4-begin -v 2 -A reboot -t 60s stage4-nuke stage4-umountall -t 2s stage4-hook ' sh' ' -c' ' kill -CONT $daemons
  for i in 1 2 ; do dd if=/fuse$i/disk of=/dev/null bs=64k && echo "=== FUSE $i goes on ok" ; done' '' \
  stage4-freeze -t 5s stage4-hpr -t 5s
END
guest_says "the host's FUSE goes on when a container has ended" "and is mounted" "with what lies on it"
ok "a container: nothing is forced" console_has "$console" "a container: the file systems are the host's, none is forced"
ok "a container: its own mounts are detached" console_has "$console" 'detached, not unmounted: /fuse '
guest_says "FUSE 1 goes on" "FUSE 2 goes on"
ok "paused: neither is forced: a disk would be lost" not console_has "$console" 'forcing /fuse[12]'
ok "paused: nothing was lost" not console_has "$console" 'I/O error|Aborting journal'
ok "paused: what another namespace has is named" console_has "$console" 'left: /proc/[0-9]*/root/1 \(ext4 on /dev/loop1\), writable in'
ok "paused: and what no table shows" console_has "$console" 'left: /dev/loop2 \(ext4\), in no mount table'
ok "paused: nothing is writable at the end" console_has "$console" 'left: 0 writable file systems'
ok "paused: the machine reset itself" console_has "$console" 'reboot: Restarting system'
done_testing
