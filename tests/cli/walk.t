#!/bin/sh
# The walk along a line: typing errors are found before anything happens. STAGE4_WALK is the pid that walks.
# shellcheck source=tests/lib.sh
. "${0%/*}/../lib.sh"

cat >/tmp/touch <<'END'
#!/bin/sh
touch /tmp/happened
END
chmod 755 /tmp/touch
transcript <<'END'
a line that is fine: to the first foreign word, and nothing happens
$ helper walker stage4-nuke stage4-umountall stage4-swapoff stage4-freeze stage4-hpr
= 0
$ helper walker stage4-nuke /tmp/touch ; ls /tmp/happened
! ls: /tmp/happened: No such file or directory
= 1
$ helper walker stage4-nuke echo stage4-umountall -x
= 0
$ helper walker stage4-nuke
= 0
$ helper walker stage4-hook ' /tmp/touch' '' stage4-hookdir -d /tmp/touch stage4-settle ' /tmp/touch' '' /tmp/touch ; ls /tmp/happened
! ls: /tmp/happened: No such file or directory
= 1
$ helper walker stage4-begin -r stage4-nuke stage4-pivot stage4-hpr
= 0
$ helper walker stage4-takeover /run/service stage4-begin -r stage4-hpr
= 0
$ helper walker stage4-ramfs /run/stage4 /bin/busybox
= 0

an error, wherever it is
$ helper walker stage4-nuke -t 10x stage4-hpr
! stage4-nuke: fatal: invalid time (like 1500, 1500ms or 10s): 10x
= 100
$ helper walker stage4-nuke stage4-swapoff stage4-umountall stage4-freeze -t 10x stage4-hpr
! stage4-freeze: fatal: invalid time (like 1500, 1500ms or 10s): 10x
= 100
$ helper walker stage4-nuke stage4-swapoff stage4-umountall stage4-hpr -A nonsense
! stage4-hpr: fatal: invalid action: nonsense
= 100
$ helper walker stage4-nuke stage4-hpr echo
!~ stage4-hpr: fatal: usage: .*
= 100
$ helper walker stage4-nuke no-such-program
! stage4-nuke: fatal: unable to find the next program, no-such-program: No such file or directory
= 100
$ helper walker stage4-nuke stage4-numountall stage4-hpr
! stage4-nuke: fatal: unable to find the next program, stage4-numountall: No such file or directory
= 100
$ helper walker stage4-nuke /dev/null
! stage4-nuke: fatal: unable to find the next program, /dev/null: Permission denied
= 100
$ helper walker stage4-begin -r -t 10x stage4-hpr
! stage4-begin: fatal: invalid time (like 1500, 1500ms or 10s): 10x
= 100
$ helper walker stage4-takeover /run/service stage4-nuke -x
!~ stage4-nuke: fatal: usage: .*
= 100

in each program, as the last word of a line
$ helper walker stage4-nuke stage4-begin -r -x true
!~ stage4-begin: fatal: usage: .*
= 100
$ helper walker stage4-swapoff stage4-nuke -Q true
!~ stage4-nuke: fatal: usage: .*
= 100
$ helper walker stage4-nuke stage4-watchdog -t 10x true
! stage4-watchdog: fatal: invalid time (like 1500, 1500ms or 10s): 10x
= 100
$ helper walker stage4-nuke stage4-watchdog -d relative true
!~ stage4-watchdog: fatal: invalid .*: relative
= 100
$ helper walker stage4-nuke stage4-pivot -m relative true
!~ stage4-pivot: fatal: invalid .*: relative
= 100
$ helper walker stage4-nuke stage4-umountall -k relative true
!~ stage4-umountall: fatal: invalid .*: relative
= 100
$ helper walker stage4-nuke stage4-swapoff -t 0 true
! stage4-swapoff: fatal: invalid time (0 makes no sense here): 0
= 100
$ helper walker stage4-nuke stage4-detach -A true
!~ stage4-detach: fatal: usage: .*
= 100
$ helper walker stage4-nuke stage4-settle -x ' true' '' true
!~ stage4-settle: fatal: usage: .*
= 100
$ helper walker stage4-nuke stage4-hook -k 1x ' true' '' true
! stage4-hook: fatal: invalid time (like 1500, 1500ms or 10s): 1x
= 100
$ helper walker stage4-nuke stage4-hookdir -t 30s true
!~ stage4-hookdir: fatal: usage: .*
= 100
$ helper walker stage4-nuke stage4-runonce -p sometimes /d true
! stage4-runonce: fatal: invalid policy (stop or continue): sometimes
= 100
$ helper walker stage4-nuke stage4-freeze -T x true
!~ stage4-freeze: fatal: usage: .*
= 100
$ helper walker stage4-nuke stage4-hpr -t soon
! stage4-hpr: fatal: invalid time (like 1500, 1500ms or 10s): soon
= 100
$ helper walker stage4-nuke stage4-ramfs relative
!~ stage4-ramfs: fatal: invalid .*: relative
= 100
$ helper walker stage4-nuke stage4-takeover -t 0 /run/service true
! stage4-takeover: fatal: invalid time (0 makes no sense here): 0
= 100
$ helper walker stage4-nuke stage4-busy
!~ stage4-busy: fatal: usage: .*
= 100
$ helper walker stage4-nuke stage4-hold -p relative true
!~ stage4-hold: fatal: invalid .*: relative
= 100
$ helper walker stage4-nuke -v 4 true
! stage4-nuke: fatal: invalid verbosity: 4
= 100
and each that is fine
$ helper walker stage4-begin -r stage4-nuke stage4-watchdog stage4-pivot stage4-settle ' stage4-umountall' ' stage4-swapoff' ' stage4-detach' '' stage4-hook ' true' '' stage4-hookdir -d /d stage4-runonce /tmp stage4-freeze stage4-hpr ; ls /tmp/happened
! ls: /tmp/happened: No such file or directory
= 1
$ helper walker stage4-nuke stage4-busy /tmp
= 0
$ helper walker stage4-nuke stage4-takeover /run/service stage4-begin -r stage4-nuke stage4-busy
!~ stage4-busy: fatal: usage: .*
= 100

