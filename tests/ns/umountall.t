#!/bin/sh
# stage4-umountall: what goes, what is kept, what is said of the rest.
# shellcheck source=tests/lib.sh
. "${0%/*}/../lib.sh"

## What goes

box "one that goes" <<'END'
m tmpfs /a
run stage4-umountall -f
code 0
is "only / and /proc are left" "$(mounts)" "/ /proc"
said 'info: unmounted 1, left 2, '
unsaid 'warning'
end
END

box "moved" <<'END'
# lines and paths say /late/moved first; the tree says it comes last
m tmpfs /moved
m tmpfs /moved/in
m tmpfs /late
mkdir /late/moved
mount -o move /moved /late/moved
m tmpfs /late/moved/in/deep
is "it is what it should be" "$(mounts)" "/ /proc /late/moved /late/moved/in /late /late/moved/in/deep"
run stage4-umountall -f
code 0
is "all gone" "$(mounts)" "/ /proc"
unsaid 'warning'
end
END

box "stacked" <<'END'
for i in 1 2 3 4 5 ; do m tmpfs /s ; m tmpfs /s/sub ; done
mount -o bind /s /s
is "it is what it should be" "$(mounts | wc -l)" 13
run stage4-umountall -f
code 0
is "all gone" "$(mounts)" "/ /proc"
unsaid 'warning'
end
END

box "hidden by a sibling" <<'END'
# a mount on /h covers /h/x and /h/x/y, which hang on the same parent as it
mkdir -p /h/x
m tmpfs /h/x
m tmpfs /h/x/y
mount -t tmpfs cover /h
m tmpfs /h/x
is "it is what it should be" "$(mounts)" "/ /proc /h/x /h/x/y /h /h/x"
run stage4-umountall -f
code 0
is "all gone" "$(mounts)" "/ /proc"
unsaid 'warning'
end
END

box "hidden under what stays" <<'END'
m tmpfs /run/lost
m tmpfs /run
run stage4-umountall -f
code 0
is "nothing was forced" "$(mounts)" "/ /proc /run/lost /run"
said "warning: can't reach /run/lost \(tmpfs on /run/lost\), hidden under /run"
end
END

box "three hundred" <<'END'
i=0
while test $i -lt 150 ; do m tmpfs /flat/$i ; i=$((i + 1)) ; done
dir=/deep i=0
while test $i -lt 150 ; do m tmpfs $dir ; dir=$dir/d i=$((i + 1)) ; done
is "they are there" "$(mounts | wc -l)" 302
run stage4-umountall -f
code 0
is "all gone" "$(mounts)" "/ /proc"
said 'info: unmounted 300, left 2, '
end
END

box "names" <<'END'
tab=$(printf '\t') newline='
'
names () {
  for name in 'with space' "with${tab}tab" "with${newline}newline" 'with\backslash' 'with#hash' '\134040' '\040' \
    'gone (deleted)' '-rf' '"quoted"' "it's" '*' '...' ; do "$1" "/n/$name" ; done
}
add () { mkdir -p "$1" ; mount -t tmpfs none "$1" ; }
names add
is "they are there" "$(mounts | wc -l)" 15
run stage4-umountall -v 2 -f
code 0
is "all gone" "$(mounts)" "/ /proc"
said 'unmounted /n/with\\012newline ' 'unmounted /n/with\\134backslash ' 'unmounted /n/\\134134040 ' 'unmounted /n/gone \(deleted\) '
unsaid 'warning'
is "each report is one line" "$(grep -vc '^stage4-umountall: ' /err)" 0
end
END

box "a long way" <<'END'
part=$(printf '%0250d' 7)
cd /
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 ; do
  mkdir $part
  mount -t tmpfs none $part
  cd $part
done
cd /
is "they are there" "$(mounts | wc -l)" 15
run stage4-umountall -v 2 -f
code 0
is "all gone" "$(mounts)" "/ /proc"
is "no report is too long" "$(awk 'length($0) + 1 >= 900' /err | wc -l)" 0
end
END

