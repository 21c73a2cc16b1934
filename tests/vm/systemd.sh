# shellcheck shell=bash
# shellcheck disable=SC2154 # debian, top and work are tests/vm/lib.sh's
# A root with Debian's systemd, without what these tests don't need. To be sourced after tests/vm/lib.sh:
#
#   systemd_tree tree               makes $tree of $debian (vm_debian systemd systemd-sysv ...)
#   unit x.service <<'END'          a unit for it
#   hook "$tree/usr/bin/x" <<'END'  a script for Debian's busybox
#   request UNIT <<'END'            one that asks for the end, as request.service, after that unit, if it isn't ''
#   systemd_stage4                  installs stage4

# Slow under emulation.
not_needed='systemd-udevd.service systemd-udev-trigger.service systemd-udevd-control.socket systemd-udevd-kernel.socket
  systemd-binfmt.service proc-sys-fs-binfmt_misc.automount systemd-firstboot.service systemd-hwdb-update.service
  systemd-modules-load.service kmod-static-nodes.service systemd-random-seed.service systemd-repart.service
  systemd-sysctl.service systemd-sysusers.service systemd-tmpfiles-setup-dev.service systemd-update-utmp.service
  systemd-pcrphase.service systemd-pcrphase-sysinit.service systemd-pstore.service lvm2-monitor.service
  lvm2-lvmpolld.socket dm-event.socket blk-availability.service mdadm-shutdown.service dev-hugepages.mount
  dev-mqueue.mount sys-kernel-config.mount sys-kernel-debug.mount sys-kernel-tracing.mount sys-fs-fuse-connections.mount
  systemd-journald-audit.socket systemd-initctl.socket systemd-machine-id-commit.service getty.target
  systemd-fsck-root.service systemd-remount-fs.service'

# unit NAME <<'END'
unit () {
  cat >"$tree/etc/systemd/system/$1"
}

# hook PATH : a script for Debian's busybox, which needs nothing else
hook () {
  mkdir -p "${1%/*}"
  { echo '#!/usr/bin/busybox sh' ; cat ; } >"$1"
  chmod 755 "$1"
}

# request UNIT <<'END'
request () {
  hook "$tree/usr/lib/test/request"
  unit request.service <<END
[Unit]
${1:+After=$1}
[Service]
Type=oneshot
ExecStart=/usr/lib/test/request
StandardOutput=file:/dev/console
END
}

systemd_tree () {
  local name
  tree=$work/$1
  rm -rf "$tree"
  mkdir -p "$tree"
  tar -C "$debian" --exclude=./usr/share --exclude='./usr/lib/udev' --exclude='./usr/lib/*/perl*' --exclude='*/gconv' \
    --exclude='*/libperl*' --exclude='./usr/bin/perl*' --exclude='./var/lib/*' --exclude='./var/cache/*' -cf - . |
    tar -C "$tree" -xf -
  mkdir -p "$tree/usr/lib/test" "$tree/var/log/journal"
  cp "$top/tests/vm/guest/functions.sh" "$tree/usr/lib/test/functions"
  cp "$(command -v busybox)" "$tree/usr/bin/busybox"
  for name in $not_needed ; do ln -s /dev/null "$tree/etc/systemd/system/$name" ; done
  echo 0123456789abcdef0123456789abcdef >"$tree/etc/machine-id"
}

systemd_stage4 () {
  make -C "$top/build/static" install DESTDIR="$tree" >"$work/install.log" 2>&1
}
