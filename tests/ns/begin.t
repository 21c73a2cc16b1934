#!/bin/sh
# stage4-begin: what is wrong is found while everything still lives; then the process is fit for the rest.
# shellcheck source=tests/lib.sh
. "${0%/*}/../lib.sh"

# The script ends with `begin OPTION...`.
common () {
  # shellcheck disable=SC2016
  echo 'begin () { run_it stage4-begin "$@" helper code sh -c "$(cat /next)" ; }'
}

## What the next program finds

both "a spoilt process" <<'END'
mkdir -p /some/where
cat >/then <<'X'
code 0
helper look >/look
is "signals are ignored, but those of faults, children and waking" "$(sed -n 's/^ignored //p' /look)" \
  "1 2 3 10 12 13 14 15 16 20 21 22 23 24 25 26 27 28 29 30"
for line in 'blocked 0' 'pdeathsig 0' 'umask 022' 'leader 0' 'tty 0' 'core 0' ; do ok "$line" grep -qx "$line" /look ; done
is "its session is its own" "$(cut -d ' ' -f 5,6 /proc/$$/stat)" "$$ $$"
is "the file limit is at its maximum" "$(sed -n 's/^files \(.*\) \(.*\)/\1-\2/p' /look)" 4096-4096
is "the working directory" "$(readlink /proc/$$/cwd)" /
is "stdin" "$(readlink /proc/$$/fd/0)" /dev/null
ok "it can only be read" grep -q '^flags:.*0$' /proc/$$/fdinfo/0
is "stderr has stayed" "$(readlink /proc/$$/fd/2)" /err
for fd in /proc/$$/fd/* ; do
  case ${fd##*/} in 0 | 1 | 2) continue ;; esac
  case $(readlink $fd) in socket:*) echo x >>/locks ;; /then | '') ;; *) readlink $fd >>/others ;; esac
done
is "other fds: the lock" "$(cat /locks)" x
is "and nothing else" "$(cat /others 2>/dev/null)" ""
if grep -qx 'priority 0' /look ; then verdict ok "priority 0" ; else skip "priority 0" "without a capability outside nobody may have more priority" ; fi
if test "$(cat /proc/$$/oom_score_adj)" = -1000 ; then verdict ok "OOM score -1000" ; else
  skip "OOM score -1000" "without a capability outside nobody may lower it"
  said '^stage4-begin: warning: unable to protect this process from the OOM killer: Permission denied$'
fi
said "^stage4-begin: info: poweroff by pid $$\$"
unsaid fatal
end
X
cd /some/where
begin_spoilt () { run_it helper spoilt stage4-begin "$@" helper code sh -c "$(cat /next)" ; }
begin_spoilt -A poweroff -o
END

both "the environment" <<'END'
cat >/then <<'X'
code 0
is "action, pid, verbosity" "$STAGE4_ACTION $STAGE4_PID $STAGE4_VERBOSITY" "kexec $$ 2"
is "the argument" "$STAGE4_ARG" "one two"
is "the deadline" "$((STAGE4_DEADLINE - STAGE4_BEGUN))" 7500
ok "counts from the beginning" between "$((STAGE4_BEGUN - $(cat /start)))" 0 2000
is "of another chain nothing is left" "${STAGE4_RAMFS-unset} ${STAGE4_OLDROOT-unset} ${STAGE4_WALK-unset}" "unset unset unset"
is "the rest is as it was" "$OTHER $PATH" "thing /bin:/usr/bin"
said '^stage4-begin: info: kexec by pid [0-9]+, within 7.5 s$'
end
X
export OTHER=thing STAGE4_RAMFS=/old STAGE4_OLDROOT=/older STAGE4_ARG=old STAGE4_DEADLINE=5 STAGE4_PID=77 STAGE4_ACTION=halt
begin -k -t 7500 -a 'one two' -v 2 -o
END

