#!/bin/sh
# The last resort, as far as a pid namespace has one: a chain that can't go on says so and exits with its code, and nobody hangs.
# shellcheck source=tests/lib.sh
. "${0%/*}/../lib.sh"

# vanishes TITLE CODE REGEX SCRIPT... : /bin/vanishing is there during the walk; the hook is SCRIPT. As pid 1 and as another.
vanishes () {
  for as in 'pid 1' 'another' ; do
    {
      echo "set -- \"$4\""
      cat <<'END'
cp /bin/helper /bin/vanishing
pid=$(helper victim)
END
      if test "$as" = 'pid 1' ; then
        echo end
        # shellcheck disable=SC2016
        echo 'exec stage4-begin -A reboot -o stage4-hook " sh" " -c" " $1" "" /bin/vanishing ms'
      else
        cat <<END
run stage4-begin -A reboot -o stage4-hook " sh" " -c" " \$1" "" /bin/vanishing ms
code $2
said "$3"
is "who lives, lives" "\$(alive \$pid)" "\$pid"
END
        echo end
      fi
    } >/script.now
    if test "$as" = 'pid 1' ; then
      box "$1, as pid 1" "exit $2" </script.now
      told "$1, as pid 1: said" "$3"
    else
      box "$1, as another" </script.now
    fi
  done
}

vanishes "nothing vanishes" 0 'stage4-begin: info: reboot by pid ' 'true'
vanishes "the next program vanishes" 127 '^stage4-hook: fatal: unable to execute /bin/vanishing: No such file or directory$' 'rm /bin/vanishing'
vanishes "it can't be executed any more" 126 '^stage4-hook: fatal: unable to execute /bin/vanishing: Permission denied$' 'chmod 644 /bin/vanishing'
vanishes "it is torn" 126 '^stage4-hook: fatal: unable to execute /bin/vanishing: Exec format error$' 'echo torn >/bin/vanishing'
vanishes "it is a directory" 126 '^stage4-hook: fatal: unable to execute /bin/vanishing: (Permission denied|Is a directory)$' 'rm /bin/vanishing ; mkdir /bin/vanishing'
vanishes "its interpreter is not there" 127 '^stage4-hook: fatal: unable to execute /bin/vanishing: No such file or directory$' \
  'printf \"#!/not/there\" >/bin/vanishing'

for as in 'pid 1' another ; do
  for action in poweroff return ; do
    {
      echo 'run_it () { '"$(test "$as" = 'pid 1' && echo 'end ; exec "$@"' || echo 'run "$@"')"' ; }'
      echo "run_it stage4-begin -A $action -o env stage4-nuke -Q true"
      if test "$as" = another ; then echo 'code 100 ; said "^stage4-nuke: fatal: usage: " ; end' ; fi
    } >/script.now
    if test "$as" = 'pid 1' ; then box "a usage error after all, $action, as pid 1" 'exit 100' </script.now
    else box "a usage error after all, $action, as another" </script.now ; fi
  done
done

box "no next program, as pid 1" 'exit 1' <<'END'
end
exec stage4-begin -A reboot -o stage4-hook " false" ""
END

box "no next program, as another" <<'END'
run stage4-begin -A reboot -o stage4-hook " false" ""
code 1
run stage4-begin -A reboot -o stage4-nuke stage4-umountall
code 0
end
END

box "not the pid that walks the chain" <<'END'
# what goes wrong in a block is a value, and the chain goes on
cat >/block <<'X'
stage4-nuke -Q true
echo "usage $?" >>/log
stage4-umountall /not/there
echo "missing $?" >>/log
stage4-hpr -A bang
echo "hpr $?" >>/log
exit 9
X
cat >/next <<'X'
. /t/lib.sh
is "? is that of the block" "$CODE" 9
is "each had its code" "$(cat /log)" "usage 100 missing 127 hpr 100"
ok "no last resort" not grep -q 'last resort' /err
end
X
exec stage4-begin -A reboot -o stage4-settle " sh" " /block" "" helper code sh /next 2>/err
END

