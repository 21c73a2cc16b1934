#!/bin/bash
# The examples, as they are, in the guest of the demo: each is what /sbin/reboot does there.
. "$(dirname "$0")/lib.sh"
mkdir -p "$work"
. "$top/tools/lib/guest.sh"
. "$top/tools/lib/verdict.sh"

# chain NAME <<'END' : a way to shut down, for demo_chain=NAME
chain () {
  { echo '#!/bin/sh' ; cat ; } >"$tree/etc/demo/chain/$1"
  chmod +x "$tree/etc/demo/chain/$1"
}

guest_extra () {
  local tree=$1
  mkdir -p "$tree/usr/share/stage4"
  cp -R "$top/examples" "$tree/usr/share/stage4/"
  chain full <<<'exec /usr/share/stage4/examples/execline/full reboot'
  chain classic <<<'exec /usr/share/stage4/examples/execline/classic reboot'
  chain no-ramfs <<<'exec /usr/share/stage4/examples/execline/no-ramfs reboot'
  chain finish <<'END'
cp /usr/share/stage4/examples/execline/finish /run/service/.s6-svscan/finish
echo reboot >/run/service/.s6-svscan/action
exec s6-svscanctl -b /run/service
END
  # What s6-linux-init has done when it calls the hook: its own umountall has taken the ramfs of the boot away,
  # the hook's directory has the file that says the action. s6-linux-init itself is not in Debian.
  chain s6-linux-init <<'END'
umount /run/stage4 && rmdir /run/stage4
/usr/share/stage4/examples/s6-linux-init/make-ramfs || exit
mkdir /run/shutdownd
cd /run/shutdownd || exit
printf '#!/bin/execlineb -P\n\nforeground { s6-linux-init-umountall }\ns6-linux-init-hpr -f -r\n' >'stage 4'
exec /usr/share/stage4/examples/s6-linux-init/rc.shutdown.final
END
  # Migrations at boot, before a service (which is run here), and in the chain itself.
  chain migrations <<'END'
migrations=/usr/share/stage4/examples/migrations
# migration FILE [LINE]
migration () {
  mkdir -p "${1%/*}"
  printf '#!/bin/sh\necho "=== migration %s"\n%s\n' "${1##*/}" "$2" >"$1"
  chmod 755 "$1"
}
migration /usr/lib/migrations/10-fails 'exit 1'
migration /usr/lib/migrations/20-behind
$migrations/boot
echo "=== boot $? $(cat /run/migrations.failed)"
migration /usr/lib/migrations/10-fails
$migrations/boot
echo "=== boot $? $(cat /run/migrations.failed)"
migration /usr/lib/db/migrations/10-schema
migration /bin/db-daemon
sed 's/sleep 10/true/' $migrations/service/run >/run/db
chmod +x /run/db
/run/db
migration /usr/lib/db/migrations/20-wrong 'exit 1'
/run/db
echo "=== service $?"
migration /usr/lib/migrations/30-offline
exec $migrations/shutdown reboot
END
}

# migrated COUNT NAME : it has run so many times
migrated () {
  test "$(grep -c "=== migration $2\$" "$console.migrations")" = "$1"
}

# recorded NAME [DIR] : on the disk, when the machine is off
recorded () {
  local stamp dir=/var/lib/stage4/runonce$2
  for stamp in $(debugfs -R "ls -p $dir" "$work/migrations.img" 2>/dev/null | cut -d / -f 6 | grep -x '[0-9a-f]*') ; do
    debugfs -R "cat $dir/$stamp" "$work/migrations.img" 2>/dev/null
  done | grep -q "  $1\$"
}

{ guest_build && guest_make ; } >&2 || bail_out "no guest"
for name in full classic no-ramfs finish s6-linux-init migrations ; do
  boot $name none || echo "# the machine had to be ended"
  case $name in no-ramfs) kind=no-ramfs ;; *) kind=default ;; esac
  verdict $kind none >"$work/verdict"
  while read -r outcome claim ; do
    ok "$name: $claim" test "$outcome" = ok
  done <"$work/verdict"
  cp "$console" "$console.$name"
done
mv "$work/root.img" "$work/migrations.img"
ok "migrations: at boot one fails, and what is behind it does not run" console_has "$console" '^=== boot 1 1'
ok "migrations: at the next boot all is done" console_has "$console" '^=== boot 0 *$'
ok "migrations: one that failed has run twice" migrated 2 10-fails
ok "migrations: one that was behind it once" migrated 1 20-behind
ok "migrations: a service runs behind its own" migrated 1 db-daemon
ok "migrations: and does not when one of them fails" console_has "$console" '^=== service 1'
ok "migrations: its first one was not run again" migrated 1 10-schema
ok "migrations: one runs in the chain" migrated 1 30-offline
for name in 10-fails 20-behind 30-offline ; do ok "migrations: $name is recorded" recorded $name ; done
ok "migrations: the service's is recorded" recorded 10-schema /db
ok "migrations: what failed is not" not recorded 20-wrong /db
rm -f "$work"/*.img
done_testing
