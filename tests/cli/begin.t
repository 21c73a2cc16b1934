#!/bin/sh
# stage4-begin's command line. Only root may begin.
# shellcheck source=tests/lib.sh
. "${0%/*}/../lib.sh"

usage='stage4-begin: fatal: usage: stage4-begin [ -v verbosity ] [ -n ] -A action | -r | -p | -h | -k [ -t budget ] [ -R ramfs ] [ -a arg ] [ -c | -K | -o ] prog...'
transcript <<'END'
$ stage4-begin
! $usage
= 100
$ stage4-begin true
! $usage
= 100
$ stage4-begin -t 90s true
! $usage
= 100
$ stage4-begin -r
! $usage
= 100
$ stage4-begin -A reboot
! $usage
= 100
$ stage4-begin -x
! $usage
= 100
$ stage4-begin -A
! $usage
= 100
$ stage4-begin -r -t
! $usage
= 100
$ stage4-begin -r -R
! $usage
= 100
$ stage4-begin -r -a
! $usage
= 100
$ stage4-begin -r -f true
! $usage
= 100
$ stage4-begin -A suspend true
! stage4-begin: fatal: invalid action: suspend
= 100
$ stage4-begin -A '' true
! stage4-begin: fatal: invalid action: 
= 100
$ stage4-begin -A REBOOT true
! stage4-begin: fatal: invalid action: REBOOT
= 100
$ stage4-begin -A 1 true
! stage4-begin: fatal: invalid action: 1
= 100
$ stage4-begin -r -t 0 true
! stage4-begin: fatal: invalid time (0 makes no sense here): 0
= 100
$ stage4-begin -r -t 10x true
! stage4-begin: fatal: invalid time (like 1500, 1500ms or 10s): 10x
= 100
$ stage4-begin -r -t 10m true
! stage4-begin: fatal: invalid time (like 1500, 1500ms or 10s): 10m
= 100
$ stage4-begin -r -t -90s true
! stage4-begin: fatal: invalid time (like 1500, 1500ms or 10s): -90s
= 100
$ stage4-begin -r -R run/stage4 true
! stage4-begin: fatal: invalid ramfs (must begin with /): run/stage4
= 100
$ stage4-begin -r -R / true
! stage4-begin: fatal: invalid ramfs (must begin with /): /
= 100
$ stage4-begin -r -v 4 true
! stage4-begin: fatal: invalid verbosity: 4
= 100

not root
$ stage4-begin -r true
! stage4-begin: fatal: only root can end the machine; nothing was touched
= 111
$ stage4-begin -A return -o stage4-nuke echo not reached
! stage4-begin: fatal: only root can end the machine; nothing was touched
= 111

the plan; the line is walked
$ stage4-begin -n -A reboot -t 90s stage4-nuke stage4-umountall stage4-hpr
|~ begin reboot: by pid [0-9]+
| budget 90.0 s
| output /dev/console
| word stage4-nuke
| word stage4-umountall
| word stage4-hpr
= 0
$ stage4-begin -n -p -K stage4-hpr
|~ begin poweroff: by pid [0-9]+
| output /dev/kmsg
| word stage4-hpr
= 0
$ stage4-begin -n -h -o stage4-hpr -t 0
|~ begin halt: by pid [0-9]+
| output stays
| word stage4-hpr
| word -t
| word 0
= 0
$ stage4-begin -n -k true
|~ begin kexec: by pid [0-9]+
| output /dev/console
| word true
= 0
$ stage4-begin -n -A 6 true
|~ begin reboot: by pid [0-9]+
| output /dev/console
| word true
= 0
$ stage4-begin -n -A 0 true
|~ begin poweroff: by pid [0-9]+
| output /dev/console
| word true
= 0
the last of several actions counts
$ stage4-begin -n -r -p true
|~ begin poweroff: by pid [0-9]+
| output /dev/console
| word true
= 0
$ stage4-begin -n -A return stage4-nuke stage4-hpr
|~ begin return: by pid [0-9]+
| output /dev/console
| word stage4-nuke
| word stage4-hpr
! stage4-hpr: fatal: stage4-begin -A return: somebody else ends the machine
! stage4-begin: fatal: this line can't be walked to its end
= 100
$ stage4-begin -n -r stage4-nuke stage4-umountall -t 10x stage4-hpr
|~ begin reboot: by pid [0-9]+
| output /dev/console
| word stage4-nuke
| word stage4-umountall
| word -t
| word 10x
| word stage4-hpr
! stage4-umountall: fatal: invalid time (like 1500, 1500ms or 10s): 10x
! stage4-begin: fatal: this line can't be walked to its end
= 100
$ stage4-begin -n -r stage4-nuke no-such-program
|~ begin reboot: by pid [0-9]+
| output /dev/console
| word stage4-nuke
| word no-such-program
! stage4-nuke: fatal: unable to find the next program, no-such-program: No such file or directory
! stage4-begin: fatal: this line can't be walked to its end
= 100
a ramfs that would not work is said, and not used
$ stage4-begin -n -r -R /not/there true
|~ begin reboot: by pid [0-9]+
| not used: the ramfs /not/there
| output /dev/console
| word true
! stage4-begin: warning: the ramfs /not/there is not used: no such directory: /not/there
= 0
END

done_testing
