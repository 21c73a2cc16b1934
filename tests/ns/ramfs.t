#!/bin/sh
# stage4-ramfs: what is inside works there; put in place at once; a failure leaves what was there; -n knows what can be used.
# shellcheck source=tests/lib.sh
. "${0%/*}/../lib.sh"

# both TITLE <script : once as a mount (plain is empty), once as a directory (plain is -d); under the sanitizers, which are
# slow, one of these in turns. What both have in common comes first.
kinds='mount -d'
both () {
  cat >/script
  if grep -q __asan_init /bin/stage4-ramfs ; then
    case $kinds in mount) kinds=-d ;; *) kinds=mount ;; esac
  fi
  for plain in $kinds ; do
    plain=${plain#mount}
    {
      echo "plain='$plain'"
      cat <<'END'
# make FILE... : /ram; no question how it went
make () { run stage4-ramfs $plain /ram "$@" ; }
# inside COMMAND... : in /ram, with nothing of the environment but PATH
inside () { env -i PATH=/bin:/usr/bin chroot /ram "$@" </dev/null 2>&1 ; }
# links FILE... : what these links are
links () { for link ; do readlink "$link" ; done ; }
# state : /ram and what is mounted, so that a difference shows
state () {
  mounts
  ls -a /
  find /ram -exec stat -c '%n %f %s %Y %Z %i' {} + | sort
  find /ram -type f -exec cksum {} + | sort
}
# own_library : one that execlineb needs and stage4-ramfs doesn't, if there is one
own_library () {
  local loader=/lib64/ld-linux-x86-64.so.2
  $loader --list /bin/stage4-ramfs | grep -q libexecline ||
    $loader --list /usr/lib/execline/bin/execlineb 2>/dev/null | sed -n 's/.*libexecline.* => \([^ ]*\).*/\1/p'
}
# fails REGEX FILE... : 111, says so, and nothing has changed
fails () {
  local regex="$1"
  shift
  touch /before /after /out /err
  state >/before 2>/dev/null
  run /usr/bin/timeout 10 stage4-ramfs $plain ${size:+-s $size} /ram "$@"
  state >/after 2>/dev/null
  code 111
  said "^stage4-ramfs: fatal: $regex" '^stage4-ramfs: fatal: /ram was not made; what was there is as it was$'
  ok "it is as it was" cmp /before /after
}
END
      cat /script
    } >/script.now
    box "$1, ${plain:-a mount}" </script.now
  done
}

## What is inside

both "the least" <<'END'
umask 077
make
code 0
said 'info: /ram is ready: [0-9]+ names, [0-9]+ KiB$'
is "one line is said" "$(wc -l </err)" 1
is "only root gets in" "$(stat -c '%u %a' /ram)" "0 700"
is "where the mounts go" "$(cd /ram && ls -d dev proc sys run oldroot)" "dev oldroot proc run sys"
for program in $(ls /bin/stage4* | grep -v 'stage4$') ; do
  ok "$program is inside" cmp "$program" "/ram$program"
  inside $program -v 9 >/said
  ok "and runs there" grep -q "^${program#/bin/}: fatal: invalid verbosity: 9" /said
done
ok "the list has its end" grep -Eqx 'end [0-9]+' /ram/stage4.manifest
is "of all that is there" "$(find /ram -mindepth 1 ! -name stage4.manifest | sed 's|^/ram/||' | sort)" \
  "$(sed '/^end /d' /ram/stage4.manifest | cut -d ' ' -f 5 | sort)"
if test -n "$plain" ; then is "it is no mount" "$(mounts)" "/ /proc" ; else
  ok "its file system is in memory" expr "$(fstype /ram)" : 'ramfs$\|tmpfs$'
  ok "nosuid, nodev" expr "$(awk '$5 == "/ram" { print "," $6 "," }' /proc/self/mountinfo)" : '.*,nosuid,.*nodev,\|.*,nodev,.*nosuid,'
fi
run stage4-ramfs -n /ram
code 0
is "it can be used" "$(cat /out)" "usable /ram"
ok "nothing is left beside it" not ls -d /ram.*
end
END

