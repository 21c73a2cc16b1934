#!/bin/sh
# stage4-hook: its command line, and what becomes of the block.
# shellcheck source=tests/lib.sh
. "${0%/*}/../lib.sh"

usage='stage4-hook: fatal: usage: stage4-hook [ -v verbosity ] [ -t timeout ] [ -k killgrace ] { prog... } prog...'
transcript <<'END'
$ stage4-hook
! $usage
= 100
$ stage4-hook -x ' true' ''
! $usage
= 100
$ stage4-hook -f ' true' ''
! $usage
= 100
$ stage4-hook -t
! $usage
= 100
$ stage4-hook -k
! $usage
= 100
$ stage4-hook -t 0 ' true' ''
! stage4-hook: fatal: invalid time (0 makes no sense here): 0
= 100
$ stage4-hook -t 10x ' true' ''
! stage4-hook: fatal: invalid time (like 1500, 1500ms or 10s): 10x
= 100
$ stage4-hook -k 10x ' true' ''
! stage4-hook: fatal: invalid time (like 1500, 1500ms or 10s): 10x
= 100
$ stage4-hook -v 4 ' true' ''
! stage4-hook: fatal: invalid verbosity: 4
= 100
$ stage4-hook '' echo not reached
! stage4-hook: fatal: empty block
= 100
$ stage4-hook ' echo' ' not reached'
! stage4-hook: fatal: unterminated block
= 100
no block at all
$ stage4-hook echo not reached
! $usage
= 100

what becomes of it is ?, and in the report
$ stage4-hook ' true' '' helper code sh -c 'echo "? is $CODE"'
| ? is 0
= 0
$ stage4-hook ' true' ''
= 0
$ stage4-hook ' sh' ' -c' ' exit 7' '' helper code sh -c 'echo "? is $CODE"'
!~ stage4-hook: warning: sh failed with 7 after [0-9]+ ms
| ? is 1
= 0
$ stage4-hook ' sh' ' -c' ' exit 7' ''
!~ stage4-hook: warning: sh failed with 7 after [0-9]+ ms
= 1
$ stage4-hook ' sh' ' -c' ' kill -9 $$' '' helper code sh -c 'echo "? is $CODE"'
!~ stage4-hook: warning: sh was ended by KILL after [0-9]+ ms
| ? is 1
= 0
$ stage4-hook ' no-such-program' '' helper code sh -c 'echo "? is $CODE"'
! stage4-hook: warning: unable to execute no-such-program: No such file or directory
| ? is 111
= 0
$ stage4-hook ' /proc/uptime' ''
! stage4-hook: warning: unable to execute /proc/uptime: Permission denied
= 111
$ stage4-hook ' /' ''
! stage4-hook: warning: unable to execute /: Permission denied
= 111

the time is up: ended, in the first place by SIGTERM
$ stage4-hook -t 100 ' sleep' ' 1000' '' helper code sh -c 'echo "? is $CODE"'
!~ stage4-hook: warning: sleep is not done after ([1-9][0-9]* ms|[1-3][.][0-9] s), ending it
| ? is 99
= 0
$ stage4-hook -t 300ms -k 5s ' sh' ' -c' ' trap "echo asked ; exit" TERM ; echo begun ; while : ; do : ; done' ''
| begun
| asked
!~ stage4-hook: warning: sh is not done after ((19|[2-9][0-9])[0-9] ms|[1-3][.][0-9] s), ending it
= 99
then by SIGKILL
$ stage4-hook -t 300 -k 100 ' sh' ' -c' ' trap "" TERM ; echo begun ; while : ; do usleep 10000 ; done' ''
| begun
!~ stage4-hook: warning: sh is not done after ((19|[2-9][0-9])[0-9] ms|[1-3][.][0-9] s), ending it
= 99
$ stage4-hook -t 100 -k 0 ' sh' ' -c' ' trap "" TERM ; while : ; do usleep 10000 ; done' ''
!~ stage4-hook: warning: sh is not done after ([1-9][0-9]* ms|[1-3][.][0-9] s), ending it
= 99
what it has started goes with it, even in another session, or with another parent
$ stage4-hook -t 300 -k 100 ' sh' ' -c' ' helper setsid sleep 1234 ; sleep 1234 & sleep 1234' '' ; pidof sleep
!~ stage4-hook: warning: sh is not done after ((19|[2-9][0-9])[0-9] ms|[1-3][.][0-9] s), ending it
= 1
longer than a second: it is said
$ stage4-hook ' sleep' ' 1.3' ''
!~ stage4-hook: info: waiting for sleep, [1-3][.][0-9] s
= 0
$ stage4-hook ' sh' ' -c' ' exec sleep 1.3' ''
!~ stage4-hook: info: waiting for sh, now sleep, [1-3][.][0-9] s
= 0
$ stage4-hook -v 0 ' sh' ' -c' ' exit 7' ''
= 1
$ stage4-hook -v 2 ' true' ''
!~ stage4-hook: info: true is done, [0-9]+ ms
= 0
the budget holds for it
$ STAGE4_PID=1 STAGE4_BEGUN=1 STAGE4_DEADLINE=2 stage4-hook ' sleep' ' 1000' ''
!~ stage4-hook: warning: sleep is not done after ([5-9][0-9][0-9] ms|[1-3][.][0-9] s), ending it
= 99

a session and a process group of its own; the command line's environment
$ WORD=here stage4-hook ' sh' ' -c' ' set -- $(cat /proc/self/stat) ; if test $5 = $$ && test $6 = $$ ; then echo leader $WORD ; fi' ''
| leader here
= 0
$ execlineb -c 'stage4-hook { echo in } echo next'
| in
| next
= 0
END

done_testing
