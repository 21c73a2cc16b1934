#!/bin/sh
# stage4-settle: the block is run again as long as there become fewer mounts, and no longer.
# shellcheck source=tests/lib.sh
. "${0%/*}/../lib.sh"

# settling TITLE <script : the script prepares, writes /block, and ends with `settle OPTION...`; $code, $runs, $took are known then.
settling () {
  {
    cat <<'END'
settle () {
  local start=$(helper ms)
  run stage4-settle "$@" " sh" " /block.all" "" helper code sh -c 'echo $CODE >/code ; echo next >>/next'
  took=$(($(helper ms) - start))
  is "the next program has run once" "$(cat /next)" next
  code=$(cat /code)
  runs=$(wc -l </runs)
}
echo 'echo x >>/runs ; . /block' >/block.all
END
    cat
    echo end
  } >/script.now
  box "$1" </script.now
}

settling "one mount a run" <<'END'
m tmpfs /a ; m tmpfs /b ; m tmpfs /c
echo 'for i in a b c ; do umount /$i 2>/dev/null && break ; done ; true' >/block
settle
code 0
is "they are gone" "$(mounts)" "/ /proc"
is "three runs, and one that finds nothing" "$runs" 4
unsaid .
END

settling "nothing to do" <<'END'
m tmpfs /a
echo true >/block
settle
code 0
is "one run" "$runs" 1
is "what it did not unmount is there" "$(mounts)" "/ /proc /a"
END

settling "all at once" <<'END'
m tmpfs /a ; m tmpfs /b ; m tmpfs /c
echo 'umount /a /b /c 2>/dev/null ; true' >/block
settle
is "two runs" "$runs" 2
END

settling "more of them" <<'END'
echo 'mkdir -p /m ; mount -t tmpfs x /m' >/block
settle
code 0
is "one run" "$runs" 1
END

settling "one goes, one comes" <<'END'
m tmpfs /a ; m tmpfs /b ; m tmpfs /c
echo 'for i in a b c ; do umount /$i 2>/dev/null && break ; done ; mkdir -p /m ; mount -t tmpfs x /m' >/block
settle
code 0
is "one run" "$runs" 1
END

settling "its ? is that of the last run" <<'END'
m tmpfs /a ; m tmpfs /b
echo 'for i in a b ; do umount /$i 2>/dev/null && exit 3 ; done ; exit 5' >/block
settle
code 5
is "three runs" "$runs" 3
END

settling "a failing block that does its work" <<'END'
m tmpfs /a ; m tmpfs /b
echo 'umount /a 2>/dev/null || umount /b 2>/dev/null ; exit 1' >/block
settle
code 1
is "they are gone" "$(mounts)" "/ /proc"
is "three runs" "$runs" 3
END

settling "a block that does its work and ends with 99" <<'END'
m tmpfs /a ; m tmpfs /b
echo 'umount /a 2>/dev/null || umount /b 2>/dev/null ; exit 99' >/block
settle
code 99
is "they are gone" "$(mounts)" "/ /proc"
is "three runs" "$runs" 3
END

settling "a block that a signal ends each time" <<'END'
m tmpfs /a
echo 'kill -9 $$' >/block
settle
code 137
is "three runs" "$runs" 3
said 'warning: the block was ended by KILL'
END

settling "a block that was stopped" <<'END'
m tmpfs /a
echo 'test -e /stopped || { echo x >/stopped ; kill -STOP $$ ; } ; umount /a 2>/dev/null ; true' >/block
settle
code 0
is "it has gone on" "$(mounts)" "/ /proc"
ok "soon" between $took 900 20000
said 'warning: sh is stopped, it is continued'
END

settling "a block that a signal ends" <<'END'
m tmpfs /a ; m tmpfs /b
echo 'umount /a 2>/dev/null || umount /b 2>/dev/null ; kill -9 $$' >/block
settle
ok "? says that it failed ($code)" test "$code" -gt 0
is "they are gone" "$(mounts)" "/ /proc"
END

box "no such program" <<'END'
m tmpfs /a
run stage4-settle " /not/there" "" helper code sh -c 'echo $CODE >/code'
is "?" "$(cat /code)" 111
said '^stage4-settle: warning: unable to execute /not/there: No such file or directory$'
is "said once" "$(wc -l </err)" 1
end
END

box "no /proc" <<'END'
umount -l /proc
stage4-settle " sh" " -c" " echo run >>/runs ; exit 4" "" helper code sh -c 'echo $CODE >/code' 2>/err
is "it has run once" "$(cat /runs)" run
is "?" "$(cat /code)" 4
ok "said" grep -q '^stage4-settle: warning: unable to count what is there, running the block once: ' /err
end
END

settling "a hanging program, with a budget" <<'END'
# the last quarter is not for this one
begun=$(helper ms)
export STAGE4_PID=1 STAGE4_BEGUN=$begun STAGE4_DEADLINE=$((begun + 2000))
m tmpfs /a
echo 'echo $$ >/pid ; umount /a ; exec sleep 1000' >/block
settle
code 99
ok "within the budget: $took ms" between $took 800 4000
is "it is gone" "$(alive $(cat /pid))" ""
is "it is not run again" "$runs" 1
said '^stage4-settle: info: waiting for sh, now sleep, [1-3][.][0-9] s$' '^stage4-settle: warning: sh is not done after ([1-3][.][0-9] s|9[0-9]+ ms), ending it$'
END

