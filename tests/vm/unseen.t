#!/bin/bash
# File systems that no mount table shows, each with somebody who is spared and writes; layers of what is to be kept.
. "$(dirname "$0")/lib.sh"

vm_test overlay dm_mod loop
vm_test_stage4

new_disks 16M a b c d e f
VM_APPEND=quiet guest "$work"/{a,b,c,d,e,f}.img <<'END'
mkdir /a /b /c /d /e /f /jail /jail/bin /gone
ln -s load /bin/@load
cp /bin/load /jail/bin/@load
for i in a b c d e f ; do mount -t ext4 /dev/vd$i /$i ; done
# writes FILE : when it does, goes on
writes () {
  @load writer "$1" >/dev/null &
  await test -e "$1"
}
# below a lazy unmount
writes /a/busy
umount -l /a
# in a mount namespace that only an open file keeps
mkfifo /ready
unshare -m sh -c 'echo >/ready ; exec sleep 1000' &
holder=$!
read -r line <>/ready
exec 3</proc/$holder/ns/mnt
@load sleeper >/dev/null &
exec 3<&-
kill -9 $holder
wait $holder
umount /b
# the layers of an overlay in another mount namespace
mkdir /c/u /c/w /c/m /lower
unshare -m sh -c 'mount -t overlay -o lowerdir=/lower,upperdir=/c/u,workdir=/c/w over /c/m ; cd /c/m ; umount /a /b /c /d /e /f 2>/dev/null ; exec @load writer busy' >/dev/null &
await test -e /c/u/busy
# in a mount namespace whose first process sees only a part of it
unshare -m sh -c 'umount /b /c/m /c /e /f 2>/dev/null ; (exec @load writer /d/busy) & exec chroot /jail @load sleeper' >/dev/null &
await test -e /d/busy
# in one whose first process has a root below a lazy unmount, and sees nothing
cat >/gone-first <<'X'
umount /b /c/m /c /d /e 2>/dev/null
mount -t tmpfs gone /gone
mkdir /gone/bin
cp /bin/load /gone/bin/@load
first=$$
(
  until test "$(readlink /proc/$first/root)" = /gone ; do usleep 10000 ; done
  umount -l /gone
  exec @load writer /f/busy
) &
exec chroot /gone @load sleeper
X
unshare -m sh /gone-first >/dev/null &
await test -e /f/busy
umount /f
for i in c d e ; do echo data >/$i/data ; done
echo "=== request"
exec stage4-begin -v 2 -A reboot -t 30s stage4-nuke stage4-umountall -t 2s stage4-hook ' env' '' stage4-freeze -t 2s stage4-hpr -t 1s
END
for i in a b ; do
  ok "unseen: disk $i is named" console_has "$console" "left: /dev/vd$i \\(ext4\\), in no mount table"
done
ok "unseen: who is behind somebody that sees less is named" \
  console_has "$console" 'left: /proc/[0-9]*/root/d \(ext4 on /dev/vdd\), writable in another mount namespace, held by'
ok "unseen: and who is behind somebody that sees nothing" \
  console_has "$console" 'left: /proc/[0-9]*/root/f \(ext4 on /dev/vdf\), writable in another mount namespace, held by'
ok "unseen: that is a failure" console_has "$console" '^\?=1'
ok "unseen: a layer of an overlay in another mount namespace is read-only, or named" \
  console_has "$console" 'made read-only /proc/[0-9]*/root/c \(ext4 on /dev/vdc\)|left: /dev/vdc \(ext4\)'
for i in a b ; do
  ok "unseen: disk $i is frozen" console_has "$console" "froze \\[in no mount table\\] \\(ext4 on /dev/vd$i\\)"
done
ok "unseen: the machine reset itself" console_has "$console" 'reboot: Restarting system'
disks_clean unseen a b c d e f

