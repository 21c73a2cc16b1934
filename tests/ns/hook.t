#!/bin/sh
# stage4-hook, stage4-hookdir: foreign programs with a limit; who escapes from them is found. As pid 1 of the namespace and as another process.
# shellcheck source=tests/lib.sh
. "${0%/*}/../lib.sh"

# The script writes /hook, which is the block, and ends with `hook OPTION...`, or `hookdir OPTION...`.
common () {
  cat <<'END'
hook () { run_it stage4-hook "$@" " sh" " /hook" "" helper code sh /next ; }
hookdir () { run_it stage4-hookdir "$@" helper code sh /next ; }
# hookfile FILE COMMAND
hookfile () { mkdir -p "${1%/*}" ; printf '#!/bin/sh\n%s\n' "$2" >"$1" ; chmod 755 "$1" ; }
echo "zombies () { grep -l '^State:.Z' /proc/[0-9]*/status 2>/dev/null | wc -l ; }" >/more
END
}

## How it ends

both "done" <<'END'
echo 'echo "$PPID" >/seen ; echo out ; echo err >&2' >/hook
cat >/then <<'X'
code 0
is "it was a child of this process" "$(cat /seen)" $$
ok "stderr is its own" grep -qx err /err
unsaid 'stage4-hook:'
end
X
hook
END

both "output" <<'END'
echo 'echo out ; echo err >&2' >/hook
exec 4>&1 >/out.of.it
sed -i '1i exec >&4' /next
cat >/then <<'X'
is "what it says" "$(cat /out.of.it)" out
is "and on stderr" "$(cat /err)" err
end
X
hook
END

both "failed" <<'END'
echo 'exit 3' >/hook
cat >/then <<'X'
code 1
said '^stage4-hook: warning: sh failed with 3 after '
end
X
hook
END

both "ended by a signal" <<'END'
echo 'kill -SEGV $$' >/hook
cat >/then <<'X'
code 1
said '^stage4-hook: warning: sh was ended by (SIG)?SEGV after '
end
X
hook
END

both "its own 99, its own 111" <<'END'
# these say something about this program, not about a hook that chose the same
echo 'exit 99' >/hook
cat >/then <<'X'
code 1
said 'sh failed with 99 after '
X
cat >>/next <<'X'
sed -i '/^sed -i/,$d' /next
echo 'exit 111' >/hook
echo 'code 1 ; said "sh failed with 111 after " ; end' >/then
exec stage4-hook " sh" " /hook" "" helper code sh /next 2>/err
X
hook
END

both "none" <<'END'
cat >/then <<'X'
code 111
said '^stage4-hook: warning: unable to execute /not/there: No such file or directory$'
ok "at once ($took ms)" between $took 0 1000
end
X
run_it stage4-hook " /not/there" " x" "" helper code sh /next
END

both "not to be executed" <<'END'
echo 'no script' >/plain
cat >/then <<'X'
code 111
said '^stage4-hook: warning: unable to execute /plain: Permission denied$'
end
X
run_it stage4-hook " /plain" "" helper code sh /next
END

both "what no kernel executes" <<'END'
echo 'no script' >/plain
chmod 755 /plain
cat >/then <<'X'
code 111
said '^stage4-hook: warning: unable to execute /plain: Exec format error$'
end
X
run_it stage4-hook " /plain" "" helper code sh /next
END

both "found by PATH only" <<'END'
mkdir /own
printf '#!/bin/sh\necho ran >/ran\n' >/own/program
chmod 755 /own/program
cat >/then <<'X'
code 0
is "it ran" "$(cat /ran)" ran
end
X
export PATH=$PATH:/own
run_it stage4-hook " program" "" helper code sh /next
END

## The limit

both "late, ends when asked" <<'END'
echo 'echo $$ >/pid ; exec >/dev/null 2>&1 ; trap "echo TERM >>/log ; exit 0" TERM ; while : ; do usleep 10000 ; done' >/hook
cat >/then <<'X'
code 99
said '^stage4-hook: warning: sh is not done after [0-9. ms]+, ending it$'
is "it was asked" "$(cat /log)" TERM
is "it is gone" "$(alive $(cat /pid))" ""
ok "after the limit, and no grace was waited for: $took ms" between $took 300 1800
is "no zombies" "$(zombies)" 0
end
X
hook -t 300 -k 10s
END