both "without a budget, without an argument" <<'END'
cat >/then <<'X'
code 0
is "of another chain nothing is left" "${STAGE4_ARG-unset} ${STAGE4_DEADLINE-unset}" "unset unset"
is "verbosity" "$STAGE4_VERBOSITY" 1
end
X
export STAGE4_ARG=old STAGE4_DEADLINE=5
begin -r -o
END

box "actions" <<'END'
for try in '-A reboot=reboot' '-A poweroff=poweroff' '-A halt=halt' '-A kexec=kexec' '-A return=return' '-A 0=poweroff' '-A 6=reboot' \
  '-r=reboot' '-p=poweroff' '-h=halt' '-k=kexec' ; do
  is "${try%=*}" "$(stage4-begin ${try%=*} -o sh -c 'echo $STAGE4_ACTION $1' x 2>/err)" "${try#*=}"
done
end
END

both "the console" <<'END'
: >/dev/console
cat >/then <<'X'
exec 3>/result 4>&1
is "stdout and stderr are the console" "$(readlink /proc/$$/fd/1 ; readlink /proc/$$/fd/2)" "/dev/console /dev/console" >/result
ok "what is said goes there" grep -q '^stage4-begin: info: reboot by pid ' /dev/console >>/result
end >>/result
cp /result /result.done
X
if test "$as" = 'pid 1' ; then
  # its output is lost with it: another one tells
  ( await test -e /result.done ; cat /result ; : >/told ) &
  echo 'await test -e /told' >>/then
  begin -A reboot
fi
begin -A reboot -c
await test -e /result.done
cat /result
END

both "the kernel log" <<'END'
: >/dev/kmsg
cat >/then <<'X'
is "stdout and stderr are the kernel log" "$(readlink /proc/$$/fd/1 ; readlink /proc/$$/fd/2)" "/dev/kmsg /dev/kmsg" >/result
ok "what is said goes there" grep -q '^stage4-begin: info: reboot by pid ' /dev/kmsg >>/result
end >>/result
cp /result /result.done
X
if test "$as" = 'pid 1' ; then
  ( await test -e /result.done ; cat /result ; : >/told ) &
  echo 'await test -e /told' >>/then
fi
begin -A reboot -K
await test -e /result.done
cat /result
END

both "no console" <<'END'
cat >/then <<'X'
code 0
said '^stage4-begin: warning: unable to open /dev/console: No such file or directory$'
is "stderr has stayed" "$(readlink /proc/$$/fd/2)" /err
end
X
begin -A reboot
END

box "from a terminal, as the leader of a group" <<'END'
mkdir /dev/pts
mount -t devpts -o newinstance,ptmxmode=0666 devpts /dev/pts && ln -s pts/ptmx /dev/ptmx
cat >/next <<'X'
cut -d ' ' -f 5,6,7 /proc/$$/stat >/groups
echo $$ >/pid
X
helper terminal sh -c 'cut -d " " -f 5,6,7 /proc/$$/stat >/before ; echo $$ >>/before ; exec "$@"' x stage4-begin -A reboot -o sh /next 2>/err
sed 's/^/# /' /before /err
ok "it was what it should be" test "$(tail -n 1 /before)" = "$(head -n 1 /before | cut -d ' ' -f 1)" -a "$(head -n 1 /before | cut -d ' ' -f 3)" != 0
is "it leads a session, without a terminal" "$(cat /groups)" "$(cat /pid) $(cat /pid) 0"
end
END

both "no fds at all" <<'END'
cat >/then <<'X'
exec >/result 2>&1
ok "0 to 2 are open" test -e /proc/$$/fd/0 -a -e /proc/$$/fd/1 -a -e /proc/$$/fd/2
end
cp /result /result.done
test $$ != 1 || await test -e /told
X
( await test -e /result.done ; cat /result ; : >/told ) &
exec 9>&1
run_it stage4-begin -A reboot -o helper code sh -c "$(cat /next)" <&- >&- 2>&-
await test -e /told
END