# A file system in a sparse file in a file system in another one, all below a lazy unmount, as one beside a dead disk. The
# last is written when nothing else will flush it any more. One that is read-only. There is no /sys, nor nodes in /dev.
new_disks 12M b c d
new_disks 4M innermost
rm -rf "$work/dir"
mkdir -p "$work/dir/inner"
cp --sparse=always "$work/innermost.img" "$work/dir/inner/innermost"
image_ext4 "$work/inner.img" 12M "$work/dir/inner"
rm -r "$work/dir/inner"
cp --sparse=always "$work/inner.img" "$work/dir/inner"
image_ext4 "$work/a.img" 48M "$work/dir"
VM_APPEND=quiet guest "$work"/{a,b,c,d}.img <<'END'
mkdir /a /b /c /d /inner /innermost /nodes
ln -s load /bin/@load
dm create dead /dev/vdb
mount -t ext4 /dev/mapper/dead /b   # the kernel finds it first
mount -t ext4 /dev/vda /a
losetup /dev/loop0 /a/inner
mount -t ext4 /dev/loop0 /inner
losetup /dev/loop1 /inner/innermost
mount -t ext4 /dev/loop1 /innermost
mount -t ext4 /dev/vdc /c
mount -t ext4 -o ro /dev/vdd /d
for i in innermost inner c ; do
  cd /$i
  @load sleeper >/dev/null &
  cd /
done
await sh -c 'test $(pidof @load | wc -w) = 3'
ls -l /proc/[0-9]*/cwd | grep '/inner\|/c$'
umount -l /innermost
umount -l /inner
umount -l /a
umount -l /c
cd /d
@load sleeper >/dev/null &
cd /
umount -l /d
echo data >/b/data
dm suspend dead
umount /sys
mount -t tmpfs nodes /nodes
cp -a /dev/console /dev/null /dev/kmsg /dev/urandom /nodes
mount --move /nodes /dev
echo "=== request"
exec stage4-begin -v 2 -A reboot -t 60s stage4-nuke \
  stage4-hook ' sh' ' -c' ' for i in $(pidof @load) ; do dd if=/dev/urandom of=/proc/$i/cwd/late bs=64k count=8 2>/dev/null ; done' '' \
  stage4-umountall -t 2s stage4-freeze -t 3s stage4-hook ' env' '' stage4-hpr -t 1s
