#!/bin/sh
# stage4-busy: its command line, and what it says of file systems that somebody keeps, or nobody.
# shellcheck source=tests/lib.sh
. "${0%/*}/../lib.sh"

usage='stage4-busy: fatal: usage: stage4-busy [ -v verbosity ] [ -t timeout ] path|device...'
transcript <<'END'
$ stage4-busy
! $usage
= 100
$ stage4-busy -x /
! $usage
= 100
$ stage4-busy -f /
! $usage
= 100
$ stage4-busy -n /
! $usage
= 100
$ stage4-busy -t 0 /
! stage4-busy: fatal: invalid time (0 makes no sense here): 0
= 100
$ stage4-busy -t 10x /
! stage4-busy: fatal: invalid time (like 1500, 1500ms or 10s): 10x
= 100
$ stage4-busy relative/path
! stage4-busy: fatal: invalid path, device or name of a dm device: relative/path
= 100
$ stage4-busy ''
! stage4-busy: fatal: invalid path, device or name of a dm device: 
= 100
$ stage4-busy /not/there
! stage4-busy: fatal: there is no /not/there
= 111
$ stage4-busy /tmp no-such-device
! stage4-busy: fatal: there is no dm device no-such-device
= 111
it only looks: in a line it is walked
$ helper walker stage4-busy -t 10x /
! stage4-busy: fatal: invalid time (like 1500, 1500ms or 10s): 10x
= 100
END
done_testing
