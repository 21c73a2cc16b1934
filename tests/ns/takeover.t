#!/bin/sh
# stage4-takeover: s6-svscan, pid 1 of the namespace, becomes the chain; if it can't, everything is as it was.
# shellcheck source=tests/lib.sh
. "${0%/*}/../lib.sh"

# under_s6 TITLE <script : the script runs beside s6-svscan, which is pid 1 on /scan; it ends with stage4-takeover, or with `leave`.
under_s6 () {
  {
    cat <<'END'
mkdir -p /scan/service /scan/.s6-svscan /tmp
printf '#!/bin/sh\nexec sleep 1000\n' >/scan/service/run
chmod 755 /scan/service/run
cat >/driver <<'DRIVER'
. /t/lib.sh
is_up () { test -p /scan/.s6-svscan/control && grep -q '^s6-svscan' /proc/1/cmdline && grep -lqx s6-supervise /proc/[0-9]*/comm ; }
ok "s6-svscan is up" await is_up
# state : what must be as it was
state () {
  find /scan/.s6-svscan ! -type p -exec stat -c '%n %f %s %Y %u %g' {} + | sort
  cat /scan/.s6-svscan/finish 2>/dev/null
  tr '\0' ' ' </proc/1/cmdline
  ls -l /proc/1/exe | sed 's/.*-> //'
}
# fails CODE REGEX PROGRAM...
fails () {
  local wanted="$1" regex="$2"
  shift 2
  state >/before
  run stage4-takeover "$@"
  state >/after
  code "$wanted"
  said "$regex"
  ok "everything is as it was" cmp /before /after
}
# leave : the box ends well, whatever finish was
leave () {
  end
  printf '#!/bin/sh\nexit 0\n' >/scan/.s6-svscan/finish
  chmod 755 /scan/.s6-svscan/finish
  s6-svscanctl -b /scan
  exit
}
DRIVER
cat >>/driver <<'DRIVER'
END
    cat
    cat <<'END'
sed 's/^/# /' /err
verdict "not ok" "stage4-takeover has come back"
leave
DRIVER
sh /driver &
END
    echo "exec ${svscan:-s6-svscan /scan}"
  } >/script.now
  box "$1" </script.now
}

under_s6 "pid 1 becomes the chain" <<'END'
cat >/chain <<'X'
. /t/lib.sh
is "it is pid 1" $$ 1
is "its words" "$*" "one two"
ok "not s6-svscan" not grep -q svscan /proc/1/cmdline
is "the first program is still there" "$(alive $(cat /takeover))" "$(cat /takeover)"
ok "services are left to the chain" grep -lqx s6-supervise /proc/[0-9]*/comm
await grep -q 'pid 1 is the chain now' /err
said '^stage4-takeover: info: pid 1 is the chain now$'
end
X
sh -c 'echo $$ >/takeover ; exec stage4-takeover /scan sh /chain one two' 2>/err
END

under_s6 "there was a finish script" <<'END'
printf '#!/bin/sh\necho finish >>/log\n' >/scan/.s6-svscan/finish
chmod 755 /scan/.s6-svscan/finish
cat >/chain <<'X'
. /t/lib.sh
is "it is pid 1" $$ 1
is "the old script did not run" "$(cat /log 2>/dev/null)" ""
end
X
stage4-takeover /scan sh /chain 2>/err
END

under_s6 "odd words" <<'END'
nl='
'
set -- 'two words' " leading" 'trailing ' '' "it's" '"quoted"' 'back\slash' 'end\' '\n' '$HOME' '${HOME}' '$$' '`id`' '#comment' \
  '*' '?' '{' '}' '{ x }' ';' '&' '|' "new${nl}line" "${nl}" "$(printf 'tab\there')" "$(printf '\001\033\177')" "$(printf '\303\244\377')" \
  '\0x41' '-P' '--' '' "$(printf '%03000d' 7)" '#!' '!'
for word ; do printf '%s\0' "$word" ; done >/wanted
cat >/chain <<'X'
. /t/lib.sh
for word ; do printf '%s\0' "$word" ; done >/got
is "it is pid 1" $$ 1
is "as many words" "$(tr -dc '\0' </got | wc -c)" "$(tr -dc '\0' </wanted | wc -c)"
ok "they arrive unchanged" cmp /wanted /got
end
X
stage4-takeover /scan sh /chain "$@" 2>/err
END

under_s6 "a block" <<'END'
cat >/chain <<'X'
. /t/lib.sh
is "it is pid 1" $$ 1
is "?" "$CODE" 0
is "the block has run" "$(cat /block)" "in the block"
end
X
stage4-takeover /scan stage4-hook " sh" " -c" " echo in the block >/block" "" helper code sh /chain 2>/err
END