both "files, modes, links" <<'END'
mkdir -p /data/sub/deep /data/empty /usr/share
echo one >/data/one
echo two >'/data/two  words'
echo nl >"/data/new
line"
echo back >'/data/back\134slash'
echo sharp >'/data/#x='
echo utf >/data/ä
: >/data/nothing
head -c 3000000 /bin/busybox >/data/big
echo deep >/data/sub/deep/file
chmod 600 /data/one
chmod 444 /data/nothing
chmod 4755 /data/big
chmod 777 /data/sub/deep/file
chmod 700 /data/sub
chmod 1777 /data/empty
ln -s one /data/link
ln -s /data/sub/deep /data/tothere
ln -s tothere/../../one /data/around
echo aside >/usr/share/aside
ln -s ../usr/share/aside /data/out
make /data /bin/cat
code 0
is "the same names" "$(cd /ram/data && find . | sort)" "$(cd /data && find . | sort)"
for file in one 'two  words' 'new
line' 'back\134slash' '#x=' ä nothing big sub/deep/file ; do
  ok "$(echo "$file" | tr '\n' ' ') is the same" cmp "/data/$file" "/ram/data/$file"
done
for link in link tothere around out ; do is "$link leads to the same" "$(links /ram/data/$link)" "$(links /data/$link)" ; done
is "what a link leads to comes along" "$(inside cat /data/out)" "aside"
is "what is secret stays secret" "$(stat -c %a /ram/data/one)" 600
is "what can't be written stays so" "$(stat -c %a /ram/data/nothing)" 444
is "no set-user-id" "$(stat -c %a /ram/data/big)" 755
is "nobody else can write" "$(find /ram -perm /022 ! -type l)" ""
is "a directory for root alone stays so" "$(stat -c %a /ram/data/sub)" 700
run stage4-ramfs -n /ram
is "it can be used" "$code $(cat /out)" "0 usable /ram"
end
END

both "links on the way" <<'END'
mkdir -p /real/lib/deep /elsewhere
echo file >/real/lib/deep/file
ln -s real/lib /lib.link
ln -s /lib.link/deep /elsewhere/deep
ln -s ../elsewhere/./deep/file /etc/file
make /bin/cat /etc/file /lib.link/../lib/deep/../deep/file
code 0
is "the file can be read through them" "$(inside cat /etc/file)" file
is "and from where it is" "$(inside cat /real/lib/deep/file)" file
is "they are links" "$(links /ram/lib.link /ram/elsewhere/deep /ram/etc/file)" "real/lib /lib.link/deep ../elsewhere/./deep/file"
end
END

both "a link to its own directory" <<'END'
# as Debian's /usr/bin/X11 is one
mkdir -p /tree/sub
echo file >/tree/sub/file
ln -s . /tree/self
ln -s .. /tree/sub/up
ln -s /tree /tree/sub/absolute
make /tree /bin/cat
code 0
is "they are links" "$(links /ram/tree/self /ram/tree/sub/up /ram/tree/sub/absolute)" ". .. /tree"
is "and lead around" "$(inside cat /tree/self/sub/up/sub/absolute/sub/file)" file
is "it is there once" "$(find /ram/tree | wc -l)" 6
end
END

both "other places" <<'END'
mkdir -p /tree/sub /tree/bin
echo file >/tree/sub/file
chmod 640 /tree/sub/file
ln -s sub/file /tree/link
ln -s /not/there /tree/dangling
cp /bin/dash /tree/bin/shell
printf '#!/bin/dash\necho "script $1"\n' >/tree/bin/script
chmod 755 /tree/bin/script
echo conf >/etc/conf.ram
make /bin/cat /etc/conf.ram=/etc/deep/conf /tree=/place/of/it /bin/dash=/bin/shell /tree/link=/copied /tree=/
code 0
is "a file" "$(inside cat /etc/deep/conf)" conf
ok "not at its own place" not test -e /ram/etc/conf.ram
is "a tree" "$(cd /ram/place/of/it && find . | sort)" "$(cd /tree && find . | sort)"
is "modes" "$(stat -c %a /ram/place/of/it/sub/file)" 640
is "its links as they are" "$(links /ram/place/of/it/link /ram/place/of/it/dangling)" "sub/file /not/there"
ok "not at its own place either" not test -e /ram/tree
is "a link as an argument means what it leads to" "$(inside cat /copied)" file
is "a program runs" "$(inside /bin/shell -c 'echo $((6 * 7))')" 42
is "so does one of the tree" "$(inside /place/of/it/bin/shell -c 'echo $((6 * 7))')" 42
is "and its script" "$(inside /place/of/it/bin/script x)" "script x"
is "a tree at /" "$(inside cat /sub/file)" file
end
END

