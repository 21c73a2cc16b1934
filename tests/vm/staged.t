#!/bin/bash
# Debian's systemd with the unit of examples/finalize-staged, and a /boot (vfat) that its automount takes away after a second:
# at `systemctl reboot` the staged update is finalized while /boot is still mounted, before anything is unmounted.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/systemd.sh"
need_packages dosfstools mtools || bail_out "no vfat"

# Its device has another name here: without udev systemd would wait for /dev/vdb.
units () {
  ln -s /dev/vdb "$tree/disk"
  unit boot.mount <<'END'
[Mount]
What=/disk
Where=/boot
Type=vfat
END
  unit boot.automount <<'END'
[Automount]
Where=/boot
TimeoutIdleSec=1
END
  unit srv.mount <<'END'
[Mount]
What=srv
Where=/srv
Type=tmpfs
END
  unit test.target <<'END'
[Unit]
Requires=basic.target
After=basic.target
Wants=request.service
END
  mkdir "$tree/etc/systemd/system/"{local-fs,test}.target.wants
  ln -s ../boot.automount ../srv.mount "$tree/etc/systemd/system/local-fs.target.wants/"
}

requests () {
  request finalize-staged.service <<'END'
. /usr/lib/test/functions
export PATH=/usr/sbin:/usr/bin
is_boot () { grep -q ' /boot vfat ' /proc/mounts ; }
held () { is_boot && pidof stage4-hold ; }
check "the unit holds /boot" await held
check "it is stopped, nothing is staged" systemctl stop finalize-staged
check "without it /boot expires" await not is_boot
check "it is started" systemctl start finalize-staged
check "/boot is held again" await held
sleep 4
check "then it does not expire" is_boot
echo new >/run/finalize-staged/next
check "nothing is chosen yet" grep -qx 'default old.conf' /boot/loader/loader.conf
busybox sort /proc/mounts >/run/mounts
echo "=== request"
exec systemctl reboot
END
  # of the finalizer, when it is about to replace the choice
  hook "$tree/usr/lib/test/look" <<'END'
. /usr/lib/test/functions
{
  check "finalizing: all is mounted as before" test "$(busybox sort /proc/mounts)" = "$(cat /run/mounts)"
  check "finalizing: the shutdown has begun" test "$(systemctl is-system-running)" = stopping
} >/dev/console
END
}

make_root () {
  systemd_tree tree
  units
  requests
  mkdir -p "$tree/etc/finalize-staged" "$tree/boot" "$tree/srv"
  sed '/: begun"$/a /usr/lib/test/look' "$top/examples/finalize-staged/finalize" >"$tree/etc/finalize-staged/finalize"
  chmod 755 "$tree/etc/finalize-staged/finalize"
  cp "$top/examples/finalize-staged/systemd/finalize-staged.service" "$tree/etc/systemd/system/" &&
    ln -s ../finalize-staged.service "$tree/etc/systemd/system/test.target.wants/" &&
    systemd_stage4 && image_ext4 "$work/root.img" 120M "$tree"
}

vm_test autofs4 vfat nls_cp437 nls_ascii
vm_test_stage4
vm_debian systemd systemd-sysv execline cryptsetup-bin lvm2 mdadm e2fsprogs >&2 || bail_out "no systemd"
make_root || bail_out "no root"
echo 'default old.conf' >"$work/old"
echo 'default new.conf' >"$work/new"
rm -f "$work/boot.img"
truncate -s 4M "$work/boot.img"
{ mkfs.vfat "$work/boot.img" && mmd -i "$work/boot.img" ::loader ::loader/entries &&
  mcopy -i "$work/boot.img" "$work/old" ::loader/loader.conf && mcopy -i "$work/boot.img" "$work/new" ::loader/entries/new.conf
} >"$work/vfat.log" 2>&1 || bail_out "no vfat image"

VM_MEMORY=768M VM_TIME=200 VM_APPEND='quiet printk.devkmsg=on systemd.unit=test.target systemd.show_status=yes' \
  guest "$work/root.img" "$work/boot.img" <<'END'
mount -t ext4 /dev/vda /mnt
mount -t tmpfs run /run
mount --move /run /mnt/run
enter_root /mnt /sbin/init
END

# in_order REGEX... : of all lines behind the request, the first ones that match
in_order () {
  local regex now before=0
  sed '1,/=== request/d' "$console" >"$work/shutdown"
  for regex ; do
    now=$(grep -nE -m 1 "$regex" "$work/shutdown" | cut -d : -f 1)
    test "${now:-0}" -gt "$before" || { echo "not behind line $before: $regex" ; cat "$work/shutdown" ; return 1 ; }
    before=$now
  done
}
# on_boot FILE WANTED
on_boot () {
  mtype -i "$work/boot.img" "::loader/$1" | cmp - "$2"
}
result_is () {
  image_file "$work/root.img" /var/lib/finalize-staged/result "$work/result" && grep -qx "$1" "$work/result"
}

guest_says "the unit holds /boot" "it is stopped, nothing is staged" "without it /boot expires" "it is started" "/boot is held again" \
  "then it does not expire" "nothing is chosen yet" "finalizing: all is mounted as before" "finalizing: the shutdown has begun"
ok "the finalization is before each unmount" in_order 'finalize: new: begun' 'finalize: new: done' 'Unmount'
ok "the machine reset itself" console_has "$console" 'reboot: Restarting system'
ok "the new one is chosen" on_boot loader.conf "$work/new"
ok "/boot was unmounted: fsck.vfat is silent" fsck.vfat -n "$work/boot.img"
ok "the result is on the disk" result_is 'done new'
ok "the root is clean" image_clean "$work/root.img"
ok "no panic, no kernel bug" console_no_panic "$console"
done_testing
