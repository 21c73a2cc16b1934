#!/bin/sh
# stage4-hpr in a pid namespace: it ends the namespace, as the kernel does it: pid 1 gets SIGHUP for a reboot, SIGINT for the others.
# shellcheck source=tests/lib.sh
. "${0%/*}/../lib.sh"

left='left: [0-9]+ writable file systems, [0-9]+ mounts, [0-9]+ swaps, [0-9]+ block devices$'

for try in 'reboot=1' 'poweroff=2' 'halt=2' 'kexec=1' '6=1' '0=2' ; do
  action=${try%=*} signal=${try#*=}
  box "$action, as pid 1" "signal $signal" <<END
end
exec stage4-hpr -f -A $action
END
  told "$action, as pid 1: the line" "^stage4-hpr: info: [a-z]+; $left"
  box "$action, as another" "signal $signal" <<END
end
stage4-hpr -f -A $action
sleep 10
echo "not ok - it goes on"
END
done

box "the action of the environment" 'signal 2' <<'END'
end
STAGE4_PID=1 STAGE4_ACTION=poweroff exec stage4-hpr -f
END
told "the action of the environment: said" "^stage4-hpr: info: poweroff; $left"

box "-A counts more" 'signal 1' <<'END'
end
STAGE4_PID=1 STAGE4_ACTION=poweroff exec stage4-hpr -f -A reboot
END
told "-A counts more: said" "^stage4-hpr: info: reboot; $left"

box "an argument" 'signal 1' <<'END'
end
exec stage4-hpr -f -A reboot -a bootloader
END

box "at the end of a chain" 'signal 1' <<'END'
m tmpfs /a
m tmpfs /busy
exec 5>/busy/open
end
exec stage4-begin -A reboot -t 20s -o stage4-nuke stage4-umountall stage4-hpr
END
told "at the end of a chain: what is left, and what it took" "^stage4-hpr: info: reboot after [0-9.]+ m?s; left: 0 writable file systems, 2 mounts, "

box "at the end of a chain that keeps a mount" 'signal 2' <<'END'
m tmpfs /a
m tmpfs /busy
helper victim -f /busy/open -a @kept >/dev/null
end
exec stage4-begin -A poweroff -o stage4-umountall stage4-hpr
END
told "at the end of a chain that keeps a mount: what is left" "^stage4-hpr: info: poweroff after [0-9.]+ m?s; left: 0 writable file systems, 3 mounts, "
told "it was named" "stage4-umountall: warning: left: /busy .*, held by [0-9]+ "

box "at the end of a chain, as another" 'signal 2' <<'END'
m tmpfs /a
end
stage4-begin -A halt -o stage4-umountall stage4-hpr
sleep 10
END
told "at the end of a chain, as another: what is left" "^stage4-hpr: info: halt after [0-9.]+ m?s; left: 0 writable file systems, 2 mounts, "

box "no /proc" 'signal 1' <<'END'
umount -l /proc
end
exec stage4-hpr -f -A reboot -t 0
END
told "no /proc: said" "^stage4-hpr: info: reboot; what is left can't be seen, /proc is not there"

box "nobody reads stderr" 'signal 1' <<'END'
helper ms >/dev/null
end
helper full stage4-hpr -f -A reboot
sleep 10
END

# 22: CAP_SYS_BOOT. Without it the end of pid 1 ends the namespace.
box "without the right to it, as pid 1" 'exit 0' <<'END'
end
exec helper without 22 stage4-hpr -f -A reboot
END

box "without the right to it, as another" 'exit 0' <<'END'
run helper without 22 stage4-hpr -f -A reboot
code 111
said "^stage4-hpr: info: reboot; left: "
said "^stage4-hpr: fatal: unable to end the container: Operation not permitted$"
end
END

box "the plan" <<'END'
m tmpfs /a
run stage4-hpr -n -A reboot
code 0
is "what it would do" "$(cat /out)" reboot
is "nothing is said" "$(cat /err)" ""
run stage4-hpr -n -A 0 -a argument
is "with its argument" "$(cat /out)" "poweroff argument"
STAGE4_PID=1 STAGE4_ACTION=kexec run stage4-hpr -n
is "of the environment" "$(cat /out)" kexec
run stage4-hpr -n
code 100
is "nothing was done" "$(mounts)" "/ /proc /a"
end
END

box "what is wrong" <<'END'
run stage4-hpr -A reboot
code 100
said '^stage4-hpr: fatal: this destroys: only in a chain that stage4-begin has begun, or with -f$'
STAGE4_PID=99999 run stage4-hpr -A reboot
code 100
STAGE4_PID=0 run stage4-hpr -A reboot
code 100
run stage4-hpr -f
code 100
said '^stage4-hpr: fatal: no action'
STAGE4_PID=1 STAGE4_ACTION=nonsense run stage4-hpr -f
code 100
run stage4-hpr -f -A return
code 100
said '^stage4-hpr: fatal: stage4-begin -A return: somebody else ends the machine$'
STAGE4_PID=1 STAGE4_ACTION=return run stage4-hpr -f
code 100
run stage4-hpr -f -A reboot true
code 100
run stage4-hpr -f -A bang
code 100
run stage4-hpr -f -A reboot -t 1y
code 100
run stage4-hpr -f -A reboot -x
code 100
end
END

done_testing