both "no /proc" <<'END'
cat >/then <<'X'
X
umount -l /proc
run_it stage4-begin -A reboot -o helper code sh -c '. /t/lib.sh ; code=$CODE ; code 0 ; end'
END

## One chain at a time

box "a second one" <<'END'
pid=$(helper victim -l /log)
stage4-begin -A reboot -o sh -c 'echo ready >/ready ; exec sleep 1000' 2>/first &
first=$!
await test -e /ready
m tmpfs /a
STAGE4_ACTION=halt run stage4-begin -A poweroff -o sh -c 'echo second >/second'
code 111
said '^stage4-begin: fatal: a chain is under way on this machine already$'
is "one line is said" "$(wc -l </err)" 1
ok "its line was not run" not test -e /second
run stage4-begin -A poweroff -o stage4-nuke stage4-umountall sh -c 'echo second >/second'
code 111
ok "its line was not run" not test -e /second
is "the first one is alive" "$(alive $first)" $first
is "so is everybody" "$(alive $pid)$(cat /log)" $pid
is "what is mounted is mounted" "$(mounts)" "/ /proc /a"
run stage4-begin -n -A poweroff -o true
code 0
kill -9 $first
wait $first 2>/dev/null
run stage4-begin -A poweroff -o sh -c 'echo third >/third'
code 0
is "once it has ended another one may" "$(cat /third)" third
unsaid 'under way'
end
END

box "many at once" <<'END'
# each has walked its line when another one takes the name
for i in 1 2 3 4 5 6 7 8 ; do
  stage4-begin -A reboot -o sh -c 'echo x >>/began ; exec sleep 1000' 2>>/err &
done
await sh -c 'test "$(grep -c "under way" /err)" = 7'
await test -s /began
is "one has begun" "$(wc -l </began)" 1
unsaid "unable to keep other chains"
end
END

box "the end of one that leaves a daemon" <<'END'
run stage4-begin -A return -o stage4-hook " helper" " victim" "" true
code 0
daemon=$(cat /out)
is "it is alive" "$(alive $daemon)" $daemon
run stage4-begin -A return -o sh -c 'echo second >/second'
code 0
is "another one may begin" "$(cat /second)" second
end
END

box "somebody who is not root" <<'END'
# the name of the lock can be taken by everybody; that must not keep root from a shutdown
mkfifo /stay
helper nobody sh -c 'id -u >/uid ; exec helper lock <>/stay' >/locked &
await grep -q locked /locked
is "it is somebody else" "$(cat /uid)" 65534
run stage4-begin -A reboot -o sh -c 'echo begun >/begun'
code 0
is "the chain has begun" "$(cat /begun)" begun
end
END

box "pid 1 goes on" <<'END'
# somebody must end the machine
mkfifo /stay
helper lock <>/stay >/locked &
await grep -q locked /locked
exec stage4-begin -A reboot -o sh -c '. /t/lib.sh
sed "s/^/# /" /err
ok "it says so" grep -q "^stage4-begin: warning: unable to keep other chains from beginning" /err
end' 2>/err
END

## The walk: nothing is touched

box "errors anywhere" <<'END'
stage4-ramfs -d /ram /bin/cat 2>/ramfs.err || cat /ramfs.err
mkdir /dir
: >/plain
m tmpfs /a
pid=$(helper victim -l /log)
exec 9>&1
# wrong REGEX LINE : LINE in execline
wrong () {
  run execlineb -c "$2"
  is "100: $2" "$code" 100
  ok "said: $1" grep -Eq -e "$1" /err
  ok "nothing was touched" grep -q '^stage4-begin: fatal: this line can.t be walked to its end; nothing was touched$' /err
}
# right LINE : so that it is no wonder that wrong ones are wrong
right () {
  run execlineb -c "$1"
  is "fine: $1" "$code" 0
}
begin='stage4-begin -A reboot -o'
right 'stage4-begin -n -A reboot stage4-nuke stage4-settle { stage4-umountall -T tmpfs stage4-swapoff } stage4-hook { true } stage4-hookdir -d /d stage4-freeze stage4-hpr'
right 'stage4-begin -n -A reboot -R /ram stage4-nuke stage4-pivot stage4-umountall /bin/cat'
right 'stage4-begin -n -A reboot -R /ram stage4-nuke stage4-pivot stage4-umountall stage4-hpr'
right 'stage4-begin -n -A return stage4-nuke stage4-umountall true'
right 'stage4-begin -n -A reboot true stage4-nuke -Q'

