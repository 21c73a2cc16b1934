#!/bin/bash
# Servers that are gone without a word: NFS with dirty data and processes that can't be killed, NFS on NFS, a disk on a
# directory of theirs; then every kind of mount that hangs, at once, and an automounter that does not answer.
. "$(dirname "$0")/lib.sh"

vm_test fuse dm_mod veth nfsd nfsv3 nfsv4 autofs4
vm_test_stage4

# took : whole seconds of the first umountall
took () {
  sed -n 's/.* stage4-umountall: info: unmounted .* after \([0-9]*\)\.[0-9]* s$/\1/p' "$console" | head -n 1 | grep .
}

cp "$top/tests/vm/guest/nfs.sh" "$work/stage/nfs"
boot () {
  { echo . /nfs ; cat ; } | VM_APPEND=quiet guest "$@"
}

new_disks 16M disk below
boot "$work"/{disk,below}.img <<'END'
mkdir /mnt/disk
mount -t ext4 /dev/vda /mnt/disk
nfs_on 3 /mnt/idle3
nfs_on 4 /mnt/idle4
nfs_on 3 /mnt/v3
mount -t ext4 /dev/vdb /mnt/v3/dir
nfs_on 4 /mnt/v4
nfs_on 3 /mnt/v4/dir
mount -t tmpfs tmpfs /mnt/v4/dir/dir
for i in disk v3/dir ; do echo data >/mnt/$i/data ; done
sync
export writers=
for i in 3 4 ; do
  for what in write fsync ; do
    nfs_on $i /mnt/disk/$what$i
    begin nfs $what /mnt/disk/$what$i/file
    writers="$writers $!"
  done
done
ip link set server down
kill -USR1 $writers
stuck_in nfs $writers
kill -9 $writers
stuck_in nfs $writers
echo "=== request"
exec stage4-begin -v 2 -A reboot -t 60s stage4-nuke -t 500 -k 1s stage4-umountall -t 3s stage4-hook ' env' '' \
  sh -c 'for i in $writers ; do test -e /proc/$i || echo "=== dead: $i" ; done ; cat /proc/mounts
    mark -d /dev/vda free ; mark -d /dev/vdb free ; exec stage4-freeze -t 2s stage4-hpr -t 2s'
END
ok "NFS: its writers can't be killed" console_has "$console" "can't be killed: .* nfs \\(uninterruptible.*, .* nfs \\(uninterruptible"
for i in write3 fsync3 write4 fsync4 ; do
  ok "NFS: $i is named as one that hangs" console_has "$console" "gave up unmounting /mnt/disk/$i \\(.*\\) after 3\\."
  ok "NFS: $i is forced" console_has "$console" "forcing /mnt/disk/$i "
done
ok "NFS: and then its writers die" test "$(grep -c '=== dead: ' "$console")" = 4
ok "NFS: what they held goes" test "$(image_marker "$work/disk.img")" = free
for i in v3/dir v4/dir/dir ; do
  ok "NFS: what is mounted on it is named: $i" console_has "$console" "gave up unmounting /mnt/$i \\(.*\\) after [34]\\."
done
ok "NFS: the disk that is mounted on it is read-only before that is forced" \
  test "$(console_time "$console" 'made read-only /mnt/v3/dir')" -le "$(console_time "$console" 'forcing /mnt/v3 ')"
ok "NFS: and goes" test "$(image_marker "$work/below.img")" = free
ok "NFS: what goes is counted once" test "$(grep -c 'unmounted /mnt/v3/dir .* after all' "$console")" = 1
ok "NFS: the highest one goes with all that is below it" console_has "$console" 'detached, not unmounted: /mnt/v4 '
ok "NFS: nothing is left" not console_has "$console" ' /mnt/.* 0 0$'
ok "NFS: and nothing is said to be" not console_has "$console" 'left: /mnt'
ok "NFS: all is well" console_has "$console" '^\?=0'
ok "NFS: in time" test "$(took)" -lt 20
ok "NFS: the machine reset itself" console_has "$console" 'reboot: Restarting system'
ok "NFS: within its budget" test "$(since_request)" -lt 60000
disks_clean NFS disk below

