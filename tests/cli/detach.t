#!/bin/sh
# stage4-detach's command line. In a container block devices are the host's.
# shellcheck source=tests/lib.sh
. "${0%/*}/../lib.sh"

usage='stage4-detach: fatal: usage: stage4-detach [ -v verbosity ] [ -f ] [ -n ] [ -t timeout ] prog...'
transcript <<'END'
$ stage4-detach
! stage4-detach: fatal: this destroys: only in a chain that stage4-begin has begun, or with -f
= 100
$ stage4-detach -t 3s echo not reached
! stage4-detach: fatal: this destroys: only in a chain that stage4-begin has begun, or with -f
= 100
$ stage4-detach -x
! $usage
= 100
$ stage4-detach -h
! $usage
= 100
$ stage4-detach -A echo
! $usage
= 100
$ stage4-detach -t
! $usage
= 100
$ stage4-detach -t 0 echo
! stage4-detach: fatal: invalid time (0 makes no sense here): 0
= 100
$ stage4-detach -t 10x echo
! stage4-detach: fatal: invalid time (like 1500, 1500ms or 10s): 10x
= 100
$ stage4-detach -v x echo
! stage4-detach: fatal: invalid verbosity: x
= 100
what devices this machine has does not matter
$ stage4-detach -f
! stage4-detach: info: a container: the block devices are the host's, nothing to do
= 0
$ stage4-detach -f helper code sh -c 'echo "? is $CODE"'
! stage4-detach: info: a container: the block devices are the host's, nothing to do
| ? is 0
= 0
$ stage4-detach -v 0 -f echo next
| next
= 0
$ stage4-detach -n echo not reached
! stage4-detach: info: a container: the block devices are the host's, nothing to do
= 0
$ stage4-detach -n -f -t 1
! stage4-detach: info: a container: the block devices are the host's, nothing to do
= 0
in a line that is walked
$ helper walker stage4-nuke stage4-detach -t 3s stage4-hpr
= 0
$ helper walker stage4-detach -t 3s stage4-hpr -A nonsense
! stage4-hpr: fatal: invalid action: nonsense
= 100
$ helper walker stage4-detach -n stage4-hpr
! stage4-detach: fatal: -n: this step would do nothing, and nothing would follow it
= 100
$ helper walker stage4-settle ' stage4-umountall' ' stage4-detach' ' -T' ' x' '' stage4-hpr
! $usage
= 100
END

done_testing
