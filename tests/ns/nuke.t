#!/bin/sh
# stage4-nuke: who dies, how, and when it goes on; who is spared. Each as pid 1 of the namespace and as another process.
# shellcheck source=tests/lib.sh
. "${0%/*}/../lib.sh"

# The script ends with `nuke OPTION...`; victims that it has started are $pids, in /then as well, $last is when the last
# one of those that say so has gone.
common () {
  cat <<'END'
pids=''
victim () { pid=$(helper victim "$@") ; pids="$pids${pids:+ }$pid" ; }
nuke () {
  echo "$pids" >/pids
  run_it stage4-nuke -f "$@" helper code sh /next
}
# /inner in a pid namespace in another one, and this command beside it in a third one; each says when it is ready
nest () {
  mkfifo /ready
  helper setsid unshare -p -f sh -c 'unshare -p -f sh /inner ; exec sleep 5000'
  read -r said </ready
  helper setsid unshare -p -f sh -c "$1 ; echo >/ready ; exec sleep 6000"
  read -r said </ready
}
cat >/more <<'X'
inits () { grep -l '^NSpid:.[0-9].*[^0-9]1$' /proc/[0-9]*/status 2>/dev/null ; }
last=$(cat /last* 2>/dev/null | sort -n | tail -n 1)
pids=$(cat /pids 2>/dev/null)
X
END
}

both "everybody ends" <<'END'
for i in 1 2 3 4 5 6 7 8 9 10 ; do victim -n worker$i -c $((i * 30)) -x /last.$i ; done
for i in 1 2 3 4 5 6 7 8 9 10 ; do victim -n 'a) S 1 (' ; done
for i in 1 2 3 4 5 ; do sleep 1000 & pids="$pids $!" ; done
is "25 are alive" "$(alive $pids | wc -l)" 25
cat >/then <<'X'
code 0
is "nobody is left" "$(alive $pids)" ""
is "all had their time to clean up" "$(ls /last.* | wc -l)" 10
ok "goes on at once: $((now - last)) ms after the last has gone" between $((now - last)) 0 250
ok "not before" between $((now - last)) 0 100000
ok "takes what they take: $took ms" between $took 300 1500
said 'info: nobody is left after [0-9. ms]+, asked 25, killed 0$'
unsaid warning
if test "$as" = 'pid 1' ; then is "no zombies" "$(grep -l '^State:.Z' /proc/[0-9]*/status 2>/dev/null | wc -l)" 0 ; fi
end
X
nuke -t 10s
END

both "the stopped" <<'END'
for i in 1 2 3 ; do victim -S -l /log.$i -x /last.$i ; done
is "they are stopped" "$(grep -l '^State:.T' /proc/[0-9]*/status | wc -l)" 3
cat >/then <<'X'
code 0
is "nobody is left" "$(alive $pids)" ""
is "they could end by themselves" "$(ls /last.* | wc -l)" 3
ok "and needed no grace ($took ms)" between $took 0 1500
end
X
nuke -t 10s
END

both "who ignores" <<'END'
victim -i -l /log -n stubborn
stubborn=$pids
victim -x /last.1
cat >/then <<X
code 0
is "nobody is left" "\$(alive \$pids)" ""
is "it was asked first, and waked" "\$(cat /log)" "15 18"
ok "killed after the grace, and no later: \$took ms" between \$took 400 1400
ok "the other one could end by itself" test -n "\$last"
said 'info: killing $stubborn stubborn\$' 'info: nobody is left after .*, asked 2, killed 1\$'
end
X
nuke -t 400 -k 5s
END

both "no grace" <<'END'
victim -i -l /log
cat >/then <<'X'
code 0
is "nobody is left" "$(alive $pids)" ""
said 'info: nobody is left after .*, asked 1, killed [01]$'
ok "at once: $took ms" between $took 0 800
end
X
nuke -t 0
END

both "another signal" <<'END'
victim -l /log
cat >/then <<'X'
code 0
is "it was sent" "$(cat /log)" "10 18"
end
X
nuke -s USR1 -t 300
END

both "a terminal" <<'END'
mkdir /dev/pts
mount -t devpts -o newinstance,ptmxmode=0666 devpts /dev/pts && ln -s pts/ptmx /dev/ptmx
victim -p -i -H -l /log.tty
victim -l /log.none -c 50
cat >/then <<'X'
code 0
is "nobody is left" "$(alive $pids)" ""
ok "it ended at SIGHUP ($took ms)" between $took 0 1500
is "who has none gets none" "$(cat /log.none)" "15"
ok "who has one gets it" grep -qx 1 /log.tty
end
X
nuke -t 10s
END

