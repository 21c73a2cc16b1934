#!/bin/sh
# stage4-freeze's command line. In a container the file systems are the host's.
# shellcheck source=tests/lib.sh
. "${0%/*}/../lib.sh"

usage='stage4-freeze: fatal: usage: stage4-freeze [ -v verbosity ] [ -f ] [ -n ] [ -t timeout ] prog...'
transcript <<'END'
$ stage4-freeze
! stage4-freeze: fatal: this destroys: only in a chain that stage4-begin has begun, or with -f
= 100
$ stage4-freeze -x
! $usage
= 100
$ stage4-freeze -t
! $usage
= 100
$ stage4-freeze -t 0 echo
! stage4-freeze: fatal: invalid time (0 makes no sense here): 0
= 100
$ stage4-freeze -t 10x echo
! stage4-freeze: fatal: invalid time (like 1500, 1500ms or 10s): 10x
= 100
$ stage4-freeze -v 4 echo
! stage4-freeze: fatal: invalid verbosity: 4
= 100
$ stage4-freeze -f helper code sh -c 'echo "? is $CODE"'
! stage4-freeze: info: a container: the file systems are the host's, nothing to do
| ? is 0
= 0
$ stage4-freeze -n echo not reached
! stage4-freeze: info: a container: the file systems are the host's, nothing to do
= 0
$ STAGE4_PID=1 STAGE4_ACTION=return stage4-freeze -f echo not reached
! stage4-freeze: fatal: after stage4-begin -A return others still want to write
= 100
END

done_testing
