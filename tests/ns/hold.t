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

done_testing
