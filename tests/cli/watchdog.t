#!/bin/sh
# stage4-watchdog's command line. In a container the watchdog is the host's.
# shellcheck source=tests/lib.sh
. "${0%/*}/../lib.sh"

usage='stage4-watchdog: fatal: usage: stage4-watchdog [ -v verbosity ] [ -f ] [ -n ] [ -d device ] [ -t timeout ] prog...'
transcript <<'END'
$ stage4-watchdog
! stage4-watchdog: fatal: this destroys: only in a chain that stage4-begin has begun, or with -f
= 100
$ stage4-watchdog -x
! $usage
= 100
$ stage4-watchdog -t 0 echo
! stage4-watchdog: fatal: invalid time (0 makes no sense here): 0
= 100
$ stage4-watchdog -d watchdog0 echo
! stage4-watchdog: fatal: invalid device (must begin with /): watchdog0
= 100
$ STAGE4_PID=1 STAGE4_ACTION=return stage4-watchdog echo not reached
! stage4-watchdog: fatal: after stage4-begin -A return nobody feeds it any more
= 100
$ stage4-watchdog -f helper code sh -c 'echo "? is $CODE"'
! stage4-watchdog: info: a container: the watchdog is the host's, nothing to do
| ? is 0
= 0
$ stage4-watchdog -n echo not reached
! stage4-watchdog: info: a container: the watchdog is the host's, nothing to do
= 0
END

done_testing