both "a place outside" <<'END'
echo conf >/etc/conf
mkdir /tree
echo file >/tree/escaped
make /etc/conf=/../escaped
ok "it is refused, or stays inside" not test -e /escaped
rm -rf /escaped
make /etc/conf=/etc/../../escaped
ok "it is refused, or stays inside" not test -e /escaped
rm -rf /escaped
make /tree=/..
ok "it is refused, or stays inside" not test -e /escaped
end
END

both "programs" <<'END'
mkdir /s
ln -s /bin/env /usr/bin/env
printf '#!/bin/dash\necho plain "$@"\n' >/s/plain
printf '#! /bin/dash  -e \necho spaces "$@"\nfalse\necho no' >/s/spaces
printf '#!/s/plain -x\n' >/s/nested
printf '#!/usr/lib/execline/bin/execlineb -P\n/usr/lib/execline/bin/export A b /usr/bin/env' >/s/execline
printf '#!/s/to-dash\necho link\n' >/s/link
printf '#!/bin/sh\necho text\n' >/s/text
ln -s ../bin/dash /s/to-dash
chmod 755 /s/plain /s/spaces /s/nested /s/execline /s/link
make /s /bin/dash /usr/bin/env /usr/lib/execline/bin/export
code 0
is "a dynamic program" "$(inside /bin/dash -c 'echo $((6 * 7))')" 42
is "a script" "$(inside /s/plain 1 2)" "plain 1 2"
is "an option, spaces" "$(inside /s/spaces 1)" "spaces 1"
is "a script's interpreter is a script" "$(inside /s/nested y)" "plain -x /s/nested y"
is "execline, whose libraries are others" "$(inside /s/execline | grep -v ^PATH)" "A=b"
is "an interpreter that is a link" "$(inside /s/link)" "link"
ok "of what can't be executed nothing is needed" not test -e /ram/bin/sh
ok "the cache of the linker, where there is one" test -e /etc/ld.so.cache -o ! -e /ram/etc/ld.so.cache
end
END

both "an interpreter that nothing else needs" <<'END'
printf '#!/bin/dash\necho "ran $1"\n' >/s
chmod 755 /s
make /s
code 0
is "the script runs" "$(inside /s x)" "ran x"
end
END

both "given twice" <<'END'
echo first >/first
echo second >/second
make /bin/cat /first=/x /second=/x /bin/dash /bin/dash /bin /bin/
code 0
is "the first one counts" "$(inside cat /x)" first
run stage4-ramfs -n /ram
is "it can be used" "$code $(cat /out)" "0 usable /ram"
end
END

both "a library found by a variable only" <<'END'
# in the chain nobody will set it
lib=$(own_library)
if test -z "$lib" ; then
  skip "it is refused, or works" "no library that stage4-ramfs itself doesn't need"
else
  mkdir /odd
  mv "$lib" /odd/
  LD_LIBRARY_PATH=/odd make /usr/lib/execline/bin/execlineb
  if test "$code" = 0 ; then
    is "it works" "$(inside /usr/lib/execline/bin/execlineb -c '/bin/stage4-hook -v 9' 2>&1)" "stage4-hook: fatal: invalid verbosity: 9"
  else
    said 'unable to (find a library|list the libraries) of /usr/lib/execline/bin/execlineb'
  fi
fi
end
END

## What fails

