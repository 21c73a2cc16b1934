#!/bin/sh
# stage4-settle's command line, and its block.
# shellcheck source=tests/lib.sh
. "${0%/*}/../lib.sh"

usage='stage4-settle: fatal: usage: stage4-settle [ -v verbosity ] { prog... } prog...'
transcript <<'END'
$ stage4-settle
! $usage
= 100
$ stage4-settle -x
! $usage
= 100
$ stage4-settle -t 1s ' true' ''
! $usage
= 100
$ stage4-settle -v
! $usage
= 100
$ stage4-settle -v 4 ' true' ''
! stage4-settle: fatal: invalid verbosity: 4
= 100
$ stage4-settle ''
! stage4-settle: fatal: empty block
= 100
$ stage4-settle '' echo not reached
! stage4-settle: fatal: empty block
= 100
$ stage4-settle ' echo' ' not reached'
! stage4-settle: fatal: unterminated block
= 100
no block at all
$ stage4-settle echo not reached
! $usage
= 100

what can't become less is done once
$ stage4-settle ' echo' ' once' ''
| once
= 0
$ stage4-settle ' sh' ' -c' ' echo once ; exit 7' ''
| once
= 7
$ stage4-settle ' sh' ' -c' ' echo once ; exit 7' '' helper code sh -c 'echo "? is $CODE"'
| once
| ? is 7
= 0
$ stage4-settle -v 2 ' true' '' echo next
!~ stage4-settle: info: mounts [0-9]+ -> [0-9]+, writable file systems [0-9]+ -> [0-9]+, swaps [0-9]+ -> [0-9]+, block devices [0-9]+ -> [0-9]+
| next
= 0
$ stage4-settle ' stage4-settle' '  echo' '  inner' ' ' ' echo' ' outer' '' echo next
| inner
| outer
| next
= 0
$ stage4-settle ' no-such-program' '' echo next
! stage4-settle: warning: unable to execute no-such-program: No such file or directory
| next
= 0
$ stage4-settle ' no-such-program' ''
! stage4-settle: warning: unable to execute no-such-program: No such file or directory
= 111
$ execlineb -c 'stage4-settle { echo by execlineb } echo next'
| by execlineb
| next
= 0
END

done_testing
