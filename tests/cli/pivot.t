#!/bin/sh
# stage4-pivot's command line, and its refusals.
# shellcheck source=tests/lib.sh
. "${0%/*}/../lib.sh"

usage='stage4-pivot: fatal: usage: stage4-pivot [ -v verbosity ] [ -f ] [ -n ] [ -R newroot ] [ -o oldroot ] [ -m path ]... prog...'
transcript <<'END'
$ stage4-pivot
! stage4-pivot: fatal: this destroys: only in a chain that stage4-begin has begun, or with -f
= 100
$ stage4-pivot -R /run/stage4 echo not reached
! stage4-pivot: fatal: this destroys: only in a chain that stage4-begin has begun, or with -f
= 100
$ stage4-pivot -x
! $usage
= 100
$ stage4-pivot -t 1s echo
! $usage
= 100
$ stage4-pivot -R
! $usage
= 100
$ stage4-pivot -o
! $usage
= 100
$ stage4-pivot -m
! $usage
= 100
$ stage4-pivot -R run/stage4 echo
! stage4-pivot: fatal: invalid new root (must begin with /): run/stage4
= 100
$ stage4-pivot -R / echo
! stage4-pivot: fatal: invalid new root (must begin with /): /
= 100
$ stage4-pivot -o '' echo
! stage4-pivot: fatal: invalid old root (a name in the new root): 
= 100
$ stage4-pivot -o / echo
! stage4-pivot: fatal: invalid old root (a name in the new root): /
= 100
$ stage4-pivot -o a/b echo
! stage4-pivot: fatal: invalid old root (a name in the new root): a/b
= 100
$ stage4-pivot -o . echo
! stage4-pivot: fatal: invalid old root (a name in the new root): .
= 100
$ stage4-pivot -o .. echo
! stage4-pivot: fatal: invalid old root (a name in the new root): ..
= 100
$ stage4-pivot -m data echo
! stage4-pivot: fatal: invalid path (must begin with /): data
= 100
$ stage4-pivot -v 4 echo
! stage4-pivot: fatal: invalid verbosity: 4
= 100
$ STAGE4_PID=1 STAGE4_ACTION=return stage4-pivot -f echo not reached
! stage4-pivot: fatal: after stage4-begin -A return the old root is still needed
= 100

what can't be done is said, becomes ?=1, and the chain goes on
$ stage4-pivot -f helper code sh -c 'echo "? is $CODE"'
! stage4-pivot: warning: no pivot: no shutdown ramfs, neither -R nor STAGE4_RAMFS
| ? is 1
= 0
$ stage4-pivot -f -R /not/there helper code sh -c 'echo "? is $CODE"'
! stage4-pivot: warning: no pivot: /not/there can't be used: no such directory: /not/there
| ? is 1
= 0
$ STAGE4_RAMFS=/not/there stage4-pivot -f
! stage4-pivot: warning: no pivot: /not/there can't be used: no such directory: /not/there
= 1
$ stage4-pivot -f -R /bin/busybox
! stage4-pivot: warning: no pivot: /bin/busybox can't be used: no such directory: /bin/busybox
= 1
$ STAGE4_OLDROOT=/oldroot stage4-pivot -f -R /run/stage4 echo next
! stage4-pivot: warning: no pivot: this chain has pivoted already
| next
= 0
$ mkdir /tmp/r && stage4-pivot -f -R /tmp/r
! stage4-pivot: warning: no pivot: /tmp/r can't be used: not owned by root: /
= 1
$ stage4-pivot -n -R /not/there
! stage4-pivot: warning: no pivot: /not/there can't be used: no such directory: /not/there
= 1
END

done_testing