both "failures, with one that is there" <<'END'
make /etc /bin/dash
code 0
fails 'unable to copy /not/there: No such file or directory$' /bin/dash /not/there
fails 'unable to find /not/there: No such file or directory$' /not/there=/here
mkdir /tree
ln -s nowhere /tree/dangling
fails 'unable to .*/tree/dangling: No such file or directory$' /tree
rm /tree/dangling
ln -s two /tree/one
ln -s one /tree/two
fails 'unable to .*: (Too many levels of symbolic links|Symbolic link loop)$' /tree
rm /tree/*
mkfifo /tree/fifo
fails 'unable to copy what is neither file nor directory: /tree/fifo' /tree
fails 'unable to .*: /tree/fifo' /tree/fifo
fails 'unable to .*/tree/fifo' /tree/fifo=/f
rm -rf /tree/fifo /ram.*
printf '#!/not/there\n' >/tree/script
chmod 755 /tree/script
fails 'unable to .*/not/there: No such file or directory$' /tree
fails 'unable to .*/not/there: No such file or directory$' /tree=/x
rm /tree/script
printf '#!/tree/loop\n' >/tree/loop
chmod 755 /tree/loop
run /usr/bin/timeout 10 stage4-ramfs $plain /ram /tree/loop
ok "a script that interprets itself: an end is come to ($code)" test "$code" = 0 -o "$code" = 111
make /etc /bin/dash
size=100k fails 'unable to stay within the size with [^ ]*: No space left on device$' /bin/busybox
size=4096 fails 'unable to stay within the size with [^ ]*: No space left on device$'
run stage4-ramfs -n /ram
is "it can be used after all" "$code $(cat /out)" "0 usable /ram"
is "and works" "$(inside /bin/dash -c 'echo $((6 * 7))')" 42
run stage4-ramfs $plain -s 800m /ram /bin/dash
code 0
end
END

both "failures, with nothing there" <<'END'
fails 'unable to copy /not/there: No such file or directory$' /not/there
size=4096 fails 'unable to stay within the size'
run stage4-ramfs $plain /not/there/ram /bin/dash
code 111
said 'unable to make the directory /not/there/ram'
end
END

both "a failure is said once" <<'END'
echo conf >/etc/conf
mkdir -p /a/b
echo file >/a/b/file
fails 'unable to make inside the directory a/b: Not a directory$' /etc/conf=/a /a/b/file
is "in one line, and what became of it" "$(wc -l </err)" 2
ln -s b /a/link
fails 'unable to make inside the link a/link: Not a directory$' /etc/conf=/a /a/link/file
is "in one line, and what became of it" "$(wc -l </err)" 2
fails 'unable to copy /a/b/none: No such file or directory$' /a/b/none
is "in one line, and what became of it" "$(wc -l </err)" 2
end
END

both "too large to be read first" <<'END'
truncate -s 1000000000 /large
chmod 000 /large
# without CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH nobody can open it
run helper without 1 helper without 2 stage4-ramfs $plain -s 100m /ram /large
code 111
said '^stage4-ramfs: fatal: unable to stay within the size with large: No space left on device$'
run helper without 1 helper without 2 stage4-ramfs $plain /ram /large
said '^stage4-ramfs: fatal: unable to read /large: Permission denied$'
end
END

both "a toolkit that is not whole" <<'END'
make
mv /bin/stage4-hpr /aside
fails "unable to find the toolkit's /bin/stage4-hpr: No such file or directory$"
cp /aside /bin/stage4-hpr
chmod 644 /bin/stage4-hpr
fails "unable to find the toolkit's /bin/stage4-hpr: Permission denied$"
cp -p /bin/stage4-nuke /bin/stage4
make
code 0
is "the one binary has them all" "$(links /ram/bin/stage4-hpr)" stage4
end
END

both "an empty directory" <<'END'
mkdir /ram
make /bin/dash
code 0
is "the program runs" "$(inside /bin/dash -c 'echo $((6 * 7))')" 42
end
END

both "libraries that are missing" <<'END'
lib=$(own_library)
if test -z "$lib" ; then
  skip "said" "no library that stage4-ramfs itself doesn't need"