new_disks 16M disk auto frozen dead
boot "$work"/{disk,auto,frozen,dead}.img <<'END'
mkdir -p /mnt/disk /mnt/frozen /mnt/dead /mnt/fuse /mnt/killed /auto/direct /auto/indirect /auto/dead1 /auto/dead2
mount -t ext4 /dev/vda /mnt/disk
mount -t ext4 /dev/vdc /mnt/frozen
dm create dead /dev/vdd
mount -t ext4 /dev/mapper/dead /mnt/dead
for i in 1 2 3 4 5 6 ; do
  for version in 3 4 ; do
    nfs_on $version /mnt/v$version-$i
    mount -t tmpfs tmpfs /mnt/v$version-$i/dir
  done
done
begin @autofs direct /auto/direct
stopped=$!
begin @autofs indirect /auto/indirect /dev/vdb
stopped="$stopped $!"
begin autofs direct /auto/dead1
begin autofs indirect /auto/dead2
fuse_daemon /mnt/fuse
stopped="$stopped $daemon"
mount -t tmpfs tmpfs /mnt/fuse/dir
begin fusehang /mnt/killed
mount -t tmpfs tmpfs /mnt/killed/dir
for i in mnt/disk mnt/frozen mnt/dead auto/indirect/dir ; do echo data >/$i/data ; done
begin load writer /mnt/frozen/busy
stage4-ramfs /run/stage4 /bin/mark
sync
fsfreeze --freeze /mnt/frozen
echo data >/mnt/dead/lost
dm suspend dead
kill -STOP $stopped
ip link set server down
for i in auto/direct auto/indirect mnt/fuse mnt/v3-1 mnt/v4-1 ; do
  cat /$i/name &
  stuck_in 'autofs\|fuse\|nfs' $!
done
echo "=== request"
exec stage4-begin -v 2 -A reboot -t 60s -R /run/stage4 stage4-nuke -t 1s -k 1s stage4-pivot \
  stage4-settle ' stage4-swapoff' ' stage4-umountall' ' -t' ' 3s' '' stage4-hook ' mark' ' -d' ' /dev/vda' ' free' '' \
  stage4-hook ' mark' ' -d' ' /dev/vdb' ' free' '' stage4-freeze -t 2s stage4-hpr -t 2s
END
ok "all: pivoted" console_has "$console" 'pivoted to /run/stage4'
ok "all: each mount that hangs is named" \
  test "$(grep -c 'gave up unmounting /oldroot/mnt/v[34]-[1-6]/dir .* after 3\.' "$console")" = 12
ok "all: the FUSE file system, too" console_has "$console" 'gave up unmounting /oldroot/mnt/fuse/dir .* after 3\.'
ok "all: and the dead disk" console_has "$console" 'gave up unmounting /oldroot/mnt/dead .* after 3\.'
ok "all: side by side" test "$(took)" -lt 20
ok "all: what hung for want of a server is detached" \
  test "$(grep -c 'detached, not unmounted: /oldroot/mnt/v' "$console")" = 12
ok "all: a FUSE whose daemon was killed is no failure" not console_has "$console" 'unable to unmount'
for i in direct indirect ; do
  ok "all: an automounter that does not answer is not asked: $i" console_has "$console" "unmounted /oldroot/auto/$i "
done
for i in dead1 dead2 ; do ok "all: nor one that is gone: $i" console_has "$console" "unmounted /oldroot/auto/$i " ; done
ok "all: what it had mounted goes" test "$(image_marker "$work/auto.img")" = free
ok "all: so does a disk that has nothing to do with it" test "$(image_marker "$work/disk.img")" = free
ok "all: the frozen one is named, with who is stuck in it" \
  console_has "$console" 'left: /oldroot/mnt/frozen \(ext4 on /dev/vdc, writable\), held by [0-9]* load'
ok "all: and the dead disk" console_has "$console" 'left: /oldroot/mnt/dead .*, still being unmounted'
ok "all: that is all" console_has "$console" 'left: 1 unmounts under way, 1 writable file systems, 6 mounts'
ok "all: the machine reset itself" console_has "$console" 'reboot: Restarting system'
ok "all: within its budget" test "$(since_request)" -lt 60000
disks_clean all disk auto frozen
done_testing