box "binds" <<'END'
mkdir -p /source/deep /removed /b /c /d
mount -o bind /source /b
mount -o bind /source/deep /c
mount -o bind /removed /d
rmdir /removed
m tmpfs /b/deep
m tmpfs /rec/sub
mkdir /rbind
mount -o rbind /rec /rbind
ok "one of them has lost its source" grep -q '//deleted /d ' /proc/self/mountinfo
run stage4-umountall -f
code 0
is "all gone" "$(mounts)" "/ /proc"
unsaid 'warning'
ok "what was bound is there" test -d /source/deep
end
END

box "on files" <<'END'
: >/file
: >/other
m tmpfs /t
: >/t/source
mount -o bind /t/source /file
mount -o bind /t/source '/other'
mount -o bind /proc/uptime /t/source
is "they are there" "$(mounts)" "/ /proc /t /file /other /t/source"
run stage4-umountall -f
code 0
is "all gone" "$(mounts)" "/ /proc"
unsaid 'warning'
end
END

box "shared" <<'END'
# each goes with its copy: what is gone already when its turn comes is no failure
mount -o make-rshared /
m tmpfs /p
mkdir /q
mount -o bind /p /q
m tmpfs /p/x
m tmpfs /q/y
is "they are there" "$(mounts | sort)" "/ /p /p/x /p/y /proc /q /q/x /q/y"
run stage4-umountall -f
code 0
is "all gone" "$(mounts)" "/ /proc"
unsaid 'warning'
end
END

box "shared, and a copy is busy" <<'END'
mount -o make-rshared /
mkdir /q
m tmpfs /p
mount -o bind /p /q
m tmpfs /p/x
pid=$(helper victim -f /q/x/open)
run stage4-umountall -f
code 0
is "all but that copy have gone" "$(mounts)" "/ /proc /q /q/x"
said "left: /q/x .*, held by $pid "
end
END

box "shared with another mount namespace, where it is busy" <<'END'
mount -o make-rshared /
m tmpfs /p
m tmpfs /p/x
mkfifo /ready
unshare -m --propagation shared sh -c 'cd /p/x && echo >/ready && exec sleep 1000' &
read -r line </ready
run stage4-umountall -f
code 0
is "all gone" "$(mounts)" "/ /proc"
unsaid 'warning'
end
END

# chroots in copies of the box's mount namespace, to which the box is the host; their root is no mount point
# shellcheck disable=SC2016   # that's for the shell in the box
in_chroot='
mkdir /c
cp -R /bin /lib /lib64 /c/ 2>/dev/null
m proc /c/proc
mount -o make-rshared /
m tmpfs /c/data
m tmpfs /c/data/in
m tmpfs /c/other
before=$(mounts)
'
box "a chroot on a shared mount" <<END
$in_chroot
run unshare -m --propagation shared chroot /c stage4-umountall -v 2 -f awk '{ print \$5 }' /proc/self/mountinfo
ok "there all goes" test "\$(cat /out)" = /proc
is "the host keeps its own" "\$(mounts)" "\$(echo \$before)"
unsaid 'unable'
end
END

box "a chroot that can't be left" <<END
$in_chroot
run unshare -m --propagation shared chroot /c helper without 18 stage4-umountall -f true
said 'warning: unable to keep from the host what is unmounted here' \
  'warning: left to the host, which would lose it, too: /data, /data/in, /other\$'
is "the host keeps its own" "\$(mounts)" "\$(echo \$before)"
end
END

box "an overlay" <<'END'
m tmpfs /lower
m tmpfs /upper
mkdir /upper/up /upper/work /over
if mount -t overlay -o lowerdir=/lower,upperdir=/upper/up,workdir=/upper/work,userxattr over /over 2>/dev/null ; then
  run stage4-umountall -f
  code 0
  is "all gone" "$(mounts)" "/ /proc"
  unsaid 'warning'
else
  skip "all gone" "overlay can't be mounted here"