both "late, ignores" <<'END'
echo 'helper victim -i -l /log >/pid ; trap "" TERM ; while : ; do usleep 100000 ; done' >/hook
cat >/then <<'X'
code 99
is "they are gone" "$(alive $(cat /pid))$(grep -lx usleep /proc/[0-9]*/comm)" ""
is "it was asked, and waked" "$(cat /log)" "15 18"
ok "after the limit and the grace: $took ms" between $took 900 2200
is "no zombies" "$(zombies)" 0
end
X
hook -t 300 -k 600
END

both "late, no grace" <<'END'
echo 'helper victim -i -l /log >/pid ; trap "" TERM ; while : ; do usleep 100000 ; done' >/hook
cat >/then <<'X'
code 99
is "they are gone" "$(alive $(cat /pid))" ""
ok "at once: $took ms" between $took 300 1500
end
X
hook -t 300 -k 0
END

both "late, stopped" <<'END'
echo 'helper victim -S -x /last >/pid ; kill -STOP $$' >/hook
cat >/then <<'X'
code 99
is "they are gone" "$(alive $(cat /pid))" ""
ok "they could end by themselves" test -e /last
ok "no grace was waited for: $took ms" between $took 300 2000
end
X
hook -t 300 -k 10s
END

both "who escapes" <<'END'
cat >/hook <<'X'
helper victim -i >>/pids                        # an own session, an orphan
helper victim -F 5 -l /log >>/pids              # leaves children at SIGTERM
( ( sleep 1000 & echo $! >>/pids ) & )          # a double fork
helper setsid sh -c 'helper setsid sh -c "echo \$\$ >>/pids ; trap \"\" TERM HUP ; while : ; do usleep 50000 ; done"'
helper setsid sh -c 'echo $$ >>/pids ; helper victim -i >>/pids ; exec sleep 1000'
sleep 1000
X
cat >/then <<'X'
code 99
is "there were six" "$(wc -l </pids)" 6
is "all are gone" "$(alive $(cat /pids))" ""
is "with all that they have left behind" "$(grep -lx 'helper\|sleep\|usleep' /proc/[0-9]*/comm)" ""
ok "they were asked first" grep -qx 15 /log
is "no zombies" "$(zombies)" 0
ok "within the limit and the grace: $took ms" between $took 500 3500
end
X
hook -t 500 -k 500
END

both "who leaves children when asked" <<'END'
echo 'helper victim -F 4 -l /log >/pid ; exec sleep 1000' >/hook
cat >/then <<'X'
code 99
is "each was asked" "$(grep -cx 15 /log)" 5
is "all are gone" "$(grep -lx 'helper\|sleep' /proc/[0-9]*/comm)" ""
ok "no grace was waited for: $took ms" between $took 300 2000
end
X
hook -t 300 -k 10s
END

both "who is not of the hook" <<'END'
# children that this process had before, and what others do meanwhile
before=$(helper victim -l /log.before)
sleep 1000 &
child=$!
cat >/elsewhere <<'X'
usleep 200000
helper victim -l /log.meanwhile >/meanwhile
exec sleep 1000
X
if test "$as" = another ; then
  sh /elsewhere &    # of the shell above
fi
usleep 50000
echo 'sleep 1000' >/hook
cat >/then <<X
code 99
is "they are alive" "\$(alive $before $child \$(cat /meanwhile 2>/dev/null))" "$before $child \$(cat /meanwhile 2>/dev/null)"
is "and have got no signal" "\$(cat /log.*)" ""
end
X
hook -t 500 -k 500
END

box "children that this process had just before" <<'END'
# forked within the same tick of the clock
for i in 1 2 3 4 5 6 7 8 9 10 11 12 ; do
  sh -c 'sleep 1000 & echo $! >>/pids ; exec stage4-hook -t 50 " sleep" " 1000" ""' 2>>/err || echo $? >>/codes
done
is "each time late" "$(sort -u /codes)" 99
is "they are alive" "$(alive $(cat /pids) | wc -l)" 12
end
END

box "a stdout that nobody reads any more" <<'END'
mkfifo /pipe
exec 3<>/pipe 4>/pipe 3<&-
for fd in 1 2 ; do
  eval 'stage4-hook " sh" " -c" " echo lost >&'$fd' ; echo alive >>/alive" "" '$fd'>&4'
  is "fd $fd: ?" $? 0
done
is "printing was not their end" "$(cat /alive)" "alive
alive"
end
END