else
  make /bin/dash
  rm "$lib"*
  fails 'unable to .*librar.* of /usr/lib/execline/bin/execlineb' /usr/lib/execline/bin/execlineb
  fails 'unable to .*librar.* of /usr/lib/execline/bin/execlineb' /usr/lib/execline/bin/execlineb=/x
  ok "the library is named" grep -q libexecline /err
  unsaid 'Key has expired'     # the linker's exit code is no errno
  printf '#!/usr/lib/execline/bin/execlineb -P\n' >/script
  chmod 755 /script
  fails 'unable to .*librar.* of /usr/lib/execline/bin/execlineb' /script
fi
head -c 20000 /bin/dash >/half
chmod 755 /half
fails 'unable to .*/half' /half
end
END

both "what it did not make" <<'END'
mkdir /ram
if test -z "$plain" ; then m tmpfs /ram ; fi
echo mine >/ram/mine
fails 'unable to replace what stage4-ramfs did not make: /ram: File exists$|unable to replace what stage4-ramfs did not make: /ram: Directory not empty$' /bin/dash
is "is there" "$(cat /ram/mine)" mine
end
END

box "not the other kind either" <<'END'
stage4-ramfs /ram /bin/dash 2>/dev/null
mounts >/before
run stage4-ramfs -d /ram /bin/dash
code 111
is "nothing has changed" "$(mounts)" "$(cat /before)"
run stage4-ramfs -n /ram
is "it can be used" "$code $(cat /out)" "0 usable /ram"
end
END

box "a directory that can be opened but not read" <<'END'
# this one is such without CAP_SYS_PTRACE; ls shows nothing of an error then
dir=/proc/1/map_files
if test -z "$(ls $dir)" || test -n "$(helper without 19 ls $dir 2>&1)" ; then skip "it is an error" "no such directory"
else
  run helper without 19 stage4-ramfs -d /ram $dir=/x
  code 111
  said '^stage4-ramfs: fatal: unable to read the directory /proc/1/map_files: Permission denied$'
  run stage4-ramfs -n /ram
  is "nothing was made" "$(cat /out)" "unusable /ram: no such directory: /ram"
fi
end
END

box "into what is copied" <<'END'
mkdir /tree
echo file >/tree/file
ln -s /tree /link
m tmpfs /elsewhere
mkdir /elsewhere/bound
mount -o bind /tree /elsewhere/bound
# it is found out by what it is: a name may be any
for from in /tree /tree=/x /tree/=/x /link /link=/x /elsewhere=/x ; do
  run /usr/bin/timeout 20 stage4-ramfs -d /tree/ram $from
  code 111
  said '^stage4-ramfs: fatal: unable to copy the ramfs into itself: /[a-z/]*/ram[.]stage.-new: Invalid argument$'
  is "$from: nothing is left" "$(ls -A /tree)" file
done
run stage4-ramfs -d /tree/ram /tree/file
code 0
run stage4-ramfs -d /tree/ram /tree/ram=/old /tree/file
code 0
ok "the old one is no obstacle" test -e /tree/ram/old/tree/file
run stage4-ramfs /mounted /tree /tree/ram=/old
code 0
run /usr/bin/timeout 20 stage4-ramfs /tree/mounted /tree
code 0
is "nor is one that is mounted: nothing leads into it" "$(find /tree/mounted/tree/mounted)" /tree/mounted/tree/mounted
end
END

## A rerun

both "replaced" <<'END'
echo old >/x
make /x /bin/dash
echo new >/x
make /x
code 0
is "the new one is there" "$(cat /ram/x)" new
ok "what is not asked for any more is gone" not test -e /ram/bin/dash
is "one mount, not two" "$(mounts | grep -c ram)" "$(test -n "$plain" && echo 0 || echo 1)"
ok "nothing is left beside it" not ls -d /ram.*
exec 5</ram/x
make /bin/dash
code 0
is "who still reads the old one can" "$(cat <&5)" new
exec 5<&-
beside=.stage4
mkdir -p /ram$beside-new/half
make /x
code 0
ok "what an interrupted one has left is no obstacle" not test -e /ram$beside-new/half -a -n "$plain"
end
END

