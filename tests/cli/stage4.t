#!/bin/sh
# stage4, the one binary.
# shellcheck source=tests/lib.sh
. "${0%/*}/../lib.sh"

if test ! -x /bin/stage4 ; then
  ok "here are many binaries" test -x /bin/stage4-begin
  done_testing
  exit
fi
usage='stage4: fatal: usage: stage4 program [ options ] [ arguments ] [ prog... ], where program is one of begin nuke watchdog pivot umountall swapoff detach settle hook hookdir runonce freeze hpr ramfs takeover busy hold'
transcript <<'END'
$ stage4
! $usage
= 100
$ stage4 no-such-program
! stage4: fatal: invalid program: no-such-program
= 100
$ stage4 ''
! stage4: fatal: invalid program: 
= 100
$ stage4 -x
! stage4: fatal: invalid program: -x
= 100
$ stage4 stage4-
! stage4: fatal: invalid program: stage4-
= 100
$ stage4 NUKE
! stage4: fatal: invalid program: NUKE
= 100
$ ln -s /bin/stage4 /tmp/stage4-other ; /tmp/stage4-other hpr -n -A reboot
! stage4: fatal: invalid program: stage4-other
= 100
in a line that is walked: by its first word, too
$ helper walker stage4 nuke stage4 umountall stage4-swapoff stage4 hpr
= 0
$ helper walker stage4-nuke stage4 stage4-umountall stage4 hpr -A nonsense
! stage4-hpr: fatal: invalid action: nonsense
= 100
$ helper walker stage4 settle ' stage4' ' umountall' ' -Q' '' stage4 hpr
!~ stage4-umountall: fatal: usage: .*
= 100
$ helper walker stage4-nuke stage4 numountall stage4 hpr
! stage4: fatal: invalid program: numountall
= 100
$ helper walker stage4-nuke stage4
! $usage
= 100
$ helper walker stage4 nuke echo stage4 hpr -Q
= 0
a name that isn't ours: the first argument
$ ln -s /bin/stage4 /tmp/other ; /tmp/other hpr -n -A reboot
| reboot
= 0
$ ln -s /bin/stage4 /tmp/stage4-hpr ; /tmp/stage4-hpr -n -A reboot
| reboot
= 0
$ stage4 hpr -n -A reboot
| reboot
= 0
$ stage4 stage4-hpr -n -A reboot
| reboot
= 0
$ stage4 hpr -A nonsense
! stage4-hpr: fatal: invalid action: nonsense
= 100
$ stage4 hookdir -d /not/there echo a b
| a b
= 0
$ stage4 hook ' stage4' ' hpr' ' -n' ' -A' ' halt' '' stage4 hpr -n -A poweroff
| halt
| poweroff
= 0
a line of either form is walked
$ helper walker stage4 nuke stage4 umountall stage4-freeze stage4 hpr -t 10x
! stage4-hpr: fatal: invalid time (like 1500, 1500ms or 10s): 10x
= 100
$ helper walker stage4 nuke stage4 no-such-program
! stage4: fatal: invalid program: no-such-program
= 100
END

done_testing
