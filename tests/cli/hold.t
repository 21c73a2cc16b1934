#!/bin/sh
# stage4-hold: its command line, what it does when SIGTERM comes, and what the program finds that it executes.
# shellcheck source=tests/lib.sh
. "${0%/*}/../lib.sh"

usage='stage4-hold: fatal: usage: stage4-hold [ -v verbosity ] [ -d notificationfd ] [ -c file ] [ -t timeout ] -p dir [ -p dir ]... prog...'
mkdir -p /tmp/dir /tmp/closed
chmod 0 /tmp/closed
echo garbage >/tmp/garbage
chmod 755 /tmp/garbage
transcript <<'END'
$ stage4-hold
! $usage
= 100
$ stage4-hold -p /tmp
! $usage
= 100
$ stage4-hold true
! $usage
= 100
$ stage4-hold -x -p /tmp true
! $usage
= 100
$ stage4-hold -f -p /tmp true
! $usage
= 100
$ stage4-hold -n -p /tmp true
! $usage
= 100
$ stage4-hold -p
! $usage
= 100
$ stage4-hold -p tmp true
! stage4-hold: fatal: invalid directory (must begin with /): tmp
= 100
$ stage4-hold -p '' true
! stage4-hold: fatal: invalid directory (must begin with /): 
= 100
$ stage4-hold -p /tmp -c staged true
! stage4-hold: fatal: invalid file (must begin with /): staged
= 100
$ stage4-hold -p /tmp -c / true
! stage4-hold: fatal: invalid file (must begin with /): /
= 100
$ stage4-hold -p /tmp -t 0 true
! stage4-hold: fatal: invalid time (0 makes no sense here): 0
= 100
$ stage4-hold -p /tmp -t 10x true
! stage4-hold: fatal: invalid time (like 1500, 1500ms or 10s): 10x
= 100
$ stage4-hold -v 4 -p /tmp true
! stage4-hold: fatal: invalid verbosity: 4
= 100
$ stage4-hold -d 2 -p /tmp true
! stage4-hold: fatal: invalid notification fd (3 or more): 2
= 100
$ stage4-hold -d x -p /tmp true
! stage4-hold: fatal: invalid notification fd (3 or more): x
= 100
$ stage4-hold -d 99999999999 -p /tmp true
! stage4-hold: fatal: invalid notification fd (3 or more): 99999999999
= 100
it is not one that is open by chance, in the program itself
$ stage4-hold -d 3 -p /tmp true 3>&-
! stage4-hold: fatal: invalid notification fd (it is not open): 3
= 100
$ stage4-hold -d 4 -p /tmp true 3>&- 4>&-
! stage4-hold: fatal: invalid notification fd (it is not open): 4
= 100

what it will execute is looked for at the start, with / as the directory
$ stage4-hold -p /tmp no-such-program
! stage4-hold: fatal: unable to find the next program, no-such-program: No such file or directory
! stage4-hold: fatal: this line can't be walked to its end; nothing was touched
= 100
$ cd /bin ; stage4-hold -p /tmp ./true
! stage4-hold: fatal: unable to find the next program, ./true: No such file or directory
! stage4-hold: fatal: this line can't be walked to its end; nothing was touched
= 100
$ stage4-hold -p /tmp stage4-hook -t 10x ' true' ''
! stage4-hook: fatal: invalid time (like 1500, 1500ms or 10s): 10x
! stage4-hold: fatal: this line can't be walked to its end; nothing was touched
= 100

what can't be opened is an error at the start, each of them; a SIGTERM that has come does not hide it
$ stage4-hold -p /tmp/none true
! stage4-hold: fatal: unable to open /tmp/none: No such file or directory
= 111
$ stage4-hold -p /tmp/closed -p /tmp/dir -p /tmp/garbage true
! stage4-hold: fatal: unable to open /tmp/closed: Permission denied
! stage4-hold: fatal: unable to open /tmp/garbage: Not a directory
= 111
$ helper pending stage4-hold -p /tmp/none echo run
! stage4-hold: fatal: unable to open /tmp/none: No such file or directory
= 111

not in a chain, where nobody would send SIGTERM
$ STAGE4_PID=$$ stage4-hold -p /tmp true
! stage4-hold: fatal: this waits for a signal, and may not be part of a chain
= 100
$ STAGE4_PID=none stage4-hold -p /tmp/none true
! stage4-hold: fatal: unable to open /tmp/none: No such file or directory
= 111
$ helper walker stage4-begin -r stage4-nuke stage4-hold -p /tmp stage4-hpr
! stage4-hold: fatal: this waits for a signal, and may not be part of a chain
= 100
walking, a notification fd need not be open
$ helper walker stage4-hold -d 7 -p /tmp true
= 0

SIGTERM has come before it was ready, or even before it began: nothing is lost
$ helper pending stage4-hold -p /tmp/dir -p / sh -c 'echo "$1" ; pwd' sh 'a  b'
| a  b
| /
= 0
$ helper pending stage4-hold -p / sh -c 'exit 42'
= 42
$ helper pending stage4-hold -p / helper code sh -c 'echo "? is $CODE"'
| ? is 0
= 0
SIGPIPE stays as it was
$ trap '' PIPE ; helper pending stage4-hold -p / helper look | sed -n '/^ignored.* 13/s/.*/SIGPIPE/p'
| SIGPIPE
= 0
readiness is told all the same
$ helper pending stage4-hold -d 5 -p / true 5>&1 | od -An -c
|~  *\\n
= 0
a supervisor that is gone
$ helper pending stage4-hold -d 5 -p / echo run 5>/dev/full
! stage4-hold: warning: unable to tell that it is ready, on fd 5: No space left on device
| run
= 0