both "at once" <<'END'
make /bin/dash
helper reader /ram/stage4.manifest /stop >/seen &
i=0
limit=$(($(helper ms) + 8000))
while test $i -lt 40 -a $(helper ms) -lt $limit ; do
  stage4-ramfs $plain /ram /bin/dash 2>/err || echo "failed $i" >>/failures
  i=$((i + 1))
done
: >/stop
wait
cat /seen
ok "no run has failed" not test -e /failures
ok "it was looked at" expr "$(cat /seen)" : 'good [1-9][0-9][0-9]'
ok "a half list was never seen" grep -q ', torn 0,' /seen
# a mount can't be exchanged for another before Linux 6.5: for an instant there is none (doc/stage4-ramfs.html)
test -z "$plain" || ok "there was always one" grep -q ', missing 0$' /seen
end
END

## -n

both "not usable" <<'END'
echo aside >/etc/aside
make /etc/aside /bin/dash
# tells WHAT WORDS : what -n says
tells () {
  run stage4-ramfs -n /ram
  is "$1: said" "$(cat /out)" "$2"
  is "$1: exit code" "$code" "$3"
  is "$1: nothing else" "$(cat /err)" ""
}
tells fresh "usable /ram" 0
touch -d '2001-01-01 00:00' /etc/aside
tells "another time" "stale /ram: 1 files have changed since it was made" 1
rm /etc/aside
tells "its source is gone" "stale /ram: 1 files have changed since it was made" 1
make /bin/dash
tells "made anew" "usable /ram" 0
cp /ram/stage4.manifest /whole
chmod 600 /ram/stage4.manifest
head -n -1 /whole >/ram/stage4.manifest
tells "no end" "unusable /ram: stage4.manifest is torn in /ram" 1
head -n -2 /whole >/ram/stage4.manifest
tail -n 1 /whole >>/ram/stage4.manifest
tells "a line is missing" "unusable /ram: stage4.manifest is torn in /ram" 1
rm /ram/stage4.manifest
tells "none" "unusable /ram: no stage4.manifest in /ram" 1
cp /whole /ram/stage4.manifest
mv /ram/bin/dash /aside
tells "a file is missing" "unusable /ram: missing inside: bin/dash" 1
head -c 1000 /aside >/ram/bin/dash
chmod 755 /ram/bin/dash
tells "a file is half" "unusable /ram: not whole inside: bin/dash" 1
rm /ram/bin/dash
mkdir /ram/bin/dash
tells "a file is none" "unusable /ram: not whole inside: bin/dash" 1
rmdir /ram/bin/dash
cp -p /aside /ram/bin/dash
tells "all again" "usable /ram" 0
chmod 644 /ram/bin/dash
run stage4-ramfs -n /ram
ok "a program that can't be executed: not usable" grep -q '^unusable /ram: .*bin/dash' /out
chmod 755 /ram/bin/dash
chmod 702 /ram
tells "others can write" "unusable /ram: others can write to /ram" 1
chmod 700 /ram
mkdir -p /open/in
chmod 770 /open
mkdir /open/in/ram
mount -o bind /ram /open/in/ram
run stage4-ramfs -n /open/in/ram
is "others can write above it" "$code $(cat /out)" "1 unusable /open/in/ram: others can write to /open"
chmod 1777 /open
run stage4-ramfs -n /open/in/ram
is "but not with the sticky bit" "$code $(cat /out)" "0 usable /open/in/ram"
mount -o remount,bind,noexec /open/in/ram
run stage4-ramfs -n /open/in/ram
is "noexec" "$code $(cat /out)" "1 unusable /open/in/ram: mounted noexec: /open/in/ram"
umount /open/in/ram
run stage4-ramfs -n /proc/sys/kernel
is "somebody else's" "$code $(cat /out)" "1 unusable /proc/sys/kernel: not owned by root: /proc"
run stage4-ramfs -n /not/there
is "nothing there" "$code $(cat /out)" "1 unusable /not/there: no such directory: /not/there"
end
END

done_testing