settling "a hanging program that ignores, with children" <<'END'
begun=$(helper ms)
export STAGE4_PID=1 STAGE4_BEGUN=$begun STAGE4_DEADLINE=$((begun + 1500))
echo 'echo $$ >/pid ; trap "" TERM HUP ; sleep 1000 & echo $! >/child ; sleep 1001' >/block
settle
code 99
ok "within the budget: $took ms" between $took 500 6000
is "all of it is gone" "$(alive $(cat /pid /child))" ""
END

settling "a hanging program that leaves a worker" <<'END'
# an abandoned one can't be killed, so nobody waits for it
begun=$(helper ms)
export STAGE4_PID=1 STAGE4_BEGUN=$begun STAGE4_DEADLINE=$((begun + 1500))
echo 'helper victim -a @left -i -l /log >/left ; echo $$ >/pid ; exec sleep 1000' >/block
settle
code 99
ok "in time: $took ms" between $took 500 6000
is "it is gone" "$(alive $(cat /pid))" ""
is "the worker is not" "$(alive $(cat /left))" "$(cat /left)"
is "and has got no signal" "$(cat /log)" ""
unsaid "can't be killed"
END

settling "one that ends, and leaves a worker" <<'END'
m tmpfs /a
echo 'umount /a 2>/dev/null && helper victim -a @left -i -l /log >/left ; true' >/block
settle
code 0
is "two runs" "$runs" 2
is "it is alive" "$(alive $(cat /left))" "$(cat /left)"
is "and has got no signal" "$(cat /log)" ""
unsaid .
END

box "what the block gets" <<'END'
cat >/block <<'X'
helper look >/look
for fd in /proc/$$/fd/* ; do test -e $fd && numbers="$numbers ${fd##*/}" ; done    # no pipe, which would be one
echo $numbers >/fds.numbers
cat /proc/$$/oom_score_adj /proc/$PPID/oom_score_adj >/oom
cut -d ' ' -f 5,6 /proc/$$/stat >/groups
cut -d ' ' -f 5,6 /proc/$PPID/stat >>/groups
echo "$STAGE4_ACTION $STAGE4_PID $PPID" >/environment
stage4-nuke -n >/plan 2>&1
stage4-umountall >/umountall 2>&1
X
cat >/next <<'X'
. /t/lib.sh
is "signals are ignored as in the chain" "$(sed -n 's/^ignored //p' /look)" "1 2 3 10 12 13 14 15 16 20 21 22 23 24 25 26 27 28 29 30"
is "the file limit is that of the chain" "$(sed -n 's/^files //p' /look)" "$(ulimit -Sn) $(ulimit -Hn)"
is "only 0, 1, 2" "$(sed 's/10 //' /fds.numbers)" "0 1 2"
is "the OOM score is that of the chain" "$(uniq /oom | wc -l)" 1
is "so is the session" "$(uniq /groups | wc -l)" 1
is "the environment" "$(cat /environment)" "reboot $$ $$"
ok "its steps are steps of the chain" grep -q '^stage4-umountall: info: unmounted ' /umountall
end
X
exec stage4-begin -A reboot -o stage4-settle " sh" " /block" "" helper code sh /next 2>/err
END

settling "no time left" <<'END'
export STAGE4_PID=1 STAGE4_BEGUN=1 STAGE4_DEADLINE=2
m tmpfs /a
echo 'umount /a 2>/dev/null ; exec sleep 1000' >/block
settle
code 99
is "it had a try" "$(mounts)" "/ /proc"
ok "within two seconds and a bit: $took ms" between $took 300 3000
END

settling "no time left for a quick one" <<'END'
export STAGE4_PID=1 STAGE4_BEGUN=1 STAGE4_DEADLINE=2
m tmpfs /a ; m tmpfs /b
echo 'umount /a 2>/dev/null || umount /b 2>/dev/null ; true' >/block
settle
code 0
is "they are gone" "$(mounts)" "/ /proc"
END

box "the toolkit's own in the block, as pid 1" <<'END'
m tmpfs /a ; m tmpfs /a/b ; m tmpfs /c
cat >/next <<'X'
. /t/lib.sh
is "?" "$CODE" 0
is "they are gone" "$(mounts)" "/ /proc"
is "no zombies" "$(grep -l '^State:.Z' /proc/[0-9]*/status 2>/dev/null | wc -l)" 0
is "twice" "$(grep -c '^stage4-umountall: info: unmounted ' /err)" 2
is "the first pass has unmounted all" "$(sed -n 's/^stage4-umountall: info: unmounted \([0-9]*\).*/\1/p' /err)" "3 0"
end
X
exec stage4-begin -A reboot -o stage4-settle " stage4-umountall" " stage4-swapoff" "" helper code sh /next 2>/err
END

box "blocks in blocks" <<'END'
m tmpfs /a ; m tmpfs /b
run execlineb -c 'stage4-settle { stage4-settle { sh -c "umount /a 2>/dev/null || umount /b 2>/dev/null ; echo inner >>/log" } sh -c "echo outer >>/log" } sh -c "echo next >>/log"'
code 0
is "in their order" "$(cat /log)" "inner inner inner outer inner outer next"
end
END

box "what is wrong" <<'END'
run stage4-settle
code 100
run stage4-settle " true"
code 100
run stage4-settle "" true
code 100
said 'stage4-settle: fatal: empty block'
run stage4-settle -x " touch" " /x" "" true
code 100
ok "nothing ran" not test -e /x
run stage4-settle " sh" " -c" " exit 6" ""
code 6
end
END

done_testing