fi
end
END

box "another root on top" <<'END'
# "/" is the uppermost there; once that is gone the same call would make the one in use read-only
mount -t tmpfs top /
mount -t tmpfs top /
run timeout 10 stage4-umountall -f
code 0
is "they are gone, the one in use is not" "$(mounts)" "/ /proc"
ok "/ can still be written to" touch /x
end
END

## What is kept

box "the one in use" <<'END'
# a chroot's own come first, in every order; /dev is a link into another mount
m proc /chroot/proc
m tmpfs /chroot/dev
m tmpfs /chroot/sys
m tmpfs /chroot/run
umount /proc
mount -t proc proc /proc
m tmpfs /mnt/tmpfs
m tmpfs /mnt/tmpfs/dev
: >/mnt/tmpfs/dev/null
rm -rf /dev
ln -s mnt/tmpfs/dev /dev
m tmpfs /sys
m tmpfs /run
m devpts /dev/pts
m tmpfs /dev/shm
m tmpfs /run/user/0
m tmpfs /sys/cgroup
m tmpfs /mnt/tmpfs/other
run stage4-umountall -f
code 0
is "exactly these are left" "$(mounts | sort)" "/ /mnt/tmpfs /mnt/tmpfs/dev /proc /run /sys"
unsaid 'warning'
end
END

box "through links" <<'END'
m tmpfs /one
m tmpfs /one/two
m tmpfs /one/two/three
m tmpfs /links
ln -s /one/two/./three/../three/run /links/run
mkdir -p /one/two/three/run
rmdir /run
ln -s links/run /run
m tmpfs /one/aside
run stage4-umountall -f
code 0
is "the way is kept, with what the links lie on" "$(mounts | sort)" "/ /links /one /one/two /one/two/three /proc"
end
END

box "a disk on /dev/x" <<'END'
m tmpfs /dev
: >/dev/null
mkdir /dev/x
m tmpfs /dev/x
m tmpfs /dev/x/y
run stage4-umountall -f
code 0
is "goes" "$(mounts)" "/ /proc /dev"
end
END

box "-k" <<'END'
m tmpfs /a
m tmpfs /a/b
m tmpfs /a/b/c
m tmpfs /a/d
m tmpfs /k
m tmpfs /k/on
m tmpfs /z
ln -s a/b /to-b
run stage4-umountall -f -k /to-b/file -k /k -k /not/there
code 0
is "kept with what leads there" "$(mounts | sort)" "/ /a /a/b /k /proc"
end
END

box "the ramfs" <<'END'
m ramfs /run/stage4
m tmpfs /run/stage4/on
m tmpfs /run/other
STAGE4_RAMFS=/run/stage4 run stage4-umountall -f
code 0
is "is kept" "$(mounts | sort)" "/ /proc /run/stage4"
end
END

box "-T" <<'END'
m tmpfs /t
m ramfs /t/r
m ramfs /r
m tmpfs /r/t
run stage4-umountall -f -T ramfs
code 0
is "one type" "$(mounts | sort)" "/ /proc /r /r/t /t"
m ramfs /t/r
run stage4-umountall -f -T noramfs
code 0
is "all but one type" "$(mounts | sort)" "/ /proc /r /t /t/r"
m tmpfs /r/t
run stage4-umountall -f -T ext4,tmpfs
code 0
is "a list; what carries another type stays" "$(mounts | sort)" "/ /proc /r /t /t/r"
run stage4-umountall -f -T noext4,noproc
code 0
is "a list of others" "$(mounts | sort)" "/ /proc"
end
END

## What is busy