wrong '^stage4-nuke: fatal: usage: ' "$begin stage4-nuke -Q true"
wrong '^stage4-nuke: fatal: invalid time' "$begin stage4-nuke -t 1m true"
wrong '^stage4-umountall: fatal: invalid time \(0 makes' "$begin stage4-nuke stage4-umountall -t 0 true"
wrong '^stage4-umountall: fatal: invalid path' "$begin stage4-nuke stage4-swapoff stage4-umountall -k rel true"
wrong '^stage4-swapoff: fatal: usage: ' "$begin stage4-swapoff -t"
wrong '^stage4-hpr: fatal: usage: ' "$begin stage4-nuke stage4-hpr true"
wrong '^stage4-hpr: fatal: invalid action: bang' "$begin stage4-nuke stage4-umountall stage4-hpr -A bang"
wrong '^stage4-freeze: fatal: usage: ' "$begin stage4-nuke stage4-freeze -T x true"
wrong '^stage4-hookdir: fatal: usage: ' "$begin stage4-nuke stage4-hookdir true"
wrong 'unable to find the next program, /not/there' "$begin /not/there"
wrong 'unable to find the next program, not-there' "$begin stage4-nuke stage4-umountall not-there"
wrong 'unable to find the next program, not-there' "$begin stage4-nuke stage4-settle { stage4-umountall } not-there"
wrong 'unable to find the next program, /plain: Permission denied' "$begin stage4-nuke /plain"
wrong 'unable to find the next program, /dir: Permission denied' "$begin stage4-nuke /dir"
wrong '^stage4-settle: fatal: usage: ' "stage4-begin -A reboot -o stage4-nuke stage4-settle stage4-umountall"
wrong 'fatal: empty block' "$begin stage4-nuke stage4-settle { } stage4-umountall"
wrong '^stage4-umountall: fatal: usage: ' "$begin stage4-nuke stage4-settle { stage4-umountall -Q } true"
wrong '^stage4-swapoff: fatal: usage: ' "$begin stage4-nuke stage4-settle { stage4-umountall stage4-swapoff -Q } true"
wrong 'unable to find the next program, not-there' "$begin stage4-nuke stage4-settle { stage4-umountall not-there } true"
wrong 'unable to find the next program, not-there' "$begin stage4-nuke stage4-hook { not-there } true"
wrong '^stage4-nuke: fatal: usage: ' "$begin stage4-hook { true } stage4-nuke -Q true"
wrong '^stage4-umountall: fatal: usage: ' "$begin stage4-settle { stage4-settle { stage4-umountall -Q } true } true"
wrong 'unable to find the next program, /plain' "$begin -R /ram stage4-nuke stage4-pivot stage4-umountall /plain"
wrong 'unable to find the next program, execlineb' "$begin -R /ram stage4-nuke stage4-pivot stage4-umountall execlineb"
wrong 'unable to find the next program, execlineb' "$begin stage4-nuke stage4-pivot -R /ram stage4-settle { stage4-umountall execlineb } stage4-swapoff"
wrong '^stage4-hpr: fatal: stage4-begin -A return' 'stage4-begin -A return -o stage4-nuke stage4-hpr'
wrong '^stage4-pivot: fatal: after stage4-begin -A return' 'stage4-begin -A return -o stage4-nuke stage4-pivot -R /ram stage4-umountall'
wrong '^stage4-freeze: fatal: after stage4-begin -A return' 'stage4-begin -A return -o stage4-nuke stage4-freeze true'