both "who leaves children" <<'END'
victim -F 4 -l /log
cat >/then <<'X'
code 0
is "each was asked" "$(grep -cx 15 /log)" 5
is "nobody is left" "$(grep -l '^Name:.helper' /proc/[0-9]*/status 2>/dev/null)" ""
ok "at once ($took ms)" between $took 0 2000
end
X
nuke -t 10s
END

both "spared" <<'END'
mkdir /omit /omit/dir
victim -l /log.o
victim -l /log.d1
echo $pid >/omit/one.pid
victim -l /log.d2
printf %s $pid >/omit/two
victim -a @storage -l /log.at
victim -a '@' -l /log.alone
ok "the first byte is @" grep -q '^@' /proc/$pid/cmdline
spared=$pids pids=''
echo nonsense >/omit/nonsense
: >/omit/empty
victim -a 'no@' -x /last.1
cat >/then <<X
code 0
is "the others are gone" "\$(alive \$pids)" ""
is "they are alive" "\$(alive $spared)" "$spared"
is "and have got no signal at all" "\$(cat /log.*)" ""
ok "at once (\$took ms)" between \$took 0 1500
said 'info: nobody is left after .*, asked 1, killed 0\$'
unsaid warning
end
X
nuke -t 10s -o ${spared%% *} -O /omit -O /not/there
END

both "a zombie of somebody spared" <<'END'
sh -c 'sleep 0 & exec sleep 1000' &
spared=$!
a_zombie () { grep -q '^State:.Z' /proc/[0-9]*/status 2>/dev/null ; }
ok "there is one" await a_zombie
victim -x /last.1
cat >/then <<'X'
code 0
is "the others are gone" "$(alive $pids)" ""
ok "is nobody to wait for ($took ms)" between $took 0 1500
said 'info: nobody is left after .*, asked 1, killed 0$'
end
X
nuke -t 10s -o $spared
END

both "somebody spared in another pid namespace" <<'END'
cat >/inner <<'X'
helper victim -a @storage -l /log.at >/inner.pid
helper victim
helper setsid sleep 1000
echo >/ready
exec sleep 5000
X
nest :
. /more
marked () { grep -l '^@storage' /proc/[0-9]*/cmdline 2>/dev/null ; }
is "there are three inits" "$(inits | wc -l)" 3
is "and somebody marked" "$(marked | wc -l)" 1
stage4-nuke -n true >/out 2>/err
is "two are spared" "$(grep -c '^spare [0-9]* s[lh].*: the init of a spared process$' /out)" 2
cat >/then <<'X'
marked () { grep -l '^@storage' /proc/[0-9]*/cmdline 2>/dev/null ; }
code 0
is "who is marked lives" "$(marked | wc -l)" 1
is "and has got no signal" "$(cat /log.at)" ""
is "so do the inits of its namespaces, others don't" "$(inits | wc -l)" 2
is "the others are gone" "$(grep -lE '^(sleep.?1000|sleep.?6000)' /proc/[0-9]*/cmdline 2>/dev/null)" ""
end
X
nuke -t 300
END

both "pids in another pid namespace" <<'END'
cat >/inner <<'X'
helper setsid sleep 1000
helper setsid sleep 2000
echo >/ready
exec sleep 5000
X
nest 'helper setsid sleep 3000'
. /more
pid_of () { grep -lE "^sleep.$1" /proc/[0-9]*/cmdline | tr -dc 0-9 | grep . ; }
is "there are three inits" "$(inits | wc -l)" 3
for i in 1000 2000 3000 ; do ok "sleep $i runs" await pid_of $i ; done
mkdir /omit
pid_of 1000 >/omit/file
asked=$(pid_of 3000) filed=$(cat /omit/file)
stage4-nuke -n -o $asked -O /omit true >/out 2>/err
is "they are spared" "$(grep -c ': the init of a spared process$' /out)" 3
cat >/then <<X
code 0
is "who is asked for lives" "\$(alive $asked $filed)" "$asked $filed"
is "so do the inits of their namespaces" "\$(inits | wc -l)" 3
is "the other one in there is gone" "\$(grep -lE '^sleep.2000' /proc/[0-9]*/cmdline 2>/dev/null)" ""
end
X
nuke -t 300 -o $asked -O /omit
END

