#!/bin/sh
# stage4-swapoff's command line. In a container swap is the host's.
# shellcheck source=tests/lib.sh
. "${0%/*}/../lib.sh"

usage='stage4-swapoff: fatal: usage: stage4-swapoff [ -v verbosity ] [ -f ] [ -n ] [ -t timeout ] [ -A ] prog...'
transcript <<'END'
$ stage4-swapoff
! stage4-swapoff: fatal: this destroys: only in a chain that stage4-begin has begun, or with -f
= 100
$ stage4-swapoff -A echo not reached
! stage4-swapoff: fatal: this destroys: only in a chain that stage4-begin has begun, or with -f
= 100
$ stage4-swapoff -x
! $usage
= 100
$ stage4-swapoff -a echo
! $usage
= 100
$ stage4-swapoff -t
! $usage
= 100
$ stage4-swapoff -t 0 echo
! stage4-swapoff: fatal: invalid time (0 makes no sense here): 0
= 100
$ stage4-swapoff -t 10x echo
! stage4-swapoff: fatal: invalid time (like 1500, 1500ms or 10s): 10x
= 100
$ stage4-swapoff -v x echo
! stage4-swapoff: fatal: invalid verbosity: x
= 100
$ stage4-swapoff -f
! stage4-swapoff: info: a container: its swap is the host's, nothing to do
= 0
$ stage4-swapoff -f helper code sh -c 'echo "? is $CODE"'
! stage4-swapoff: info: a container: its swap is the host's, nothing to do
| ? is 0
= 0
$ stage4-swapoff -v 0 -f echo next
| next
= 0
$ stage4-swapoff -n echo not reached
! stage4-swapoff: info: a container: its swap is the host's, nothing to do
= 0
END

done_testing
