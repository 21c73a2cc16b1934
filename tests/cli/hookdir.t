#!/bin/sh
# stage4-hookdir: its command line; which files are run, in which order.
# shellcheck source=tests/lib.sh
. "${0%/*}/../lib.sh"

usage='stage4-hookdir: fatal: usage: stage4-hookdir [ -v verbosity ] -d path [ -d path ]... [ -t timeout ] [ -k killgrace ] [ -e ] prog...'
mkdir /d
script /d/a/20-b
script /d/a/10-a
script /d/a/9-c
script /d/b/10-a 'echo not reached'
script /d/b/15-only
script /d/b/.hidden 'echo not reached'
script /d/masked/20-b 'echo not reached'
ln -sf /dev/null /d/masked/10-a
script /d/path/id
script /d/fail/1 'exit 3'
script /d/fail/2
script /d/slow/1 'exec sleep 1000'
script /d/slow/2 'exit 3'
script /d/odd/1-runs
echo text >/d/odd/2-text
mkdir /d/odd/3-dir
script /d/odd/4-group
chmod 775 /d/odd/4-group
script /d/odd/5-world
chmod 757 /d/odd/5-world
ln -s nowhere /d/odd/6-nowhere
ln -s 1-runs /d/odd/7-link
echo garbage >/d/odd/8-garbage
chmod 755 /d/odd/8-garbage
script /d/open/1
chmod 777 /d/open
script /d/closed/1
chmod 0 /d/closed
mkdir /d/empty

transcript <<'END'
$ stage4-hookdir
! $usage
= 100
$ stage4-hookdir echo not reached
! $usage
= 100
$ stage4-hookdir -x -d /d/a
! $usage
= 100
$ stage4-hookdir -d
! $usage
= 100
$ stage4-hookdir -d /d/a -t
! $usage
= 100
$ stage4-hookdir -d /d/a -t 0
! stage4-hookdir: fatal: invalid time (0 makes no sense here): 0
= 100
$ stage4-hookdir -d /d/a -t 10x
! stage4-hookdir: fatal: invalid time (like 1500, 1500ms or 10s): 10x
= 100
$ stage4-hookdir -d /d/a -k 1h
! stage4-hookdir: fatal: invalid time (like 1500, 1500ms or 10s): 1h
= 100
$ stage4-hookdir -d /d/a -v 4
! stage4-hookdir: fatal: invalid verbosity: 4
= 100
$ stage4-hookdir -d ''
! stage4-hookdir: fatal: invalid path: 
= 100

by name, as bytes; the action is the argument
$ STAGE4_PID=1 STAGE4_ACTION=poweroff stage4-hookdir -d /d/a
| /d/a/10-a poweroff
| /d/a/20-b poweroff
| /d/a/9-c poweroff
= 0
outside of a chain there is none
$ stage4-hookdir -d /d/a
| /d/a/10-a none
| /d/a/20-b none
| /d/a/9-c none
= 0
$ STAGE4_PID=999999 STAGE4_ACTION=poweroff stage4-hookdir -d /d/a/10-a
| /d/a/10-a none
= 0
the first directory wins
$ STAGE4_PID=1 STAGE4_ACTION=reboot stage4-hookdir -d /d/a -d /d/b helper code sh -c 'echo "? is $CODE"'
| /d/a/10-a reboot
| /d/b/15-only reboot
| /d/a/20-b reboot
| /d/a/9-c reboot
| ? is 0
= 0
a link to /dev/null masks
$ STAGE4_PID=1 STAGE4_ACTION=halt stage4-hookdir -v 2 -d /d/masked -d /d/a -t 10s
! stage4-hookdir: info: /d/masked/10-a masks 10-a
| /d/masked/20-b halt
| not reached
!~ stage4-hookdir: info: /d/masked/20-b is done, [0-9]+ ms
| /d/a/9-c halt
!~ stage4-hookdir: info: /d/a/9-c is done, [0-9]+ ms
= 0
only the one in the first directory does
$ STAGE4_PID=1 STAGE4_ACTION=halt stage4-hookdir -d /d/a -d /d/masked
| /d/a/10-a halt
| /d/a/20-b halt
| /d/a/9-c halt
= 0
a single file, in its place among the others
$ stage4-hookdir -d /d/b/15-only -d /d/a
| /d/a/10-a none
| /d/b/15-only none
| /d/a/20-b none
| /d/a/9-c none
= 0
no directory is no failure, nor is an empty one
$ stage4-hookdir -d /not/there helper code sh -c 'echo "? is $CODE"'
| ? is 0
= 0
$ stage4-hookdir -d /d/empty -d /not/there
= 0
$ cd /d && stage4-hookdir -d a/10-a
| a/10-a none
= 0
it is not searched in $PATH
$ cd /d/path && stage4-hookdir -d id
| ./id none
= 0

failures
$ stage4-hookdir -d /d/fail helper code sh -c 'echo "? is $CODE"'
| /d/fail/1 none
!~ stage4-hookdir: warning: /d/fail/1 failed with 3 after [0-9]+ ms
| /d/fail/2 none
| ? is 1
= 0
$ stage4-hookdir -e -d /d/fail helper code sh -c 'echo "? is $CODE"'
| /d/fail/1 none
!~ stage4-hookdir: warning: /d/fail/1 failed with 3 after [0-9]+ ms
! stage4-hookdir: warning: stopping, the rest is not run
| ? is 1
= 0
$ stage4-hookdir -t 200 -d /d/slow
| /d/slow/1 none
!~ stage4-hookdir: warning: /d/slow/1 is not done after ((19|[2-9][0-9])[0-9] ms|[1-3][.][0-9] s), ending it
| /d/slow/2 none
!~ stage4-hookdir: warning: /d/slow/2 failed with 3 after [0-9]+ ms
= 99
$ stage4-hookdir -e -t 200 -d /d/slow
| /d/slow/1 none
!~ stage4-hookdir: warning: /d/slow/1 is not done after ((19|[2-9][0-9])[0-9] ms|[1-3][.][0-9] s), ending it
! stage4-hookdir: warning: stopping, the rest is not run
= 99

what is not executable, or others can write, is not run
$ stage4-hookdir -d /d/odd
| /d/odd/1-runs none
! stage4-hookdir: warning: not executable, not run: /d/odd/2-text
! stage4-hookdir: warning: not executable, not run: /d/odd/3-dir
! stage4-hookdir: warning: others than root can write it, not run: /d/odd/4-group
! stage4-hookdir: warning: others than root can write it, not run: /d/odd/5-world
! stage4-hookdir: warning: not executable, not run: /d/odd/6-nowhere
| /d/odd/7-link none
! stage4-hookdir: warning: unable to execute /d/odd/8-garbage: Exec format error
= 1
$ stage4-hookdir -e -d /d/odd
| /d/odd/1-runs none
! stage4-hookdir: warning: not executable, not run: /d/odd/2-text
! stage4-hookdir: warning: stopping, the rest is not run
= 1
$ stage4-hookdir -d /d/open -d /d/a/9-c
! stage4-hookdir: warning: others than root can write it, not run: /d/open/1
| /d/a/9-c none
= 1
$ stage4-hookdir -d /d/odd/5-world
! stage4-hookdir: warning: others than root can write it, not run: /d/odd/5-world
= 1
$ stage4-hookdir -d /d/odd/2-text
! stage4-hookdir: warning: not executable, not run: /d/odd/2-text
= 1
$ stage4-hookdir -d /d/closed -d /d/a/9-c
! stage4-hookdir: warning: unable to list /d/closed: Permission denied
| /d/a/9-c none
= 1
END

done_testing