both "no time left" <<'END'
victim -i
cat >/then <<'X'
code 0
is "nobody is left" "$(alive $pids)" ""
ok "within two seconds ($took ms)" between $took 0 3000
end
X
export STAGE4_PID=1 STAGE4_BEGUN=1 STAGE4_DEADLINE=2
nuke -t 60s
END

both "no /proc" <<'END'
victim -l /log
umount -l /proc
cat >/then <<'X'
code 111
said 'stage4-nuke: (warning|fatal): no /proc'
is "nobody got a signal" "$(cat /log)" ""
mount -t proc proc /proc 2>/dev/null
end
X
nuke -t 10s
END

box "the /proc of another pid namespace" <<'END'
# in the namespace there are the pids 1 and 2, and 3 for nuke; in its /proc these are others
victim=$(helper victim -l /log)
unshare -p -f sh -c 'helper victim >/inside ; stage4-nuke -f -t 2s -k 1s 2>/err ; echo $? >/code'
sed 's/^/# /' /err
is "exit code 0" "$(cat /code)" 0
said 'info: nobody is left after .*, asked 1, killed 0$'
is "who is outside lives" "$(alive $victim)" "$victim"
is "and has got no signal" "$(cat /log)" ""
end
END

box "its ancestors" <<'END'
cat >/middle <<'X'
trap 'echo signal >>/log' TERM HUP INT CONT
sh -c 'stage4-nuke -f -t 5s sh -c "echo done >>/done" 2>/err ; echo inner >>/alive'
echo outer >>/alive
X
trap 'echo signal >>/log' TERM HUP INT CONT
pid=$(helper victim)
sh /middle
is "it has come to its end" "$(cat /done)" "done"
is "they are alive" "$(cat /alive)" "inner outer"
ok "and have got no signal" not test -e /log
is "the other one isn't" "$(alive $pid)" ""
end
END

box "-a: its ancestors too" <<'END'
cat >/middle <<'X'
stage4-nuke -f -a -t 5s sh -c 'echo done >>/done' 2>/err
echo alive >>/alive
X
sh /middle
await test -e /done
is "it has come to its end" "$(cat /done)" "done"
ok "the ancestor has not" not test -e /alive
end
END

box "pid 1 gets no signal" <<'END'
for sig in TERM HUP INT CONT ; do trap "echo $sig >>/log" $sig ; done
run stage4-nuke -f -a -t 1s true
code 0
ok "none" not test -e /log
end
END

box "pid 1 that starts them again" <<'END'
cat >/after <<'X'
. /t/lib.sh
sed 's/^/# /' /err
X
cat >>/after <<'X'
# a scan between an end and the next start finds nobody, and nuke goes on at once: that is as good
if test "$(cat /code)" = 0 ; then
  said 'info: nobody is left'
else
  is "it was seen" "$(cat /code)" 1
  said 'info: pid 1 starts them again and again, going on: [0-9]+ (sleep|helper)'
fi
ok "after $(cat /took) ms" between "$(cat /took)" 0 3000
end
X
ten () { test "$(grep -lx sleep /proc/[0-9]*/comm 2>/dev/null | wc -l)" = 10 ; }
( await ten ; start=$(helper ms) ; stage4-nuke -f -t 10s -k 10s helper code sh -c 'echo $(($(helper ms) - $1)) >/took ; echo $CODE >/code ; echo >/stop ; killall sleep' x $start 2>/err ) &
exec helper respawn 10 /stop /after
END

both "somebody spared that starts them again" <<'END'
helper respawn 10 /not/there /nothing &
spared=$!
ten () { test "$(grep -lx sleep /proc/[0-9]*/comm 2>/dev/null | wc -l)" = 10 ; }
ok "they are there" await ten
cat >/then <<X
if test "\$code" = 0 ; then
  said 'info: nobody is left'
else
  is "it was seen" "\$code" 1
  said 'info: somebody starts them again and again, going on: [0-9]+ (sleep|helper)'
fi
unsaid "can't be killed" 'pid 1 starts'
is "it lives" "\$(alive $spared)" "$spared"
ok "in time (\$took ms)" between \$took 0 5000
end
X
nuke -t 200 -k 1s -o $spared
END

