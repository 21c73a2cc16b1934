#!/bin/sh
# stage4-pivot: the old root can be unmounted afterwards; whatever fails before is undone.
# shellcheck source=tests/lib.sh
. "${0%/*}/../lib.sh"

# pivoting TITLE <script : the script prepares, writes /t/then, and ends with `pivot OPTION...`, as pid 1;
# /t/then is the next program, in the new root. What all have in common comes first.
pivoting () {
  {
    cat <<'END'
ramfs () {
  stage4-ramfs "$@" /ram /bin /t /lib /lib64 /usr 2>/ramfs.err || { echo "no ramfs:" ; cat /ramfs.err ; exit 1 ; }
}
pivot () {
  exec stage4-pivot -f "$@" helper code sh /t/next 2>/err
}
mkdir -p /lib /lib64 /usr
cat >/t/next <<'X'
. /t/lib.sh
code=$CODE
X
echo '. /t/then' >>/t/next
END
    cat
  } >/script.now
  box "$1" </script.now
}

pivoting "into a ramfs" <<'END'
m tmpfs /sys
m tmpfs /run
m tmpfs /run/sub
m tmpfs /data
cat >/t/then <<'X'
code 0
is "the mounts" "$(mounts | sort)" "/ /dev /oldroot /oldroot/data /proc /run /run/sub /sys"
is "the root is the ramfs" "$(fstype /)" ramfs
is "the working directory is in it" "$(pwd -P)" /
is "the old root is there" "$(cat /oldroot/mark)" old
is "the environment says where" "$STAGE4_OLDROOT ${STAGE4_RAMFS-unset}" "/oldroot unset"
is "PATH is as it was" "$PATH" /bin:/usr/bin
is "no fd is left in the old root" "$(ls -l /proc/1/fd | grep oldroot)" ""
ok "the fd 5 is closed" not test -e /proc/1/fd/5
ok "stderr works" sh -c 'echo x >&2'
umount /oldroot/data
ok "the old root can be unmounted" umount /oldroot
is "and is gone" "$(mounts | grep -c old)" 0
end
X
echo old >/mark
m tmpfs /dev
: >/dev/null
ramfs
exec 5</mark
cd /data
pivot -R /ram
END

pivoting "into a directory" <<'END'
cat >/t/then <<'X'
code 0
is "the old root is there" "$(cat /oldroot/mark)" old
ok "nothing of it is held but by itself: it is the same file system" grep -q ' /ram / ' /proc/self/mountinfo
end
X
echo old >/mark
ramfs -d
pivot -R /ram
END

pivoting "by another name of it" <<'END'
cat >/t/then <<'X'
code 0
is "the mounts" "$(mounts | sort)" "/ /oldroot /proc /run"
ok "the old root can be unmounted" umount /oldroot
unsaid 'no pivot'
end
X
ramfs
mkdir /var
ln -s / /var/here
pivot -R /var//here/ram
END

pivoting "the variable, another name, other paths" <<'END'
m tmpfs /data/deep
m tmpfs /data/deep/er
: >/data/deep/mark
cat >/t/then <<'X'
code 0
is "its name" "$STAGE4_OLDROOT" /before
is "they were moved" "$(mounts | grep data)" "/data/deep /data/deep/er"
ok "with what is in them" test -e /data/deep/mark
sed 's/^/# /' /before/err
ok "what is no mount is said" grep -q 'stage4-pivot: warning: nothing is mounted on /nothing, not moved' /before/err
end
X
ramfs
export STAGE4_RAMFS=/ram
pivot -o before -m /data/deep -m /nothing
END

pivoting "/dev is a link" <<'END'
m tmpfs /mnt/tmpfs
m tmpfs /mnt/tmpfs/dev
rm -rf /dev
ln -s /mnt/tmpfs/dev /dev
echo real >/mnt/tmpfs/dev/mark
: >/dev/null
cat >/t/then <<'X'
code 0
is "the mount that it leads to was moved" "$(cat /dev/mark)" real
is "it is a mount" "$(mounts | grep dev)" /dev
end
X
ramfs
pivot -R /ram
END