box "a variable that somebody has inherited" <<'END'
# STAGE4_PID is the pid that walks, and nobody else
STAGE4_PID=1 STAGE4_ACTION=reboot run stage4-nuke -Q true
code 100
is "one line is said" "$(wc -l </err)" 1
STAGE4_PID=1 STAGE4_ACTION=reboot run stage4-hook " true" "" /not/there
code 127
is "one line is said" "$(wc -l </err)" 1
STAGE4_WALK=1 run stage4-hook " touch" " /ran" "" true
code 0
ok "another's walk is none" test -e /ran
end
END

box "nothing to report with" 'exit 127' <<'END'
cp /bin/helper /bin/vanishing
end
exec stage4-begin -A reboot -o stage4-hook " rm" " /bin/vanishing" "" /bin/vanishing 2>&-
END

# Without /proc it can't be seen that this is a container: the whole of the last resort. Nothing of it can leave the box:
# reboot(2) ends this pid namespace, read-only and freezing find no mounts, sysrq no file.
box "the last resort, as pid 1" 'signal 1' <<'END'
m tmpfs /a
umount -l /proc
end
export STAGE4_PID=1 STAGE4_ACTION=reboot
exec stage4-hook " true" "" /not/there
END
told "the last resort: said" "^stage4-hook: fatal: unable to execute /not/there: No such file or directory$"
told "the last resort: and that" "^stage4-hook: fatal: the chain can't go on: last resort, then reboot$"

box "the last resort, as pid 1, without an action" 'signal 1' <<'END'
umount -l /proc
end
exec stage4-hook " true" "" /not/there
END
told "the last resort, without an action: said" "^stage4-hook: fatal: the chain can't go on: last resort, then reboot$"

box "the last resort, as another" 'signal 2' <<'END'
umount -l /proc
end
export STAGE4_ACTION=poweroff
sh -c 'STAGE4_PID=$$ exec stage4-hook " true" "" /not/there'
sleep 10
echo "not ok - it goes on"
END
told "the last resort, as another: said" "^stage4-hook: fatal: the chain can't go on: last resort, then poweroff$"

box "a plan, as pid 1" 'signal 1' <<'END'
umount -l /proc
end
exec stage4-hpr -n -A poweroff
END
told "a plan, as pid 1: it is printed" '^poweroff$'
told "a plan, as pid 1: said" '^stage4-hpr: fatal: -n: nothing was done, and nothing will follow$'
told "a plan, as pid 1: and that" "^stage4-hpr: fatal: the chain can't go on: last resort, then reboot$"

box "a plan, as the process that walks" 'signal 2' <<'END'
umount -l /proc
export STAGE4_ACTION=poweroff
end
sh -c 'STAGE4_PID=$$ exec stage4-nuke -n'
sleep 10
echo "not ok - it goes on"
END

box "a plan, as pid 1 of a container" 'exit 0' <<'END'
end
exec stage4-hpr -n -A poweroff
END

box "/proc shows another pid namespace" 'exit 0' <<'END'
# as in a container's root that was entered from outside: there is no self in it
mkdir /inner
unshare -p -f sh -c 'mount -t proc proc /inner && echo ready >/ready ; sleep 1000' &
await test -e /ready
mount --move /inner /proc
ok "it is somebody else's" not test -e /proc/self
run stage4-freeze -f
said 'a container'
run stage4-nuke -f -n
ok "those of this one are seen ($!)" grep -q "^end $! " /out
end
END

box "a plan, in a block" <<'END'
cat >/next <<'X'
. /t/lib.sh
is "?" "$CODE" 0
ok "no last resort" not grep -q 'last resort' /err
end
X
exec stage4-begin -A reboot -o stage4-settle " sh" " -c" " exec stage4-umountall -n" "" helper code sh /next 2>/err
END

box "the last resort is for the pid that walks" <<'END'
umount -l /proc
export STAGE4_PID=1 STAGE4_ACTION=reboot
stage4-hook " true" "" /not/there 2>/err
is "exit code" "$?" 127
ok "said" grep -q 'unable to execute /not/there' /err
ok "no last resort" not grep -q 'last resort' /err
export STAGE4_ACTION=return
sh -c 'STAGE4_PID=$$ exec stage4-hook " true" "" /not/there' 2>/err
is "with return: exit code" "$?" 127
ok "with return: no last resort" not grep -q 'last resort' /err
end
END

done_testing