both "threads" <<'END'
pids=$(helper threads 'a) Z 1 (')
spared=$(helper threads leaderless @storage)
is "its first thread is dead" "$(sed 's/.*) \(.\).*/\1/' /proc/$pids/stat)" Z
ok "its name has it all" grep -qF '(a) Z 1 ()' /proc/$pids/stat
ok "there is another thread" test -d "$(ls -d /proc/$pids/task/* | tail -n 1)"
ok "and the spared one's command line is only there" not grep -q @ /proc/$spared/cmdline
cat >/then <<X
code 0
said 'info: nobody is left after .*, asked 1, killed 0\$'
is "it has gone, with all threads" "\$(ls /proc/$pids/task 2>/dev/null)" ""
ok "who is spared has not" grep -q @storage /proc/$spared/task/*/cmdline
end
X
nuke -t 10s
END

both "traced" <<'END'
pids=$(helper traced)
is "it is stopped by its tracer" "$(sed -n 's/^State:.\(.\).*/\1/p ; s/^TracerPid:.//p' /proc/${pids% *}/status)" "t ${pids#* }"
cat >/then <<'X'
code 0
is "nobody is left" "$(alive $pids)" ""
said 'info: nobody is left after .*, asked 2, killed [12]$'
ok "in time ($took ms)" between $took 0 3000
end
X
nuke -t 300
END

both "traced by somebody spared" <<'END'
set -- $(helper traced)
pids=$1 tracer=$2
cat >/then <<X
code 0
is "it has gone" "\$(alive \$pids)" ""
is "its tracer has not" "\$(alive $tracer)" "$tracer"
said 'info: nobody is left after .*, asked 1, killed 1\$'
end
X
nuke -t 300 -o $tracer
END

both "names" <<'END'
victim -n 'two
lines'
victim -n ') R 1 1'
victim -n '((('
victim -n ''
victim -a "$(printf 'a\nb @ c')"
victim -a ' @x'
pids="$pids $(helper bare)"
cat >/then <<'X'
code 0
is "nobody is left" "$(alive $pids)" ""
said 'info: nobody is left after .*, asked 7, killed 0$'
end
X
nuke -t 10s
END

