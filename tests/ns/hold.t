#!/bin/sh
# stage4-hold as a service of s6, as examples/finalize-staged has it. With an automounter: tests/vm/hold.t
# shellcheck source=tests/lib.sh
. "${0%/*}/../lib.sh"

box "as a service" <<'END'
m tmpfs /boot
mkdir -p /boot/loader/entries /etc/finalize-staged
printf 'timeout 3\ndefault old.conf\n' >/boot/loader/loader.conf
echo 'title new' >/boot/loader/entries/new.conf
cp /t/examples/finalize-staged/finalize /etc/finalize-staged/
cp -R /t/examples/finalize-staged/s6 /service
s6-supervise /service 2>/err &
# is_now STATE... : up and ready
is_now () {
  test "$(s6-svstat -o up,ready /service)" = "$*"
}
ok "it becomes ready" await is_now true true
ok "/boot is held" not umount /boot
mkdir /run/finalize-staged
echo new >/run/finalize-staged/next
s6-svc -d /service
ok "it goes down" await is_now false false
is "the new one is chosen, all else stays" "$(cat /boot/loader/loader.conf)" "timeout 3 default new.conf"
is "the result" "$(cat /var/lib/finalize-staged/result)" "done new"
is "nothing else is left" "$(ls /boot/loader /var/lib/finalize-staged /run/finalize-staged | grep -v :)" "entries loader.conf lock result"
s6-svc -u /service
ok "it becomes ready again" await is_now true true
rm /var/lib/finalize-staged/result
s6-svc -d /service
ok "nothing is staged: it goes down" await is_now false false
said '^stage4-hold: info: /run/finalize-staged/next is gone: /etc/finalize-staged/finalize is not run$'
ok "nothing is staged: no result" not test -e /var/lib/finalize-staged/result
ok "/boot is free" umount /boot
s6-svc -x /service
end
END

box "who has the lock" <<'END'
m tmpfs /boot
mkdir -p /boot/loader/entries /run/finalize-staged /etc/finalize-staged
echo 'default old.conf' >/boot/loader/loader.conf
echo 'title new' >/boot/loader/entries/new.conf
echo new >/run/finalize-staged/next
cp /t/examples/finalize-staged/finalize /etc/finalize-staged/
cp /t/examples/finalize-staged/plain /plain
mkfifo /release
( exec 8>/run/finalize-staged/lock ; flock 8 ; : >/locked ; read -r _ <>/release ) &
ok "somebody has the lock" await test -e /locked
ok "it is held all the same" sh /plain start 2>/err
sh /plain stop 2>/dev/null & stop=$!
ok "the finalizer waits" await sh -c 'grep -qsx flock /proc/[0-9]*/comm'
is "and has chosen nothing" "$(cat /boot/loader/loader.conf)" "default old.conf"
rm /run/finalize-staged/next
echo go >/release
wait $stop
is "it was cancelled meanwhile" "$(cat /boot/loader/loader.conf)" "default old.conf"
said '^finalize: nothing is staged any more$'
ok "without a result" not test -e /var/lib/finalize-staged/result
end
END

box "without it" <<'END'
cp /t/examples/finalize-staged/plain /plain
mkdir -p /etc/finalize-staged
cp /t/examples/finalize-staged/finalize /etc/finalize-staged/
run sh /plain start
code 1
said '^stage4-hold: fatal: unable to open /boot: No such file or directory$'
run sh /plain stop
code 0
run sh /plain
code 100
end
END

box "what the finalizer finds" <<'END'
mkdir -p /boot/loader/entries /run/finalize-staged /var/lib
echo 'title new' >/boot/loader/entries/new.conf
# finalize TITLE CODE CHOICE RESULT : with what is in loader.conf, and staged
finalize () {
  run sh /t/examples/finalize-staged/finalize
  is "$1: its exit code" "$code" "$2"
  is "$1: the choice" "$(cat /boot/loader/loader.conf)" "$3"
  is "$1: the result" "$(cat /var/lib/finalize-staged/result)" "$4"
  rm -f /var/lib/finalize-staged/result
}
lines () {
  is "$1: lines" "$(grep -c . /boot/loader/loader.conf)" "$2"
}
echo new >/run/finalize-staged/next
printf 'default old.conf\ntimeout 3' >/boot/loader/loader.conf
finalize "no end of the last line" 0 'timeout 3 default new.conf' 'done new'
lines "no end of the last line" 2
echo new >/run/finalize-staged/next
printf 'default old.conf\n' >/boot/loader/loader.conf
finalize "no other line" 0 'default new.conf' 'done new'
lines "no other line" 1
echo new >/run/finalize-staged/next
rm /boot/loader/loader.conf
finalize "no choice at all" 1 '' 'failed new: unable to read /boot/loader/loader.conf'
for name in ../new new/../new .new ; do
  echo "$name" >/run/finalize-staged/next
  echo 'default old.conf' >/boot/loader/loader.conf
  finalize "$name" 1 'default old.conf' "failed $name: this is no name"
done

echo new >/run/finalize-staged/next
mkfifo /gone
exec 7<>/gone 8>/gone 7<&-
sh /t/examples/finalize-staged/finalize 2>&8
is "nobody hears it: its exit code" $? 0
is "nobody hears it: the choice" "$(cat /boot/loader/loader.conf)" 'default new.conf'
is "nobody hears it: the result" "$(cat /var/lib/finalize-staged/result)" 'done new'
exec 8>&-

m tmpfs /boot -o size=8k
mkdir -p /boot/loader/entries
echo 'default old.conf' >/boot/loader/loader.conf
echo 'title new' >/boot/loader/entries/new.conf
printf %09000d 0 >/boot/zero 2>/dev/null
echo new >/run/finalize-staged/next
finalize "/boot is full" 1 'default old.conf' 'failed new: unable to replace /boot/loader/loader.conf'
end
END

box "a notification that nobody reads" <<'END'
mkfifo /full
exec 7<>/full
printf %065536d 0 >&7
stage4-hold -t 500ms -d 7 -p /tmp touch /done 2>/err &
ok "is given up" await grep -q 'unable to tell that it is ready, on fd 7' /err
kill $!
wait $!
is "the program is run" "$? $(ls /done)" "0 /done"
end
END

done_testing
