#!/bin/sh
# stage4-umountall's command line.
# shellcheck source=tests/lib.sh
. "${0%/*}/../lib.sh"

usage='stage4-umountall: fatal: usage: stage4-umountall [ -v verbosity ] [ -f ] [ -n ] [ -T types ] [ -k path ]... [ -t timeout ] prog...'
transcript <<'END'
$ stage4-umountall
! stage4-umountall: fatal: this destroys: only in a chain that stage4-begin has begun, or with -f
= 100
$ stage4-umountall -T tmpfs echo not reached
! stage4-umountall: fatal: this destroys: only in a chain that stage4-begin has begun, or with -f
= 100
$ stage4-umountall -x
! $usage
= 100
$ stage4-umountall -R / echo
! $usage
= 100
$ stage4-umountall -T
! $usage
= 100
$ stage4-umountall -k
! $usage
= 100
$ stage4-umountall -t
! $usage
= 100
$ stage4-umountall -T '' echo
! stage4-umountall: fatal: invalid types: 
= 100
$ stage4-umountall -k run/stage4 echo
! stage4-umountall: fatal: invalid path (must begin with /): run/stage4
= 100
$ stage4-umountall -k '' echo
! stage4-umountall: fatal: invalid path (must begin with /): 
= 100
$ stage4-umountall -t 0 echo
! stage4-umountall: fatal: invalid time (0 makes no sense here): 0
= 100
$ stage4-umountall -t 10x echo
! stage4-umountall: fatal: invalid time (like 1500, 1500ms or 10s): 10x
= 100
$ stage4-umountall -v 10 echo
! stage4-umountall: fatal: invalid verbosity: 10
= 100

the plan: an action a line, with the reason; the next program is not executed
$ stage4-umountall -n -T tmpfs echo not reached
| keep /: /run is there, or reached through it
|~ leave /dev/null: [a-z]+ was not asked for
|~ leave /dev/full: [a-z]+ was not asked for
| keep /proc: /proc is there, or reached through it
= 0
$ stage4-umountall -n -k /dev/null
|~ unmount /dev/full: [a-z]+ on .*
| keep /: /run is there, or reached through it
|~ keep /dev/null: /dev/null is there, or reached through it
| keep /proc: /proc is there, or reached through it
= 0
END

done_testing