box "an odd name stays in its line" <<'END'
pid=$(helper victim -i -n 'two
lines')
run stage4-nuke -f -t 100
code 0
said "info: killing $pid two.012lines$"
is "two lines in all" "$(wc -l </err)" 2
end
END

both "zombies of who is stuck" <<'END'
set -- $(helper zombie -s)
stopped=$1
ok "it is stopped" await grep -q '^State:.T' /proc/$1/status
is "its child is dead" "$(sed -n 's/^State:.\(.\).*/\1/p' /proc/$2/status)" Z
zombie=$2
victim
cat >/then <<X
code 0
is "the others are gone" "\$(alive \$pids)" ""
ok "nobody to wait for (\$took ms)" between \$took 0 1500
said 'info: nobody is left after .*, asked 1, killed 0\$'
is "who is stopped and spared stays so" "\$(sed -n 's/^State:.\(.\).*/\1/p' /proc/$stopped/status)" T
is "and has nothing that waits for it" "\$(sed -n 's/^S..Pnd:.*0000\(.\)/\1/p' /proc/$stopped/status)" "0 0"
is "so does the dead child" "\$(sed -n 's/^State:.\(.\).*/\1/p' /proc/$zombie/status)" Z
end
X
nuke -t 10s -o $stopped
END

both "a supervisor" <<'END'
victim -l /log
pids="$pids $(helper supervisor /started)"
cat >/then <<'X'
code 0
is "nobody is left" "$(alive $pids $(cat /started))" ""
ok "it has started more" test "$(wc -l </started)" -gt 1
ok "in time ($took ms)" between $took 0 3000
end
X
nuke -t 300
END

both "more than there are files" <<'END'
i=0
while test $i -lt 200 ; do helper victim -c 300 >>/crowd ; i=$((i + 1)) ; done
pids=$(cat /crowd)
victim -a @storage -l /log.at
spared=$pid pids=$(cat /crowd)
victim -i -l /log.i
cat >/then <<X
code 0
is "nobody is left" "\$(alive \$pids)" ""
is "who is spared lives" "\$(alive $spared)" "$spared"
is "and has got no signal" "\$(cat /log.at)" ""
is "all had their signals" "\$(cat /log.i)" "15 18"
said 'info: nobody is left after .*, asked 201, killed 1\$'
ok "all of them at the same time (\$took ms)" between \$took 300 4000
end
X
ulimit -n 64
nuke -t 1500
END

both "more spared ones than there are files" <<'END'
i=0
while test $i -lt 80 ; do helper victim -a @storage -l /log.at >>/crowd ; i=$((i + 1)) ; done
victim
cat >/then <<'X'
code 0
is "it is seen all the same" "$(alive $pids)" ""
is "who is spared lives" "$(alive $(cat /crowd) | wc -l)" 80
is "and has got no signal" "$(cat /log.at)" ""
said 'info: nobody is left after .*, asked 1, killed 0$'
end
X
ulimit -n 64
nuke -t 10s
END

box "inside a block" <<'END'
pid=$(helper victim)
PATH=$PATH:/usr/lib/execline/bin
run foreground stage4-nuke ' -f' '' sh -c 'exit 7'
is "the line goes on" "$code" 7
said 'info: nobody is left after .*, asked 1, killed 0$'
is "nobody is left" "$(alive $pid)" ""
end
END

box "inside a block of a chain, with -a" <<'END'
PATH=$PATH:/usr/lib/execline/bin
cat >/chain <<'X'
export STAGE4_PID=$$
foreground ' foreground' '  stage4-nuke' '  -a' ' ' ' true' '' sh -c 'echo done >/done' 2>/err
X
pid=$(helper victim)
sh -c 'sh /chain ; echo outer >/outer'
until test -s /done ; do : ; done   # without children, which would be killed, and started again
sed 's/^/# /' /err
is "the line goes on" "$(cat /done)" done
said 'info: nobody is left after .*, asked [0-9]+, killed 0$'
is "the others are gone" "$(alive $pid)" ""
ok "so has what was above the chain" not test -e /outer
end
END

box "a terminal whose session ends" <<'END'
mkdir /dev/pts
mount -t devpts -o newinstance,ptmxmode=0666 devpts /dev/pts && ln -s pts/ptmx /dev/ptmx
helper login sh -c 'exec stage4-nuke -f -a -v 3 -t 5s sh -c "echo \$? >/done ; echo said || echo silent >>/done"' &
await grep -q silent /done
is "it comes to its end" "$(cat /done)" "0 silent"
is "nobody is left" "$(grep -l '^Name:.helper' /proc/[0-9]*/status 2>/dev/null)" ""
end
END

box "who is slow is named" <<'END'
pid=$(helper victim -n 'slow one' -c 1600)
run stage4-nuke -f -t 10s
code 0
said "info: waiting for $pid slow one$"
is "once" "$(grep -c 'waiting for' /err)" 1
end
END

box "a crowd is named in one line" <<'END'
for i in 0 1 2 3 4 5 6 7 8 9 ; do helper victim -i -n crowd$i >/dev/null ; done
run stage4-nuke -f -t 100 -v 1
code 0
said 'info: killing [0-9]+ crowd0, .* and 2 more$'
end
END

box "two hundred" <<'END'
i=0
while test $i -lt 200 ; do helper victim -c 100 >>/pids ; i=$((i + 1)) ; done
is "they are alive" "$(alive $(cat /pids) | wc -l)" 200
start=$(helper ms)
run stage4-nuke -f -t 10s
took=$(($(helper ms) - start))
code 0
said 'info: nobody is left after .*, asked 200, killed 0$'
ok "in $took ms" between $took 100 3000
end
END

box "nobody reads stderr" <<'END'
for i in 0 1 2 3 4 5 6 7 8 9 ; do helper victim -i >>/pids ; done
helper full stage4-nuke -v 3 -f -t 200 sh -c 'helper ms >/next' >/full
cat /full
is "it goes on" "$(sed 's/,.*//' /full)" "full: exit 0"
is "and has done its job" "$(alive $(cat /pids))" ""
ms=$(sed 's/.*, \(.*\) ms.*/\1/' /full)
ok "it waited for about a second, not more: $ms ms" between "$ms" 200 3000
end
END

box "the plan" <<'END'
a=$(helper victim -l /log -n plain)
b=$(helper victim -l /log -n asked)
c=$(helper victim -l /log -n storage -a @storage)
mkdir /omit
d=$(helper victim -l /log -n filed)
echo $d >/omit/d
run sh -c 'stage4-nuke -n -o $1 -O /omit true ; exit $?' x $b
code 0
ok "who ends" grep -qx "end $a plain" /out
ok "who is asked for stays" grep -qx "spare $b: an ancestor of this process, or asked for" /out
ok "whose pid is in a file stays" grep -qx "spare $d: an ancestor of this process, or asked for" /out
ok "a storage daemon stays" grep -qx "spare $c storage: a storage daemon (@)" /out
ok "pid 1 stays" grep -qx 'spare 1: pid 1' /out
is "one line each, one more for the ancestor" "$(wc -l </out)" 6
is "nobody got a signal" "$(cat /log)" ""
is "nothing on stderr" "$(cat /err)" ""
end
END

done_testing