both "a daemon" <<'END'
# of a hook that is done nobody is ended
echo 'helper victim -l /log >/daemon ; sleep 1000 & echo $! >>/daemon ; usleep 50000' >/hook
cat >/then <<'X'
code 0
is "it is alive" "$(alive $(cat /daemon) | wc -l)" 2
is "and has got no signal" "$(cat /log)" ""
end
X
hook -t 5s
END

both "a daemon, and the next hook is late" <<'END'
cat >/first <<'X'
helper victim -l /log >/daemon
usleep 50000
X
echo 'sleep 1000' >/hook
cat >/then <<'X'
code 99
is "it is alive" "$(alive $(cat /daemon))" "$(cat /daemon)"
is "and has got no signal" "$(cat /log)" ""
end
X
run_it stage4-hook " sh" " /first" "" stage4-hook -t 300 " sh" " /hook" "" helper code sh /next
END

both "a pile of orphans" <<'END'
cat >/hook <<'X'
i=0
while test $i -lt 200 ; do ( true & ) ; i=$((i + 1)) ; done
usleep 1500000
grep -l '^State:.Z' /proc/[0-9]*/status 2>/dev/null | wc -l >/zombies
X
cat >/then <<'X'
code 0
ok "they are buried while the hook runs ($(cat /zombies))" between "$(cat /zombies)" 0 20
is "and at last" "$(zombies)" 0
end
X
hook -t 20s
END

both "who is slow is named" <<'END'
echo 'usleep 1300000' >/hook
cat >/then <<'X'
code 0
said '^stage4-hook: info: waiting for sh, 1.0 s$'
is "once" "$(grep -c waiting /err)" 1
end
X
hook -t 10s
END

both "no time left" <<'END'
echo 'helper victim -i >/pid ; exec sleep 1000' >/hook
cat >/then <<'X'
code 99
is "they are gone" "$(alive $(cat /pid))" ""
ok "within two seconds: $took ms" between $took 300 3000
end
X
export STAGE4_PID=1 STAGE4_BEGUN=1 STAGE4_DEADLINE=2
hook -t 60s -k 60s
END

both "little time left" <<'END'
echo 'exec sleep 1000' >/hook
cat >/then <<'X'
code 99
ok "the budget counts, less its last quarter: $took ms" between $took 800 1900
end
X
begun=$(helper ms)
export STAGE4_PID=1 STAGE4_BEGUN=$begun STAGE4_DEADLINE=$((begun + 1600))
hook -t 60s -k 60s
END

## What it finds

both "what it gets" <<'END'
cat >/hook <<'X'
helper look >/look
for fd in /proc/$$/fd/* ; do test -e $fd && numbers="$numbers ${fd##*/}" ; done    # no pipe, which would be one
echo $numbers >/fds.numbers
cat /proc/self/oom_score_adj >/oom
cut -d ' ' -f 5,6 /proc/$$/stat >/groups
echo $$ >/pid
echo "$STAGE4_ACTION $STAGE4_PID" >/environment
X
cat >/then <<'X'
code 0
ok "no signal is ignored" grep -qx 'ignored' /look
ok "none is blocked" grep -qx 'blocked 0' /look
is "only 0, 1, 2" "$(sed 's/10 //' /fds.numbers)" "0 1 2"
is "OOM score" "$(cat /oom)" 0
is "it leads a session and a group" "$(cat /groups)" "$(cat /pid) $(cat /pid)"
is "the file limit is the usual one" "$(sed -n 's/^files \([0-9]*\) .*/\1/p' /look)" 1024
is "the environment" "$(cat /environment)" "reboot $$"
end
X
exec 7</t/lib.sh
run_it stage4-begin -A reboot -o stage4-hook " sh" " /hook" "" helper code sh /next
END

box "what is wrong" <<'END'
run stage4-hook
code 100
run stage4-hook " true"
code 100
said 'stage4-hook: fatal: unterminated block'
run stage4-hook "" true
code 100
said 'stage4-hook: fatal: empty block'
run stage4-hook -t 0 " touch" " /x" "" true
code 100
run stage4-hook -t 1x " touch" " /x" "" true
code 100
run stage4-hookdir true
code 100
ok "nothing ran" not test -e /x
run stage4-hook -k 0 " true" ""
code 0
run stage4-hook " false" ""
code 1
run stage4-hook " /not/there" ""
code 111
run stage4-hook -t 100 " sleep" " 1000" ""
code 99
end
END

