#!/bin/sh
# stage4-nuke's command line.
# shellcheck source=tests/lib.sh
. "${0%/*}/../lib.sh"

usage='stage4-nuke: fatal: usage: stage4-nuke [ -v verbosity ] [ -f ] [ -n ] [ -t termgrace ] [ -k killgrace ] [ -s sig ] [ -a ] [ -o pid ]... [ -O dir ]... prog...'
transcript <<'END'
outside of a chain
$ stage4-nuke
! stage4-nuke: fatal: this destroys: only in a chain that stage4-begin has begun, or with -f
= 100
$ stage4-nuke -t 5s -k 1s echo not reached
! stage4-nuke: fatal: this destroys: only in a chain that stage4-begin has begun, or with -f
= 100
$ STAGE4_PID=999999 stage4-nuke echo a chain that is dead
! stage4-nuke: fatal: this destroys: only in a chain that stage4-begin has begun, or with -f
= 100
$ STAGE4_PID=0 stage4-nuke echo not a chain
! stage4-nuke: fatal: this destroys: only in a chain that stage4-begin has begun, or with -f
= 100
$ STAGE4_PID=-1 stage4-nuke echo not a chain
! stage4-nuke: fatal: this destroys: only in a chain that stage4-begin has begun, or with -f
= 100

options
$ stage4-nuke -x
! $usage
= 100
$ stage4-nuke -R /run/stage4 echo
! $usage
= 100
$ stage4-nuke -t
! $usage
= 100
$ stage4-nuke -s
! $usage
= 100
$ stage4-nuke -o
! $usage
= 100
$ stage4-nuke -O
! $usage
= 100
$ stage4-nuke -v
! $usage
= 100

times
$ stage4-nuke -t 10x echo
! stage4-nuke: fatal: invalid time (like 1500, 1500ms or 10s): 10x
= 100
$ stage4-nuke -t -1 echo
! stage4-nuke: fatal: invalid time (like 1500, 1500ms or 10s): -1
= 100
$ stage4-nuke -t '' echo
! stage4-nuke: fatal: invalid time (like 1500, 1500ms or 10s): 
= 100
$ stage4-nuke -t 1.5s echo
! stage4-nuke: fatal: invalid time (like 1500, 1500ms or 10s): 1.5s
= 100
$ stage4-nuke -t ' 1s' echo
! stage4-nuke: fatal: invalid time (like 1500, 1500ms or 10s):  1s
= 100
$ stage4-nuke -t 2147483648 echo
! stage4-nuke: fatal: invalid time (like 1500, 1500ms or 10s): 2147483648
= 100
$ stage4-nuke -t 2147484s echo
! stage4-nuke: fatal: invalid time (like 1500, 1500ms or 10s): 2147484s
= 100
$ stage4-nuke -t 99999999999999999999 echo
! stage4-nuke: fatal: invalid time (like 1500, 1500ms or 10s): 99999999999999999999
= 100
$ stage4-nuke -k 0 echo
! stage4-nuke: fatal: invalid time (0 makes no sense here): 0
= 100
$ stage4-nuke -k 0ms echo
! stage4-nuke: fatal: invalid time (0 makes no sense here): 0ms
= 100

signals
$ stage4-nuke -s FOO echo
! stage4-nuke: fatal: invalid signal: FOO
= 100
$ stage4-nuke -s '' echo
! stage4-nuke: fatal: invalid signal: 
= 100
$ stage4-nuke -s -1 echo
! stage4-nuke: fatal: invalid signal: -1
= 100
$ stage4-nuke -s 0 echo
! stage4-nuke: fatal: invalid signal: 0
= 100
$ stage4-nuke -s 65 echo
! stage4-nuke: fatal: invalid signal: 65
= 100
$ stage4-nuke -s 999 echo
! stage4-nuke: fatal: invalid signal: 999
= 100

pids
$ stage4-nuke -o 0 echo
! stage4-nuke: fatal: invalid pid: 0
= 100
$ stage4-nuke -o -5 echo
! stage4-nuke: fatal: invalid pid: -5
= 100
$ stage4-nuke -o 5x echo
! stage4-nuke: fatal: invalid pid: 5x
= 100
$ stage4-nuke -o '' echo
! stage4-nuke: fatal: invalid pid: 
= 100
$ stage4-nuke -o 4294967297 echo
! stage4-nuke: fatal: invalid pid: 4294967297
= 100
$ stage4-nuke -o 2147483648 echo
! stage4-nuke: fatal: invalid pid: 2147483648
= 100

verbosity
$ stage4-nuke -v 4 echo
! stage4-nuke: fatal: invalid verbosity: 4
= 100
$ stage4-nuke -v -1 echo
! stage4-nuke: fatal: invalid verbosity: -1
= 100
$ stage4-nuke -v loud echo
! stage4-nuke: fatal: invalid verbosity: loud
= 100
even errors are not silenced
$ stage4-nuke -v 0 -t 10x echo
! stage4-nuke: fatal: invalid time (like 1500, 1500ms or 10s): 10x
= 100

odd characters don't make a second line, or a mess of the terminal
$ stage4-nuke -s "$(printf 'a\nb\033[2J\\')" echo
! stage4-nuke: fatal: invalid signal: a\012b\033[2J\134
= 100

the plan: nobody is signalled, the next program is not executed
(its ancestors are as many as the harness has; the harness's cats, which may still be about to become that, are none)
$ stage4-nuke -n -t 0 -s INT echo not reached >/tmp/plan ; code=$? ; sed '/^end .* \(cat\|exe\|sh\)$/d ; s/spare [0-9]*[0-9][0-9]:/spare N:/' /tmp/plan | uniq ; exit $code
| spare 1: pid 1
| spare N: an ancestor of this process, or asked for
= 0
$ sleep 1 & usleep 200000 ; stage4-nuke -n -o 4 >/tmp/plan ; code=$? ; sed '/^end .* \(cat\|exe\|sh\)$/d ; s/spare [0-9]*[0-9][0-9]:/spare N:/' /tmp/plan | uniq ; wait $! ; echo "sleep: $?" ; exit $code
| spare 1: pid 1
| spare 4: an ancestor of this process, or asked for
| spare N: an ancestor of this process, or asked for
|~ end [0-9]+ sleep
| sleep: 0
= 0
END

done_testing