the directories are open in the program, and nothing else of it
$ helper pending stage4-hold -p /tmp/dir -p / sh -c 'ls -l /proc/$$/fd 2>&1' 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&- | sed -n 's/.* -> \(\/$\|\/tmp\/dir\|\/proc\|.*socket\)/\1/p' | sort
| /
| /tmp/dir
= 0
$ helper pending stage4-hold -v 2 -p /tmp/dir true
!~ stage4-hold: info: holds /tmp/dir, fd [0-9]+
= 0

cancelled
$ helper pending stage4-hold -p / -c /tmp/dir/gone echo run
! stage4-hold: info: /tmp/dir/gone is gone: echo is not run
= 0
$ helper pending stage4-hold -p / -c /tmp/garbage/gone echo run
! stage4-hold: info: /tmp/garbage/gone is gone: echo is not run
= 0
$ helper pending stage4-hold -v 0 -p / -c /tmp/dir/gone echo run
= 0
$ helper pending stage4-hold -p / -c /tmp/garbage echo run
| run
= 0
a link counts as itself
$ ln -sf gone /tmp/link ; helper pending stage4-hold -p / -c /tmp/link echo run
| run
= 0
in doubt it is there
$ helper pending stage4-hold -p / -c /tmp/closed/staged echo run
! stage4-hold: warning: unable to see whether /tmp/closed/staged is there, so it counts as there: Permission denied
| run
= 0

what can't be executed after all
$ helper pending stage4-hold -p / /tmp/garbage
! stage4-hold: fatal: unable to execute /tmp/garbage: Exec format error
= 126
END

# hold ARG... : in the background, until it is ready, or has ended; its pid is in /tmp/pid, its exit code then in /tmp/code
hold () {
  rm -f /tmp/code /tmp/pid /tmp/out
  {
    (
      # shellcheck disable=SC2016
      sh -c 'echo $$ >/tmp/pid ; exec stage4-hold "$@"' hold -d 3 "$@" 3>&1 >/tmp/out 2>/err </dev/null
      echo $? >/tmp/new
      mv /tmp/new /tmp/code
    ) &
  } | read -r _
  readiness=$?
  read -r pid </tmp/pid
}
# gone : it has ended, with $code
gone () {
  await test -e /tmp/code && read -r code </tmp/code
}
# sleeps PID : all there is of it is one process, which sleeps
sleeps () {
  grep -q '^State:.S' "/proc/$1/status" && not grep -qx "PPid:.$1" /proc/[0-9]*/status
}
# switches PID : how often it has had the CPU, and given it back
switches () {
  sed -n 's/^voluntary_ctxt_switches:.//p' "/proc/$1/status"
}

hold -p /tmp/dir sh -c 'echo run'
is "it says when it is ready" $readiness 0
ok "then it sleeps, and has no children" await sleeps "$pid"
before=$(switches "$pid")
sleep 2
is "without any timer" "$(switches "$pid")" "$before"
ok "the notification fd is closed" not test -e "/proc/$pid/fd/3" -a "$(readlink "/proc/$pid/fd/3")" != /tmp/dir
is "it sits in /" "$(readlink "/proc/$pid/cwd")" /
kib=$(sed -n 's/^RssAnon:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$pid/status")
if grep -q asan "/proc/$pid/maps" || strings "/bin/stage4-hold" | grep -q __asan ; then skip "its own memory is small" "ASan's is not"
else ok "its own memory is small ($kib KiB)" between "$kib" 0 400 ; fi
kill -STOP "$pid"
kill -CONT "$pid"
ok "to be stopped and continued ends nothing" await sleeps "$pid"
kill "$pid"
ok "SIGTERM ends the wait" gone
is "with the program" "$code $(cat /tmp/out)" "0 run"

hold -p /tmp/none true
is "no readiness where it failed" $readiness 1
ok "failed: it has ended" gone
code 111

hold -c /tmp/staged -p /tmp/dir sh -c 'echo run'
kill "$pid"
ok "never staged: it has ended" gone
is "never staged: without the program" "$code $(cat /tmp/out)" 0
said '^stage4-hold: info: /tmp/staged is gone: sh is not run$'

hold -c /tmp/staged -p /tmp/dir sh -c 'echo run'
: >/tmp/staged
rm /tmp/staged
: >/tmp/staged
kill "$pid"
ok "staged again: it has ended" gone
is "staged again: with the program" "$code $(cat /tmp/out)" "0 run"

hold -p /tmp/dir sh -c 'echo run'
kill -HUP "$pid"
ok "SIGHUP: it has ended" gone
is "SIGHUP: by the signal, and without the program" "$code $(cat /tmp/out)" 129

hold -p /tmp/dir sh -c 'echo run'
kill -INT "$pid"    # a shell ignores it in what it starts in the background
ok "SIGINT that was ignored still is" await sleeps "$pid"
kill "$pid"
ok "SIGINT, then SIGTERM: it has ended" gone
is "SIGINT, then SIGTERM: with the program" "$code $(cat /tmp/out)" "0 run"

rm -f /tmp/half /tmp/more
hold -p /tmp/dir sh -c 'helper look ; : >/tmp/half ; until test -e /tmp/more ; do usleep 10000 ; done ; echo end'
kill "$pid"
ok "the program runs" await test -e /tmp/half
kill "$pid"
kill "$pid"
: >/tmp/more
ok "a second SIGTERM: it has ended" gone
is "a second SIGTERM does not end it before its end" "$code $(tail -n 1 /tmp/out)" "0 end"
is "SIGTERM is ignored, SIGPIPE is not" "$(sed -n 's/^ignored//p' /tmp/out | tr ' ' '\n' | grep -xE '13|15')" 15
is "nothing is blocked" "$(sed -n 's/^blocked //p' /tmp/out)" 0

done_testing