box "a block in a block" <<'END'
run execlineb -c 'stage4-hook { stage4-hook { sh -c "echo inner >>/log" } sh -c "echo outer >>/log" } sh -c "echo next >>/log"'
code 0
is "in their order" "$(cat /log)" "inner outer next"
end
END

## stage4-hookdir

both "a directory" <<'END'
mkdir /d /d/subdir
for name in 10-b 10-a 9-c 'with space' 'new
line' ; do hookfile "/d/$name" 'echo "${0##*/} $*" >>/log' ; done
hookfile /d/.hidden 'echo hidden >>/log'
hookfile /d/20-plain 'echo plain >>/log'
chmod 644 /d/20-plain
cat >/then <<'X'
code 1
is "by name, with the action" "$(cat /log)" "10-a poweroff 10-b poweroff 9-c poweroff new line poweroff with space poweroff"
said '^stage4-hookdir: warning: not executable, not run: /d/20-plain$' '^stage4-hookdir: warning: not executable, not run: /d/subdir$'
is "nothing else" "$(wc -l </err)" 2
end
X
export STAGE4_PID=1 STAGE4_ACTION=poweroff
export STAGE4_ACTION
hookdir -d /d
END

both "more than one directory" <<'END'
for dir in a b c ; do for name in 1 2 3 4 ; do hookfile "/$dir/$name" "echo $dir$name >>/log" ; done ; done
rm /a/1 /a/4 /b/4
ln -sf /dev/null /b/1
ln -sf /dev/null /a/3
hookfile /single/25 'echo single >>/log'
cat >/then <<'X'
code 0
is "the first one wins, and masks" "$(cat /log)" "a2 single c4"
unsaid .
end
X
hookdir -d /a -d /not/there -d /b -d /c -d /single/25
END

both "nothing to do" <<'END'
mkdir /empty
cat >/then <<'X'
code 0
unsaid .
end
X
hookdir -d /empty -d /not/there -d /not/there/either
END

both "what others can write" <<'END'
hookfile /d/1 'echo 1 >>/log'
hookfile /d/2 'echo 2 >>/log'
hookfile /d/3 'echo 3 >>/log'
hookfile /open/4 'echo 4 >>/log'
hookfile /target 'echo 5 >>/log'
ln -s /target /d/5
chmod 775 /d/1
chmod 757 /d/2
chmod 777 /open
chmod 777 /target
cat >/then <<'X'
code 1
is "was not run" "$(cat /log)" 3
for file in /d/1 /d/2 /open/4 /d/5 ; do said "^stage4-hookdir: warning: others than root can write it, not run: $file\$" ; done
end
X
hookdir -d /d -d /open
END

both "one fails" <<'END'
hookfile /d/1 'echo 1 >>/log'
hookfile /d/2 'exit 7'
hookfile /d/3 'echo 3 >>/log'
cat >/then <<'X'
code 1
is "the rest is run" "$(cat /log)" "1 3"
said '^stage4-hookdir: warning: /d/2 failed with 7 after '
end
X
hookdir -d /d
END

both "one fails, -e" <<'END'
hookfile /d/1 'echo 1 >>/log'
hookfile /d/2 'exit 7'
hookfile /d/3 'echo 3 >>/log'
cat >/then <<'X'
code 1
is "the rest is not run" "$(cat /log)" 1
said '^stage4-hookdir: warning: stopping, the rest is not run$'
end
X
hookdir -e -d /d
END

both "one is late" <<'END'
hookfile /d/1 'helper victim -l /log.daemon >/daemon ; usleep 50000'
hookfile /d/2 'helper victim -i >/pid ; exec sleep 1000'
hookfile /d/3 'exit 1'
printf '#!/not/there\n' >/d/4
chmod 755 /d/4
hookfile /d/5 'echo 5 >>/log'
cat >/then <<'X'
code 99
is "the rest is run" "$(cat /log)" 5
is "who is late is gone" "$(alive $(cat /pid))" ""
is "the daemon of another one is not" "$(alive $(cat /daemon))" "$(cat /daemon)"
is "and has got no signal" "$(cat /log.daemon)" ""
said '/d/2 is not done after ' '/d/3 failed with 1 ' 'unable to execute /d/4: No such file or directory$'
ok "the limit is for each: $took ms" between $took 600 3000
end
X
hookdir -t 300 -k 300 -d /d
END

done_testing