is "the other process has got no signal" "$(alive $pid) $(cat /log)" "$pid "
is "nothing was unmounted" "$(mounts)" "/ /proc /a"
end
END

box "a second begin in the same line" <<'END'
# it would give up in the middle: it finds its own lock
pid=$(helper victim -l /log)
run stage4-begin -A reboot -o stage4-nuke stage4-begin -A reboot -o true
ok "it is found by the walk, or does no harm ($code)" test "$code" = 100 -o "$code" = 0
if test "$code" != 0 ; then is "the other process is alive" "$(alive $pid)" $pid ; fi
end
END

box "-A return, and an hpr that means something else" <<'END'
# "pivot, freeze and hpr then refuse"
run stage4-begin -n -A return stage4-nuke stage4-hpr -A reboot
code 100
end
END

box "options of its own" <<'END'
wrong () {
  run stage4-begin "$@"
  code 100
  said '^stage4-begin: fatal: (usage|invalid)'
}
wrong
wrong -A reboot
wrong true
wrong -A restart true
wrong -A '' true
wrong -A 1 true
wrong -r -t 0 true
wrong -r -t 10m true
wrong -r -t -1 true
wrong -r -t 9999999999 true
wrong -r -R rel true
wrong -r -R / true
wrong -r -R '' true
wrong -r -v 4 true
wrong -r -f true
wrong -r -x true
end
END

box "the plan" <<'END'
stage4-ramfs -d /ram 2>/ramfs.err || cat /ramfs.err
pid=$(helper victim -l /log)
run stage4-begin -n -A 6 -t 90s -R /ram stage4-nuke -t 5s touch /touched
code 0
is "nothing is said" "$(cat /err)" ""
ok "what it would do" grep -q '^begin reboot: by pid [0-9]*$' /out
ok "the budget" grep -qx 'budget 90.0 s\|budget 90 s' /out
ok "the ramfs" grep -qx 'use the ramfs /ram' /out
is "its words" "$(sed -n 's/^word //p' /out)" "stage4-nuke -t 5s touch /touched"
ok "nothing was run" not test -e /touched
is "nobody got a signal" "$(alive $pid)$(cat /log)" $pid
run stage4-begin -n -A 6 -t 90s -R /not/there stage4-nuke -t 5m touch /touched
code 100
ok "not the ramfs" grep -qx 'not used: the ramfs /not/there' /out
said '^stage4-begin: warning: the ramfs /not/there is not used: ' '^stage4-nuke: fatal: invalid time'
end
END

## The ramfs

