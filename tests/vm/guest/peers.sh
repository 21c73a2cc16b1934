# shellcheck shell=sh
# For tools/compare, whose machines are shut down by others, too. To be sourced by stack.sh, in the initramfs (busybox)
# and in the new root (busybox, or Debian's dash and coreutils).
# shellcheck disable=SC2154 # by, stack and below_crypt are stack.sh's

# words : the kernel gives what is on its command line to pid 1 only
words () {
  read -r line </proc/cmdline
  for word in $line ; do
    case $word in fs=* | stack=* | by=*) export "${word?}" ;; esac
  done
}

## The kernel says what goes

# watch : each file system that is shut down, each disk that is removed (dm's), each loop device that is cleared is a
# line of the kernel's on the console, with tp_printk on its command line; md has messages of its own. The numbers are
# offsets in struct super_block (s_dev, s_type), gendisk (disk_name) and loop_device (lo_number).
watch () {
  mount -t tracefs tracefs /sys/kernel/tracing
  (
    cd /sys/kernel/tracing &&
    echo 'p:stage4/unmounted generic_shutdown_super dev=+16(%di):u32 type=+0(+0(+40(%di))):string' >kprobe_events &&
    echo 'p:stage4/removed del_gendisk disk=+12(%di):string' >>kprobe_events &&
    echo 'p:stage4/cleared loop:__loop_clr_fd loop=+0(%di):s32' >>kprobe_events &&
    echo 1 >events/stage4/enable
  ) && umount /sys/kernel/tracing
}

## Roots

# fill_root_debian : from a disk that is an archive
fill_root_debian () {
  mkdir -p /new/dev /new/proc /new/sys /new/run /new/mnt
  tar -x -f /dev/vde -C /new
  cp /bin/load /new/bin/
  cp /functions /peers /new/
  cp /init /new/go
  : >/new/etc/fstab   # what is mounted has been mounted by the initramfs
  case $stack in *luks*) echo "crypt $below_crypt none luks,noauto" >/new/etc/crypttab ;; esac
}

fill_root_systemd () {
  fill_root_debian
  echo 00112233445566778899aabbccddeeff >/new/etc/machine-id   # without, it is a first boot, with more to do
  cat >/new/etc/systemd/system/load.service <<'END'
[Service]
ExecStart=/go
END
  ln -s ../load.service /new/etc/systemd/system/multi-user.target.wants/load.service
  ln -sf /lib/systemd/system/multi-user.target /new/etc/systemd/system/default.target
  ln -sf /dev/null /new/etc/systemd/system/getty.target
}

# Without rcS (what it would mount is mounted), and without gettys.
fill_root_sysvinit () {
  fill_root_debian
  sed -i -e '/:sysinit:/d' -e '/getty/d' /new/etc/inittab
  printf '#!/bin/sh\nsetsid -f /go\n' >/new/etc/rc.local
  chmod 755 /new/etc/rc.local
  if test "$stack" = nbd ; then   # as a script in the initramfs that starts such a process does
    mkdir -p /run/sendsigs.omit.d
    pidof @nbd >/run/sendsigs.omit.d/nbd
  fi
}

# As buildroot's: rcK stops services, here the load, and waits for them, as not all of buildroot's do; or, of
# busybox-running, there are none.
fill_root_busybox () {
  fill_root_stage4
  : >/new/etc/fstab
  cat >/new/etc/inittab <<'END'
::once:/go
::shutdown:/etc/rcK
::shutdown:/sbin/swapoff -a
::shutdown:/bin/umount -a -r
END
  echo '#!/bin/sh' >/new/etc/rcK
  test "$by" != busybox || echo 'killall load ; while pidof load >/dev/null ; do usleep 10000 ; done' >>/new/etc/rcK
  chmod 755 /new/etc/rcK
  mkdir -p /new/sbin
  ln -s ../bin/busybox /new/sbin/swapoff
}

# Its pid 1.
init_of () {
  case $1 in
    systemd) echo /lib/systemd/systemd ;;
    sysvinit) echo /sbin/init ;;
    busybox*) echo /bin/init ;;
    *) echo /go ;;
  esac
}

# request : of the program that is for that, as an administrator would; then the load goes on
request () {
  case $by in
    systemd) systemctl reboot ;;
    sysvinit) shutdown -r now </dev/null ;;
    busybox*) reboot ;;
  esac
  wait
}