under_s6 "a program found by PATH, and by the directory" <<'END'
mkdir /own /here
printf '#!/bin/sh\n. /t/lib.sh\nis "it is pid 1" $$ 1\nis "what it finds" "$(other)" other\nend\n' >/here/chain
printf '#!/bin/sh\necho other\n' >/own/other
chmod 755 /own/* /here/*
cd /here
PATH=$PATH:/own stage4-takeover /scan ./chain 2>/err
END

svscan='env -i s6-svscan /scan' under_s6 "pid 1 has no environment" <<'END'
cat >/chain <<'X'
export STAGE4_TEST=box
. /t/lib.sh
is "it is pid 1" $$ 1
is "what it finds" "$(other)" other
end
X
mkdir /own
printf '#!/bin/sh\necho other\n' >/own/other
chmod 755 /own/other
PATH=$PATH:/own stage4-takeover /scan sh /chain 2>/err
END

under_s6 "a whole chain" <<'END'
m tmpfs /a
pid=$(helper victim)
cat >/chain <<'X'
. /t/lib.sh
is "it is pid 1, and walks the chain" "$$ $STAGE4_PID $STAGE4_ACTION" "1 1 reboot"
is "?" "$CODE" 0
ok "not the services either" not grep -lqx 's6-supervise\|stage4-takeover\|helper' /proc/[0-9]*/comm
is "nothing is mounted" "$(mounts)" "/ /proc"
end
X
stage4-takeover /scan stage4-begin -A reboot -o stage4-nuke -t 5s stage4-umountall helper code sh /chain 2>/err
END

## What fails

under_s6 "what is found before" <<'END'
printf '#!/bin/sh\necho mine\n' >/scan/.s6-svscan/finish
chmod 700 /scan/.s6-svscan/finish
touch -d '2001-01-01 00:00' /scan/.s6-svscan/finish
fails 100 "unable to find the next program, /not/there: No such file or directory" /scan /not/there x
fails 100 "nothing was touched" /scan not-there
fails 100 "^stage4-nuke: fatal: usage" /scan stage4-nuke -Q true
fails 100 "^stage4-umountall: fatal: invalid time" /scan stage4-begin -A reboot -o stage4-nuke stage4-umountall -t x true
fails 100 "^stage4-takeover: fatal: usage: " /scan
fails 100 "^stage4-takeover: fatal: usage: "
fails 100 "^stage4-takeover: fatal: invalid time" -t 0 /scan true
fails 111 "^stage4-takeover: fatal: pid 1, /usr/bin/s6-svscan, does not run on /not/there$" /not/there true
mkdir -p /other/.s6-svscan
fails 111 "^stage4-takeover: fatal: pid 1, /usr/bin/s6-svscan, does not run on /other$" /other true
ok "nothing was written there" not test -e /other/.s6-svscan/finish
leave
END

under_s6 "pid 1 has another PATH, and execline can't tell it ours" <<'END'
rm /usr/lib/execline/bin/export
PATH=$PATH:/own fails 111 "^stage4-takeover: warning: unable to find execline's export: " /scan true
leave
END

under_s6 "by another name" <<'END'
ln -s /scan /link
printf '. /t/lib.sh\nis "it is pid 1" $$ 1\nend\n' >/chain
stage4-takeover /link sh /chain 2>/err
END

under_s6 "its directory can't be written to" <<'END'
mount -t tmpfs none /tmp
mount -o bind /scan /scan
mount -o remount,bind,ro /scan
fails 111 "^stage4-takeover: fatal: " /scan true
umount /scan
leave
END

# pid 1 is the shell of the box
box "pid 1 is something else" <<'END'
mkdir -p /scan/.s6-svscan
cd /
run stage4-takeover /scan true
code 111
said '^stage4-takeover: fatal: pid 1, /bin/busybox, does not run on /scan$'
ok "nothing was written" not ls /scan/.s6-svscan/*
cd /scan
for old in 'printf mine' true ; do
  rm -f /scan/.s6-svscan/*
  if test "$old" != true ; then
    echo mine >/scan/.s6-svscan/finish
    chmod 711 /scan/.s6-svscan/finish
    touch -d '2001-01-01 00:00' /scan/.s6-svscan/finish
  fi
  state () { ls -l /scan/.s6-svscan ; cat /scan/.s6-svscan/finish 2>/dev/null ; }
  state >/before
  run stage4-takeover -t 300 /scan true
  state >/after
  code 111
  said '^stage4-takeover: fatal: unable to tell s6-svscan on /scan to end'
  ok "no control: everything is as it was" cmp /before /after
  mkfifo /scan/.s6-svscan/control
  exec 3<>/scan/.s6-svscan/control    # open before anybody writes, not as soon as the child gets to it
  cat <&3 >/control &
  reader=$!
  exec 3>&-
  state >/before
  start=$(helper ms)
  run stage4-takeover -t 300 /scan true
  took=$(($(helper ms) - start))
  state >/after
  code 111
  said '^stage4-takeover: fatal: pid 1 is still /bin/busybox after [0-9]+ ms$'
  is "it was told" "$(cat /control)" b
  ok "it was waited for: $took ms" between $took 300 1500
  ok "no change: everything is as it was" cmp /before /after
  kill $reader
  wait $reader 2>/dev/null
done
end
END

box "no namespace's pid 1 to see" <<'END'
mkdir -p /scan/.s6-svscan
umount -l /proc
stage4-takeover /scan true 2>/err
is "exit code" $? 111
ok "said" grep -q "^stage4-takeover: fatal: " /err
ok "nothing was written" not ls /scan/.s6-svscan/*
end
END

done_testing