box "held" <<'END'
m tmpfs /file ; m tmpfs /cwd ; m tmpfs /map ; m tmpfs /root ; m tmpfs /exe ; m tmpfs /above ; m tmpfs /above/held ; m tmpfs /free
m tmpfs /held ; m tmpfs /held/free ; m tmpfs /unlinked
mkdir /cwd/sub /root/dev
: >/root/dev/null
echo data >/map/data
cp /bin/helper /exe/
a=$(helper victim -f /file/open -n 'an editor')
b=$(helper victim -d /cwd/sub -n shell)
c=$(helper victim -m /map/data -n mapper)
d=$(helper victim -R /root -n rooted)
e=$(/exe/helper victim -n program)
f=$(helper victim -f /above/held/open -n 'a) S 1 (')
g=$(helper victim -d /held -n both)
h=$(helper victim -u -f /unlinked/gone -n unlinker)
run stage4-umountall -f
code 0
is "these are left" "$(mounts | sort)" "/ /above /above/held /cwd /exe /file /held /map /proc /root /unlinked"
said "warning: left: /file \(tmpfs on /file, writable\), held by $a an editor \(open file\)$" \
  "warning: left: /cwd \(.*, held by $b shell \(working directory\)$" \
  "warning: left: /map \(.*, held by $c mapper \(mapped file\)$" \
  "warning: left: /root \(.*, held by $d rooted \(root\)$" \
  "warning: left: /exe \(.*, held by $e program \(program\)$" \
  "warning: left: /above/held \(.*, held by $f a\) S 1 \( \(open file\)$" \
  "warning: left: /held \(.*, held by $g both \(working directory\)$" \
  "warning: left: /unlinked \(.*, held by $h unlinker \(open file\)$"
ok "nobody was killed" kill -0 $a $b $c $d $e $f $g $h
kill -9 $a $b $c $d $e $f $g $h
run stage4-umountall -f
code 0
is "without them all goes, and without a word" "$(mounts)" "/ /proc"
unsaid 'warning'
end
END

box "held by threads" <<'END'
m tmpfs /cwd ; m tmpfs /file ; m tmpfs /map ; m tmpfs /exe
cp /bin/helper /exe/
echo data >/map/data
a=$(helper thread cwd /cwd)
b=$(helper thread file /file/open)
c=$(helper thread map /map/data)
d=$(/exe/helper threads program)
is "the first thread of one has another directory" "$(readlink /proc/$a/cwd)" /
is "those of others have ended" "$(sed 's/.*) // ; s/ .*//' /proc/$b/stat /proc/$c/stat /proc/$d/stat)" "Z Z Z"
run stage4-umountall -f
code 0
is "these are left" "$(mounts | sort)" "/ /cwd /exe /file /map /proc"
said "warning: left: /cwd \(.*, held by $a helper \(working directory\)$" \
  "warning: left: /file \(.*, held by $b helper \(open file\)$" \
  "warning: left: /map \(.*, held by $c helper \(mapped file\)$" \
  "warning: left: /exe \(.*, held by $d program \(program\)$"
end
END

box "many holders" <<'END'
m tmpfs /busy
for i in 0 1 2 3 4 5 6 7 8 9 ; do helper victim -d /busy -n holder$i >/dev/null ; done
run stage4-umountall -f
said 'left: /busy .*, held by [0-9]+ holder0 \(working directory\), .* and 4 more$'
is "it is left" "$(mounts)" "/ /proc /busy"
end
END

box "held for a moment" <<'END'
late=0
for i in 1 2 3 4 5 6 7 8 ; do
  m tmpfs /busy
  m tmpfs /other
  pid=$(helper victim -f /busy/open -t 20)
  stage4-umountall -f 2>/one || echo "exit $?" >>/said
  if grep -q "held by $pid " /one ; then   # others have the CPUs: he was still there at the second look
    late=$((late + 1))
    while test -n "$(alive $pid)" ; do : ; done
    umount /busy
    echo 'info: unmounted 2, late' >/one
  fi
  cat /one >>/said
  mounts >>/left
done
is "waited out, each time" "$(cat /left)" "/ /proc / /proc / /proc / /proc / /proc / /proc / /proc / /proc"
is "and nothing was said of it" "$(grep -cv 'info: unmounted 2, \|info: a container' /said)" 0
is "it has run" "$(grep -c 'info: unmounted 2, ' /said)" 8
ok "seldom late: $late" test $late -le 4
end
END