foreign words end it, wherever they are, and are looked for in PATH
$ helper walker stage4-nuke sh -c 'stage4-nuke -Q' stage4-hpr -Q
= 0
$ PATH=/tmp:$PATH helper walker stage4-nuke touch /tmp/happened ; ls /tmp/happened
! ls: /tmp/happened: No such file or directory
= 1
$ PATH=/nowhere /bin/helper walker /bin/stage4-nuke stage4-umountall
! stage4-nuke: fatal: unable to find the next program, stage4-umountall: No such file or directory
= 100
$ PATH=/nowhere /bin/helper walker /bin/stage4-nuke true
! stage4-nuke: fatal: unable to find the next program, true: No such file or directory
= 100
$ helper walker stage4-nuke /bin/stage4-umountall /bin/stage4-hpr -Q
!~ stage4-hpr: fatal: usage: .*
= 100
$ helper walker stage4-nuke ''
!~ stage4-nuke: fatal: unable to find the next program, : .*
= 100

a step that only plans
$ helper walker stage4-nuke stage4-umountall -n stage4-hpr
! stage4-umountall: fatal: -n: this step would do nothing, and nothing would follow it
= 100
$ helper walker stage4-nuke stage4-umountall stage4-hpr -n
! stage4-hpr: fatal: -n: this step would do nothing, and nothing would follow it
= 100
$ helper walker stage4-takeover /run/service stage4-begin -n -r stage4-hpr
! stage4-begin: fatal: -n: this step would do nothing, and nothing would follow it
= 100
$ helper walker stage4-settle ' stage4-umountall' ' -n' '' stage4-hpr
! stage4-umountall: fatal: -n: this step would do nothing, and nothing would follow it
= 100
$ helper walker stage4-hook ' stage4-ramfs' ' -n' ' /run/stage4' '' stage4-hpr
= 0

in blocks
$ helper walker stage4-settle ' stage4-umountall' ' -t' ' 10x' '' stage4-hpr
! stage4-umountall: fatal: invalid time (like 1500, 1500ms or 10s): 10x
= 100
$ helper walker stage4-settle ' stage4-umountall' ' stage4-swapoff' '' stage4-hpr -t 10x
! stage4-hpr: fatal: invalid time (like 1500, 1500ms or 10s): 10x
= 100
$ helper walker stage4-hook ' no-such-program' '' stage4-hpr
! stage4-hook: fatal: unable to find the next program, no-such-program: No such file or directory
= 100
$ helper walker stage4-settle ' stage4-settle' '  stage4-nuke' '  -k' '  0' ' ' '' stage4-hpr
! stage4-nuke: fatal: invalid time (0 makes no sense here): 0
= 100
$ helper walker stage4-nuke stage4-hook ' true'
! stage4-hook: fatal: unterminated block
= 100
$ helper walker stage4-nuke stage4-settle ''
! stage4-settle: fatal: empty block
= 100

after begin -A return
$ helper walker stage4-begin -A return stage4-nuke stage4-freeze
! stage4-freeze: fatal: after stage4-begin -A return others still want to write
= 100
$ helper walker stage4-begin -A return stage4-nuke stage4-pivot
! stage4-pivot: fatal: after stage4-begin -A return the old root is still needed
= 100
$ helper walker stage4-begin -A return stage4-nuke stage4-hpr
! stage4-hpr: fatal: stage4-begin -A return: somebody else ends the machine
= 100
$ helper walker stage4-begin -A return stage4-nuke stage4-umountall
= 0

somebody else's walk is not ours
$ STAGE4_WALK=1 stage4-hook ' echo' ' done' '' echo next
| done
| next
= 0
$ STAGE4_WALK= stage4-hook ' echo' ' done' '' echo next
| done
| next
= 0
$ STAGE4_WALK=nonsense stage4-hook ' echo' ' done' '' echo next
| done
| next
= 0
$ helper walker sh -c 'stage4-hook " echo" " done" "" echo next ; true'
| done
| next
= 0
END

done_testing
