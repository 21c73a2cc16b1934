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
}

{ guest_build && guest_make ; } >&2 || bail_out "no guest"
for name in full classic no-ramfs finish s6-linux-init ; do
  boot $name none || echo "# the machine had to be ended"
  case $name in no-ramfs) kind=no-ramfs ;; *) kind=default ;; esac
  verdict $kind none >"$work/verdict"
  while read -r outcome claim ; do
    ok "$name: $claim" test "$outcome" = ok
  done <"$work/verdict"
  cp "$console" "$console.$name"
done
rm -f "$work"/*.img
done_testing