box "held for a moment by the kernel, beside one that is held for good" <<'END'
m tmpfs /held
m tmpfs /soon
pid=$(helper victim -f /held/open)
helper victim -f /soon/open -q -t 400 >/dev/null
run stage4-umountall -f
code 0
is "only that one is left" "$(mounts)" "/ /proc /held"
said "warning: left: /held .*, held by $pid " 'info: unmounted 1, left 3, '
unsaid 'left: /soon'
end
END

box "what is not allowed" <<'END'
# 21: CAP_SYS_ADMIN
m tmpfs /a
m tmpfs /b
run helper without 21 stage4-umountall -f
code 0
is "nothing has gone" "$(mounts)" "/ /proc /a /b"
is "it is said, once for each" "$(grep -c 'unable to unmount /[ab]: Operation not permitted' /err)" 2
end
END

box "no waiting for who stays" <<'END'
m tmpfs /busy
pid=$(helper victim -f /busy/open)
start=$(helper ms)
run stage4-umountall -f -t 10s
took=$(($(helper ms) - start))
said "held by $pid "
ok "within a second, not in 10 ($took ms)" between $took 0 2000
end
END

## The chain

box "the next program" <<'END'
m tmpfs /a
run stage4-umountall -f env
code 0
ok "? is 0" grep -qx '?=0' /out
is "it was done" "$(mounts)" "/ /proc"
mkdir /dir
m proc /dir/proc
mkdir -p /dir/bin /dir/usr /dir/lib /dir/lib64 /dir/dev
cp -R /bin /lib /lib64 /dir/ 2>/dev/null
: >/dir/dev/null
run chroot /dir stage4-umountall -f /bin/env
ok "? is 1 where no mount is /" grep -qx '?=1' /out
said 'warning: /proc/self/mountinfo shows no mount for /'
end
END

box "no /proc" <<'END'
m tmpfs /a
umount -l /proc
run stage4-umountall -f env
ok "? is 111" grep -qx '?=111' /out
said 'stage4-umountall: warning: '
ok "and nothing was done" touch /a/x
run stage4-umountall -f
code 111
end
END

box "the plan" <<'END'
m tmpfs /a
m ramfs /a/b
m tmpfs /k
m tmpfs /run
m tmpfs /run/lost/x
m tmpfs /run/lost
mounts >/before
run stage4-umountall -n -T tmpfs -k /k
code 0
mounts >/after
ok "nothing has changed" cmp /before /after
ok "what goes comes first" grep -qx 'unmount /run/lost: tmpfs on /run/lost' /out
ok "in the order of the tree" test "$(grep -n '^unmount /run/lost:' /out | cut -d: -f1)" -lt "$(grep -n '^unmount /run/lost/x:' /out | cut -d: -f1)"
ok "why / stays" grep -Eqx 'keep /: /[a-z]* is there, or (is )?reached through it' /out
ok "why -k stays" grep -Eqx 'keep /k: /k is there, or (is )?reached through it' /out
ok "why /proc stays" grep -Eqx 'keep /proc: /proc is there, or (is )?reached through it' /out
ok "why the other type stays" grep -qx 'leave /a/b: ramfs was not asked for' /out
ok "why its carrier stays" grep -qx 'leave /a: carries /a/b' /out
is "a line for each mount" "$(wc -l </out)" "$(mounts | wc -l)"
is "nothing on stderr" "$(cat /err)" ""
end
END

box "no time left" <<'END'
m tmpfs /busy
m tmpfs /free
pid=$(helper victim -f /busy/open)
start=$(helper ms)
STAGE4_PID=$$ STAGE4_BEGUN=1 STAGE4_DEADLINE=2 run stage4-umountall -t 60s
took=$(($(helper ms) - start))
code 0
is "what could go has gone" "$(mounts)" "/ /proc /busy"
ok "within two seconds ($took ms)" between $took 0 3000
end
END

done_testing