pivoting "everything shared" <<'END'
m tmpfs /run
mount -o make-rshared /
cat >/t/then <<'X'
code 0
is "the mounts" "$(mounts | sort)" "/ /oldroot /proc /run"
ok "the old root can be unmounted" umount /oldroot
end
X
ramfs
mount -o make-rshared /
pivot -R /ram
END

pivoting "what is not there is made" <<'END'
cat >/t/then <<'X'
code 0
is "a fresh /run" "$(fstype /run)" tmpfs
sed 's/^/# /' /oldroot/err
ok "what can't be made is said" grep -q 'stage4-pivot: warning: unable to mount a fresh /dev' /oldroot/err
end
X
ramfs
pivot -R /ram
END

pivoting "and then umountall" <<'END'
m tmpfs /a
m tmpfs /a/b
m tmpfs /run
cat >/t/then <<'X'
code 0
is "no old root is left" "$(mounts | sort)" "/ /proc /run"
end
X
ramfs
exec stage4-pivot -f -R /ram stage4-umountall -f helper code sh /t/next 2>/err
END

box "twice" <<'END'
mkdir -p /lib /lib64 /usr
cat >/t/second <<'X'
. /t/lib.sh
mounts >/before
stage4-pivot -f -R /ram helper code sh -c 'echo $CODE >/code' 2>/err
is "?" "$(cat /code)" 1
is "says so" "$(cat /err)" "stage4-pivot: warning: no pivot: this chain has pivoted already"
is "nothing was done" "$(mounts)" "$(cat /before)"
end
X
stage4-ramfs /ram /bin /t /lib /lib64 /usr 2>/ramfs.err
exec stage4-pivot -f -R /ram sh /t/second 2>/err
END

box "not pid 1" <<'END'
mkdir -p /lib /lib64 /usr
stage4-ramfs /ram /bin /t /lib /lib64 /usr 2>/ramfs.err
m tmpfs /keep
stage4-pivot -f -R /ram -m /keep helper code sh -c 'echo $CODE >/code' 2>/keep/err
is "?" "$(cat /code)" 0
sed 's/^/# /' /keep/err
ok "says where the old root is" grep -q 'info: pivoted to /ram, the old root is at /oldroot$' /keep/err
ok "says who keeps it" grep -q 'info: this is not pid 1: pid 1 keeps the old root busy$' /keep/err
end
END

## What fails is undone

box "failures" <<'END'
mkdir -p /lib /lib64 /usr
table () { sed 's/shared:[0-9]*/shared/' /proc/self/mountinfo ; }
# fails WHAT REGEX OPTION... : ? is 1, REGEX is said, the mounts are as they were, the next program runs in the old root
fails () {
  what=$1 regex=$2
  shift 2
  rm -f /code
  table >/before
  run stage4-pivot -f "$@" ${next:-helper} code sh -c 'echo $CODE >/code'
  table >/after
  is "$what: ?" "$(cat /code)" 1
  ok "$what: the mounts are as they were" cmp /before /after
  ok "$what: said" grep -Eq "^stage4-pivot: warning: no pivot: $regex" /err
  is "$what: in one line" "$(wc -l </err)" 1
}
new () {
  umount /ram 2>/dev/null
  rm -rf /ram
  stage4-ramfs "$@" /ram /bin /t /lib /lib64 /usr 2>/ramfs.err || { cat /ramfs.err ; exit 1 ; }
}

