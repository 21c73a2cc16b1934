#!/bin/sh
# The way from one program to the next: ?, the end of the line, what can't be executed.
# shellcheck source=tests/lib.sh
. "${0%/*}/../lib.sh"

cp /bin/busybox /tmp/not-executable
chmod 644 /tmp/not-executable
echo garbage >/tmp/garbage
chmod 755 /tmp/garbage
transcript <<'END'
the next program gets ?, its arguments, and the environment as it is
$ WORD='a b' stage4-hookdir -d /not/there helper code sh -c 'echo "$CODE $WORD" ; for i ; do echo "<$i>" ; done' sh '' 'x  y' -f
| 0 a b
| <>
| <x  y>
| <-f>
= 0
$ stage4-hook ' false' '' stage4-hook ' true' '' helper code sh -c 'echo "? is $CODE"'
!~ stage4-hook: warning: false failed with 1 after [0-9]+ ms
| ? is 0
= 0
$ stage4-hook ' true' '' stage4-hook ' false' '' helper code sh -c 'echo "? is $CODE"'
!~ stage4-hook: warning: false failed with 1 after [0-9]+ ms
| ? is 1
= 0
outside of a chain it finds the process as it was; in one SIGPIPE is ignored
$ helper look >/tmp/before ; stage4-hook ' true' '' stage4-hookdir -d /not/there helper look | diff /tmp/before -
= 0
$ trap '' PIPE ; stage4-hook ' true' '' helper look | sed -n '/^ignored.* 13/s/.*/SIGPIPE/p'
| SIGPIPE
= 0
$ STAGE4_PID=1 stage4-hook ' true' '' helper look | sed -n '/^ignored.* 13/s/.*/SIGPIPE/p'
| SIGPIPE
= 0
its code is what comes back
$ stage4-hookdir -d /not/there sh -c 'exit 42'
= 42
without one the code is the program's
$ stage4-hook ' false' ''
!~ stage4-hook: warning: false failed with 1 after [0-9]+ ms
= 1

$ stage4-hookdir -d /not/there no-such-program
! stage4-hookdir: fatal: unable to execute no-such-program: No such file or directory
= 127
$ stage4-hookdir -d /not/there /bin/no-such-program
! stage4-hookdir: fatal: unable to execute /bin/no-such-program: No such file or directory
= 127
$ stage4-hookdir -d /not/there ''
! stage4-hookdir: fatal: unable to execute : Permission denied
= 126
$ stage4-hookdir -d /not/there /tmp/not-executable
! stage4-hookdir: fatal: unable to execute /tmp/not-executable: Permission denied
= 126
$ stage4-hookdir -d /not/there /tmp
! stage4-hookdir: fatal: unable to execute /tmp: Permission denied
= 126
$ stage4-hookdir -d /not/there /tmp/garbage
! stage4-hookdir: fatal: unable to execute /tmp/garbage: Exec format error
= 126
$ PATH=/bin:/tmp stage4-hookdir -d /not/there not-executable
! stage4-hookdir: fatal: unable to execute not-executable: Permission denied
= 126
$ stage4-settle ' true' '' no-such-program
! stage4-settle: fatal: unable to execute no-such-program: No such file or directory
= 127
$ stage4-swapoff -f no-such-program
! stage4-swapoff: info: a container: its swap is the host's, nothing to do
! stage4-swapoff: fatal: unable to execute no-such-program: No such file or directory
= 127
$ stage4-pivot -f no-such-program
! stage4-pivot: warning: no pivot: no shutdown ramfs, neither -R nor STAGE4_RAMFS
! stage4-pivot: fatal: unable to execute no-such-program: No such file or directory
= 127

options end with the first word, or with --
$ stage4-hookdir -d /not/there echo -t 10x
| -t 10x
= 0
$ stage4-hookdir -d /not/there -- echo -t 10x
| -t 10x
= 0
$ stage4-swapoff -fv0 echo options in one word
| options in one word
= 0
the chain's verbosity, and the step's own
$ STAGE4_VERBOSITY=0 stage4-swapoff -f echo next
| next
= 0
$ STAGE4_VERBOSITY=0 stage4-swapoff -v 1 -f echo next
! stage4-swapoff: info: a container: its swap is the host's, nothing to do
| next
= 0
$ STAGE4_VERBOSITY=nonsense stage4-swapoff -f echo next
! stage4-swapoff: info: a container: its swap is the host's, nothing to do
| next
= 0
the variables are handed on
$ STAGE4_ACTION=reboot STAGE4_DEADLINE=999999999999 STAGE4_BEGUN=1 STAGE4_VERBOSITY=0 STAGE4_PID=1 stage4-swapoff env | grep STAGE4_[ADBVP] | sort
| STAGE4_ACTION=reboot
| STAGE4_BEGUN=1
| STAGE4_DEADLINE=999999999999
| STAGE4_PID=1
| STAGE4_VERBOSITY=0
= 0
END

done_testing
