#!/bin/sh
# stage4-takeover's command line.
# shellcheck source=tests/lib.sh
. "${0%/*}/../lib.sh"

usage='stage4-takeover: fatal: usage: stage4-takeover [ -v verbosity ] [ -t timeout ] scandir prog...'
transcript <<'END'
$ stage4-takeover
! $usage
= 100
$ stage4-takeover /run/service
! $usage
= 100
$ stage4-takeover -x /run/service true
! $usage
= 100
$ stage4-takeover -t
! $usage
= 100
$ stage4-takeover -t 0 /run/service true
! stage4-takeover: fatal: invalid time (0 makes no sense here): 0
= 100
$ stage4-takeover -t 10x /run/service true
! stage4-takeover: fatal: invalid time (like 1500, 1500ms or 10s): 10x
= 100
$ stage4-takeover -v 4 /run/service true
! stage4-takeover: fatal: invalid verbosity: 4
= 100
$ stage4-takeover /run/service true
! stage4-takeover: fatal: only root can take over pid 1; nothing was touched
= 111
END

done_testing