END
ok "stacked: all are frozen, the upper ones first" awk '
  /froze \[in no mount table\] \(ext4 on \/dev\/loop1/ { upper = NR }
  /froze \[in no mount table\] \(ext4 on \/dev\/loop0/ { middle = NR }
  /froze \[in no mount table\] \(ext4 on \/dev\/vda/ { lower = NR }
  /freez|froze/ { print }
  END { exit !(upper && middle > upper && lower > middle) }' "$console"
ok "stacked: of one that is read-only nothing is said" not console_has "$console" 'vdd'
ok "stacked: the end says that there is no other" console_has "$console" 'left: 1 unmounts under way, 4 writable file systems'
ok "stacked: the machine reset itself" console_has "$console" 'reboot: Restarting system'
disks_clean stacked a c d
ok "stacked: the inner one can be read" image_file "$work/a.img" /inner "$work/inner.img"
disks_clean "stacked, inner" inner
ok "stacked: the innermost one can be read" image_file "$work/inner.img" /innermost "$work/innermost.img"
disks_clean "stacked, innermost" innermost
for i in innermost inner c ; do ok "stacked: what was written last is on $i" image_file "$work/$i.img" /late "$work/late" ; done

# The layers of overlays that are kept: moved since; mounted elsewhere only. A dead disk that only a file keeps. Disks
# that have nothing to do with all that: idle, covered by what is kept, kept in another mount namespace.
new_disks 16M a b c d e f
VM_APPEND=quiet guest "$work"/{a,b,c,d,e,f}.img <<'END'
ln -s load /bin/@load
for i in a b ; do
  mkdir /$i /ov$i /lower$i
  mount -t ext4 /dev/vd$i /$i
  mkdir /$i/u /$i/w
  mount -t overlay -o lowerdir=/lower$i,upperdir=/$i/u,workdir=/$i/w over /ov$i
done
mkdir /media /c /d /e /f
mount --move /a /media
mount -t ext4 /dev/vdd /d
unshare -m sh -c 'umount /ova /ovb /media ; exec @load sleeper' >/dev/null &
export elsewhere=$!
await pidof @load
umount /b /d
mount -t ext4 /dev/vde /e
mount -t tmpfs over /e
mount -t ext4 /dev/vdf /f
echo data >/f/data
dm create dead /dev/vdc
mount -t ext4 /dev/mapper/dead /c
mkfifo /ready
unshare -m sh -c 'umount /ova /ovb /media /b /e /e /f ; echo >/ready ; exec sleep 1000' &
holder=$!
read -r line <>/ready
mkdir /run/ns
mount -t tmpfs private /run/ns
mount --make-private /run/ns
touch /run/ns/mnt
mount --bind /proc/$holder/ns/mnt /run/ns/mnt
kill -9 $holder
wait $holder
echo data >/c/data
umount /c
dm suspend dead
echo "=== request"
exec stage4-begin -v 2 -A reboot -t 60s stage4-nuke stage4-umountall -t 2s -k /ova -k /ovb -k /e \
  -k /proc/$elsewhere/root/d \
  stage4-hook ' env' '' stage4-hook ' sh' ' -c' ' for i in a b ; do touch /ov$i/x && echo "=== kept $i is writable ok" ; done
    touch /proc/$elsewhere/root/d/x && echo "=== kept in another namespace is writable ok"' '' \
  stage4-freeze -t 2s stage4-hpr -t 1s
END
guest_says "kept a is writable" "kept b is writable" "kept in another namespace is writable"
ok "kept: a disk that a kept mount covers is read-only" console_has "$console" 'made read-only /e \(ext4 on /dev/vde\)'
ok "kept: a disk that is no layer goes" console_has "$console" 'unmounted /f \(ext4 on /dev/vdf\)'
ok "kept: what may be a layer is not said to be one" console_has "$console" 'left: /media \(ext4 on /dev/vda, writable\), may be a layer of /ova'
ok "kept: the dead disk is given up" console_has "$console" 'gave up unmounting /run/ns/mnt .* after 2\.'
ok "kept: and not forgotten" console_has "$console" 'left: /run/ns/mnt \(nsfs on nsfs\), still being unmounted'
ok "kept: the time was up" console_has "$console" '^\?=99'
ok "kept: the machine reset itself" console_has "$console" 'reboot: Restarting system'
disks_clean kept a b d e f

# More mount namespaces than can be looked at in the half second that is left: our own mounts are frozen nevertheless.
new_disks 16M a
VM_MEMORY=1G VM_APPEND=quiet guest "$work"/a.img <<'END'
ln -s load /bin/@load
i=0
while test $i -lt 100 ; do
  mkdir -p /m/$i
  mount -t tmpfs tmpfs /m/$i
  i=$((i + 1))
done
i=0
while test $i -lt 700 ; do
  unshare -m @load sleeper >/dev/null &
  i=$((i + 1))
done
await sh -c 'test "$(pidof @load | wc -w)" = 700'
mount_disk /dev/vda /a
begin @load writer /a/busy
echo "=== request"
exec stage4-begin -v 2 -A reboot -t 1s stage4-nuke stage4-hook ' sleep' ' 2' '' stage4-freeze -t 2s \
  stage4-hook ' env' '' stage4-hpr -t 1s
END
ok "many: that not all could be seen is said" \
  console_has "$console" 'stage4-freeze: warning: unable to see all that other mount namespaces have: the time was up'
ok "many: and is a failure" console_has "$console" '^\?=1'
ok "many: what could be seen is frozen" console_has "$console" 'froze /a \(ext4 on /dev/vda\)'
ok "many: the machine reset itself" console_has "$console" 'reboot: Restarting system'
disks_clean many a
done_testing
