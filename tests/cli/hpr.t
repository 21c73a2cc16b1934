#!/bin/sh
# stage4-hpr's command line. In a container it can only end itself.
# shellcheck source=tests/lib.sh
. "${0%/*}/../lib.sh"

usage='stage4-hpr: fatal: usage: stage4-hpr [ -v verbosity ] [ -f ] [ -n ] [ -A action ] [ -a arg ] [ -t synctimeout ]'
transcript <<'END'
$ stage4-hpr
! stage4-hpr: fatal: no action: give -A; STAGE4_ACTION counts only while the process of STAGE4_PID lives
= 100
$ STAGE4_ACTION=nonsense stage4-hpr
! stage4-hpr: fatal: no action: give -A; STAGE4_ACTION counts only while the process of STAGE4_PID lives
= 100
$ stage4-hpr -A reboot
! stage4-hpr: fatal: this destroys: only in a chain that stage4-begin has begun, or with -f
= 100
what is left of a chain that is over means nothing
$ STAGE4_ACTION=reboot stage4-hpr -f
! stage4-hpr: fatal: no action: give -A; STAGE4_ACTION counts only while the process of STAGE4_PID lives
= 100
$ STAGE4_ACTION=reboot STAGE4_PID=999999 stage4-hpr -f
! stage4-hpr: fatal: no action: give -A; STAGE4_ACTION counts only while the process of STAGE4_PID lives
= 100
$ STAGE4_PID=999999 stage4-hpr -A reboot
! stage4-hpr: fatal: this destroys: only in a chain that stage4-begin has begun, or with -f
= 100
$ stage4-hpr -x
! $usage
= 100
$ stage4-hpr -A
! $usage
= 100
$ stage4-hpr -a
! $usage
= 100
$ stage4-hpr -t
! $usage
= 100
$ stage4-hpr -A reboot echo nothing can follow
! $usage
= 100
$ stage4-hpr -A suspend
! stage4-hpr: fatal: invalid action: suspend
= 100
$ stage4-hpr -A ''
! stage4-hpr: fatal: invalid action: 
= 100
$ stage4-hpr -A 1
! stage4-hpr: fatal: invalid action: 1
= 100
$ stage4-hpr -A reboot -t 10x
! stage4-hpr: fatal: invalid time (like 1500, 1500ms or 10s): 10x
= 100
$ stage4-hpr -v 4
! stage4-hpr: fatal: invalid verbosity: 4
= 100
$ stage4-hpr -A return -f
! stage4-hpr: fatal: stage4-begin -A return: somebody else ends the machine
= 100
$ STAGE4_PID=1 STAGE4_ACTION=return stage4-hpr -f
! stage4-hpr: fatal: stage4-begin -A return: somebody else ends the machine
= 100

the plan
$ stage4-hpr -n -A reboot
| reboot
= 0
$ STAGE4_PID=1 STAGE4_ACTION=poweroff stage4-hpr -n -t 0
| poweroff
= 0
$ STAGE4_PID=1 STAGE4_ACTION=poweroff stage4-hpr -n -A halt
| halt
= 0
$ stage4-hpr -n -A kexec
| kexec
= 0
$ stage4-hpr -n -A 6
| reboot
= 0
$ stage4-hpr -n -A 0
| poweroff
= 0
$ stage4-hpr -n -A reboot -a bootloader
| reboot bootloader
= 0
$ STAGE4_ARG=recovery stage4-hpr -n -A reboot
| reboot recovery
= 0
$ stage4-hpr -n
! stage4-hpr: fatal: no action: give -A; STAGE4_ACTION counts only while the process of STAGE4_PID lives
= 100

in a container, without the right to end it
$ stage4-hpr -f -A reboot ; echo "it has exited with $?"
!~ stage4-hpr: info: reboot; left: [0-9]+ writable file systems, [0-9]+ mounts, [0-9]+ swaps, [0-9]+ block devices
! stage4-hpr: fatal: unable to end the container: Operation not permitted
| it has exited with 111
= 0
END

done_testing
