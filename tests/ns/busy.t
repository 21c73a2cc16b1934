#!/bin/sh
# stage4-busy: who keeps a file system busy, in namespaces. Devices: tests/vm/whobusy.t
# shellcheck source=tests/lib.sh
. "${0%/*}/../lib.sh"

box "nobody" <<'END'
m tmpfs /a
touch /a/file
run stage4-busy /a
code 0
run stage4-busy /a/file /a/
code 0
ok "says nothing" test ! -s /out -a ! -s /err
end
END

box "how" <<'END'
# says REGEX : a line on stdout, of /a
says () {
  ok "names $1" grep -Eqx -e "/a: $1" /out
}
m tmpfs /a
mkdir -p /a/dir /a/bin
for i in bin/busybox sleep mapped ; do cp /bin/busybox /a/$i ; done
( exec 5>/a/gone 6>/a/gone 7>/a/second ; exec sleep 1000 ) & file=$!
( cd /a/dir ; exec sleep 1000 ) & cwd=$!
chroot /a /bin/busybox sleep 1000 & root=$!
/a/sleep 1000 & exe=$!
# awaits PID LINK PATH
awaits () {
  await sh -c "test \"\$(readlink /proc/$1/$2)\" = $3" || echo "=== waited in vain for $2"
}
awaits $file fd/7 /a/second
awaits $cwd cwd /a/dir
awaits $root exe /a/bin/busybox
awaits $exe exe /a/sleep
map=$(helper thread map /a/mapped)
thread=$(helper thread cwd /a/dir)
rm /a/gone
run stage4-busy /a
code 1
says "$file [^ ]* \(open file /a/gone, deleted, and 2 more\)"
says "$cwd [^ ]* \(working directory /a/dir\)"
says "$root [^ ]* \(root /a\)"
says "$root [^ ]* \(program /a/bin/busybox\)"
says "$exe [^ ]* \(program /a/sleep\)"
ok "a program is not named as a mapped file besides" not grep -q "mapped file /a/sleep" /out
says "$map [^ ]* \(mapped file /a/mapped\)"
says "$thread [^ ]* \(working directory /a/dir\)"
run stage4-busy /a/dir /a
ok "each argument gets all" grep -q "^/a/dir: $cwd " /out
ok "the other one, too" grep -q "^/a: $cwd " /out
end
END

box "mounts" <<'END'
m tmpfs /a
m tmpfs /a/on
mkdir /b
mount -o bind /a /b
run stage4-busy /a
code 1
is "what it says" "$(sort /out)" "/a: carries /a/on
/a: mounted on /b"
run stage4-busy /a/on
code 0
mkdir /a/u /a/w /a/l /ov
mount -t overlay -o userxattr,lowerdir=/a/l,upperdir=/a/u,workdir=/a/w over /ov
run stage4-busy /a
code 1
ok "the overlay" grep -qx "/a: overlay /ov" /out
ok "it is named once" test "$(grep -c overlay /out)" = 1
run stage4-busy /ov
code 0
end
END

box "another mount namespace" <<'END'
m tmpfs /a
unshare -m sh -c 'cd / ; exec sleep 1000' & other=$!
await sh -c "test \"\$(readlink /proc/$other/ns/mnt)\" != \"\$(readlink /proc/self/ns/mnt)\" &&
  tr '\0' ' ' </proc/$other/cmdline | grep -q ^sleep"
run stage4-busy /a
code 1
ok "who has it" grep -Eqx "/a: mount namespace of $other [^ ]*, mounted on /a" /out
nsenter -t $other -m sh -c 'cd /a ; exec sleep 1001' & inside=$!
await sh -c "test \"\$(readlink /proc/$inside/cwd)\" = /a"
umount /a
m tmpfs /a
run stage4-busy /a
code 0
run stage4-busy /proc/$other/root/a
code 1
ok "who else is there" grep -Eqx "/proc/$other/root/a: mount namespace of $other [^ ]* and 1 more, mounted on /a" /out
ok "a process there" grep -Eqx "/proc/$other/root/a: $inside [^ ]* \(working directory /a\)" /out
end
END

box "a lazy unmount" <<'END'
mkdir /a /b
mount -t tmpfs lazy /a   # busybox goes by the source, too
mount -o bind /a /b
( cd /a ; exec sleep 1000 ) & lost=$!
await sh -c "test \"\$(readlink /proc/$lost/cwd)\" = /a"
umount -l /a
run stage4-busy /b
code 1
ok "who has it by a mount that is in no table" grep -Eqx "/b: $lost [^ ]* \(working directory /[^ ]*\)" /out
end
END

done_testing