both "one that can be used" <<'END'
mkdir /own
for dir in own old ; do mkdir -p /$dir ; printf '#!/bin/sh\necho old\n' >/$dir/marker ; chmod 755 /$dir/marker ; done
rm -r /old
mkdir -p /usr/bin
cat >/then <<'X'
code 0
is "the variable" "$STAGE4_RAMFS" /ram
is "its programs come first" "$(marker)" ram
is "the others are found as well" "$(only-outside)" outside
is "PATH" "$PATH" "/ram/bin:/ram/usr/bin:/ram/own:/bin:/usr/bin:/own"
unsaid 'ramfs'
end
X
printf '#!/bin/sh\necho outside\n' >/own/only-outside
stage4-ramfs -d /ram /own/marker /t /bin/helper /bin/sh 2>/ramfs.err || cat /ramfs.err
printf '#!/bin/sh\necho ram\n' >/ram/own/marker
chmod 755 /own/*
export PATH=/bin:/usr/bin:/own
begin -A reboot -R /ram -o
END

both "one that can't be used" <<'END'
cat >/then <<'X'
code 1
is "it is not used" "${STAGE4_RAMFS-unset} $PATH" "unset /bin:/usr/bin"
said '^stage4-begin: warning: the ramfs /ram is not used: stage4.manifest is torn in /ram$'
end
X
stage4-ramfs -d /ram 2>/ramfs.err || cat /ramfs.err
chmod 600 /ram/stage4.manifest
echo 'f torn' >/ram/stage4.manifest
begin -A reboot -R /ram -o
END

both "none" <<'END'
cat >/then <<'X'
code 1
said '^stage4-begin: warning: the ramfs /not/there is not used: no such directory: /not/there$'
end
X
begin -A reboot -R /not/there -o
END

both "one that can't be used, and a pivot" <<'END'
# the same words do the same in the old root
cat >/then <<'X'
code 0
is "all is unmounted" "$(mounts)" "/ /proc"
said '^stage4-begin: warning: the ramfs /ram is not used: ' '^stage4-pivot: warning: no pivot: '
end
X
m tmpfs /a
mkdir /ram
run_it stage4-begin -A reboot -R /ram -o stage4-pivot stage4-umountall helper code sh -c "$(cat /next)"
END

both "one that is stale" <<'END'
cat >/then <<'X'
code 0
is "it is used" "$STAGE4_RAMFS" /ram
said '^stage4-begin: warning: the ramfs /ram is stale: 1 files have changed since it was made$'
end
X
echo x >/etc/file
stage4-ramfs -d /ram /etc/file 2>/ramfs.err || cat /ramfs.err
touch -d '2001-01-01 00:00' /etc/file
begin -A reboot -R /ram -o
END

## The budget

both "a process that ignores, and two seconds" <<'END'
pid=$(helper victim -i -l /log)
echo "pid=$pid" >/then
cat >>/then <<'X'
code 0
is "it is gone" "$(alive $pid)" ""
is "it was asked" "$(cat /log)" "15 18"
ok "three quarters of the budget, not ten seconds: $took ms" between $took 1200 2100
end
X
run_it stage4-begin -A reboot -t 2s -o stage4-nuke -t 10s -k 10s helper code sh -c "$(cat /next)"
END

both "many steps, and two seconds" <<'END'
for i in 1 2 3 4 5 6 ; do helper victim -i >>/pids ; done
m tmpfs /busy
m tmpfs /free
helper victim -i -a @kept -f /busy/open >/kept
cat >/then <<'X'
is "they are gone" "$(alive $(cat /pids))" ""
is "what could go has gone" "$(mounts)" "/ /proc /busy"
ok "the whole of it took $took ms" between $took 1200 6000
end
X
run_it stage4-begin -A reboot -t 2s -o stage4-nuke -t 10s stage4-hook -t 10s " sleep" " 1000" "" stage4-settle " sleep" " 1000" "" \
  stage4-hook -t 10s " sleep" " 1000" "" stage4-umountall -t 10s helper code sh -c "$(cat /next)"
END

## A whole chain

both "from one end to the other" <<'END'
mkdir -p /lib /lib64 /usr
m tmpfs /dev ; : >/dev/null
m tmpfs /a ; m tmpfs /a/b ; m tmpfs /run
for i in 1 2 3 ; do helper victim -f /a/b/$i >>/pids ; done
cat >/t/then <<'X'
. /t/lib.sh
is "?" "$CODE" 0
is "the way" "$STAGE4_OLDROOT ${STAGE4_RAMFS-unset} $STAGE4_PID" "/oldroot unset $$"
is "PATH is as it was" "$PATH" /bin:/usr/bin
is "what is mounted" "$(mounts | sort)" "$(test $$ = 1 && echo / /dev /proc /run || echo / /dev /oldroot /proc /run)"
end
X
stage4-ramfs /ram /bin /t /lib /lib64 /usr 2>/ramfs.err || cat /ramfs.err
run_it stage4-begin -A reboot -t 30s -R /ram -o stage4-nuke stage4-pivot stage4-settle " stage4-umountall" " stage4-swapoff" "" helper code sh /t/then
END

done_testing