fails "no newroot" 'no shutdown ramfs, neither -R nor STAGE4_RAMFS$'
fails "missing" "/ram can't be used: no such directory: /ram" -R /ram
mkdir /ram
fails "empty" "/ram can't be used: no stage4.manifest in /ram" -R /ram
: >/file
fails "a file" "/file can't be used: no such directory: /file" -R /file
new -d
mkdir /outside
cp /bin/helper /outside/not-inside
next=/outside/not-inside
fails "next program missing inside" "/ram can't be used: not found inside: /outside/not-inside" -R /ram
next=not-inside PATH=$PATH:/outside
fails "next program not in PATH inside" "/ram can't be used: not found inside: not-inside" -R /ram
next=''
chmod 0775 /ram
fails "writable by a group" "/ram can't be used: others can write to /ram" -R /ram
chmod 0700 /ram
mkdir /open
chmod 0777 /open
mv /ram /open/ram
fails "a parent writable by others" "/open/ram can't be used: others can write to /open" -R /open/ram
mv /open/ram /ram
ln -s /open/ram /to-ram
mv /ram /open/ram
fails "through a link" "/to-ram can't be used: others can write to /open" -R /to-ram
mv /open/ram /ram
fails "not owned by root" "/proc/sys/kernel can't be used: not owned by root: /proc" -R /proc/sys/kernel
export STAGE4_OLDROOT=/x
fails "has pivoted" 'this chain has pivoted already' -R /ram
unset STAGE4_OLDROOT
cp /ram/stage4.manifest /whole
chmod 0600 /ram/stage4.manifest
head -n -1 /whole >/ram/stage4.manifest
fails "the manifest has no end" "/ram can't be used: stage4.manifest is torn in /ram" -R /ram
head -c 1000 /whole >/ram/stage4.manifest
fails "the manifest is torn" "/ram can't be used: stage4.manifest is torn in /ram" -R /ram
: >/ram/stage4.manifest
fails "the manifest is empty" "/ram can't be used: stage4.manifest is torn in /ram" -R /ram
sed 's/^f /x /' /whole >/ram/stage4.manifest
fails "the manifest is another's" "/ram can't be used: stage4.manifest is torn in /ram" -R /ram
cat /whole >/ram/stage4.manifest
mv /ram/t/lib.sh /lib.sh
fails "a file is missing" "/ram can't be used: missing inside: t/lib.sh" -R /ram
head -n 3 /lib.sh >/ram/t/lib.sh
fails "a file is half" "/ram can't be used: not whole inside: t/lib.sh" -R /ram
cp /lib.sh /ram/t/lib.sh
mv /ram/bin/sh /ram/bin/ash.old
cp /bin/busybox /ram/bin/sh
fails "a link is none" "/ram can't be used: not a symbolic link inside: bin/sh" -R /ram
rm /ram/bin/sh
mv /ram/bin/ash.old /ram/bin/sh
fails "oldroot is a file" 'unable to pivot_root to /ram: Not a directory' -R /ram -o stage4.manifest
mount -o make-shared /
fails "the same, all shared" 'unable to pivot_root to /ram: Not a directory' -R /ram -o stage4.manifest
mount -o make-private /
mount -o bind /ram /ram
mount -o remount,bind,noexec /ram
fails "noexec" "/ram can't be used: mounted noexec: /ram" -R /ram
umount /ram
umount -l /proc
stage4-pivot -f -R /ram helper code sh -c 'echo $CODE >/code' 2>/err
is "no /proc: ?" "$(cat /code)" 1
ok "no /proc: said" grep -q '^stage4-pivot: warning: no pivot: ' /err
ok "no /proc: not done" test -e /whole
end
END

box "what refuses" <<'END'
mounts >/before
STAGE4_PID=1 STAGE4_ACTION=return run stage4-pivot -f -R /ram true
code 100
said 'fatal: after stage4-begin -A return the old root is still needed'
run stage4-pivot -R /ram true
code 100
said 'fatal: this destroys: only in a chain that stage4-begin has begun, or with -f'
is "nothing was done" "$(mounts)" "$(cat /before)"
end
END

box "the plan" <<'END'
mkdir -p /lib /lib64 /usr
stage4-ramfs /ram /bin /t /lib /lib64 /usr 2>/ramfs.err
mounts >/before
run stage4-pivot -n -R /ram -o before -m /data true
code 0
is "what it would do" "$(cat /out)" "pivot to /ram: the old root will be at /before
move /dev move /proc move /sys move /run move /data"
is "it was not done" "$(mounts)" "$(cat /before)"
end
END

done_testing
