#!/bin/sh
# stage4-runonce before a service of s6, and as a oneshot of s6-rc, as examples/migrations has them. At boot, and in a
# chain: tests/vm/examples.t
# shellcheck source=tests/lib.sh
. "${0%/*}/../lib.sh"

box "before a service" <<'END'
script /usr/lib/db/migrations/10-schema 'echo 10 >>/log ; test -e /fixed'
# a shell doesn't see ?, but its environment has it
script /bin/db-daemon '{ tr "\0" "\n" </proc/$$/environ | grep "^?=" ; echo "daemon $*" ; } >>/log ; exec sleep 1000'
: >/log
mkdir /service
sed 's/sleep 10/true/' /t/examples/migrations/service/run >/service/run
chmod +x /service/run
s6-supervise /service >/said-of-it 2>&1 &
ok "a migration fails, and is tried again" await sh -c 'test "$(grep -c 10 /log)" -ge 2'
ok "meanwhile there is no daemon" not grep daemon /log
: >/fixed
ok "when it succeeds the daemon runs" await grep -q daemon /log
is "behind it, with its arguments, and without ?" "$(tail -n 2 /log)" "10 daemon -f"
s6-svc -t /service
ok "the daemon is started again" await sh -c 'test "$(grep -c daemon /log)" = 2'
is "and the migration is not run again" "$(tail -n 2 /log)" "daemon -f daemon -f"
is "its record is the service's" "$(grep -ch ' 10-schema$' /var/lib/stage4/runonce/db/*)" 1
s6-svc -xd /service
end
END

# s6-rc, which Debian has not, executes the words of the file "up" as execlineb parses them.
box "as a oneshot" <<'END'
oneshot=/t/examples/migrations/s6-rc/migrations
is "it is one" "$(cat $oneshot/type)" oneshot
script /usr/lib/migrations/10-a
script /usr/lib/migrations/20-b 'test -e /fixed'
run execlineb -P $oneshot/up
code 1
: >/fixed
run execlineb -P $oneshot/up
code 0
is "each has run until it succeeded" "$(cat /var/lib/stage4/runonce/* | cut -d ' ' -f 3- | sort)" "10-a 20-b"
end
END

done_testing
