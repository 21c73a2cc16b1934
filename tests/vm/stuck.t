#!/bin/bash
# What gets stuck beside unmounts: stderr, a foreign program where there is no budget, a dirty disk from the beginning.
. "$(dirname "$0")/lib.sh"

vm_test fuse dm_mod
vm_test_stage4

image_ext4 "$work/disk.img" 32M
guest "$work/disk.img" <<'END'
mkdir /mnt/disk /mnt/fuse /d
mount -t ext4 /dev/vda /mnt/disk
echo on >/proc/sys/kernel/printk_devkmsg
for i in 1 2 3 4 5 ; do : >/d/$i ; done
exec 4>>/mnt/disk/log
stage4-hookdir -d /d 2>&4
check "a file gets all lines" test "$(cut -d: -f 4 /mnt/disk/log | tr -d '\n')" = " /d/1 /d/2 /d/3 /d/4 /d/5"
fsfreeze --freeze /mnt/disk
before=$(ms)
stage4-hookdir -d /d 2>&4
check "a frozen file costs a second" test $(($(ms) - before)) -lt 4000
check "the kernel log gets what is for it" test "$(dmesg | grep -c 'not run: /d/')" = 5
check "somebody waits for the file" pidof @tage4-hookdir
fsfreeze --unfreeze /mnt/disk
check "nobody is left behind" await not pidof @tage4-hookdir
check "no line comes later than another" test "$(wc -l </mnt/disk/log)" -le 6
exec 4>&-
fuse_daemon /mnt/fuse
exec 3</mnt/fuse/dir
kill -STOP $daemon
echo 8 >/proc/sys/kernel/printk
echo "=== request"
exec stage4-begin -o -A reboot -t 10s stage4-nuke stage4-umountall -t 2s stage4-freeze stage4-hpr 2<&3
END
guest_says "a file gets all lines" "a frozen file costs a second" "the kernel log gets what is for it" \
  "somebody waits for the file" "nobody is left behind" "no line comes later than another"
ok "stderr: the kernel log gets what was for a FUSE file system that hangs" console_has "$console" ' stage4-hpr: info: reboot after '
ok "stderr: within the budget" test "$(since_request)" -lt 10000
reset_and_clean stderr

# Closing a file flushes it, and waits for that: so does the end of every process that has it.
image_ext4 "$work/disk.img" 32M
guest "$work/disk.img" <<'END'
mkdir /mnt/disk /mnt/fuse
mount -t ext4 /dev/vda /mnt/disk
echo on >/proc/sys/kernel/printk_devkmsg
fuse_daemon /mnt/fuse
exec 3>>/mnt/fuse/file
exec 4>>/mnt/fuse/file
check "it takes what is written" sh -c 'echo x >&3'
kill -STOP $daemon
echo 8 >/proc/sys/kernel/printk
echo "=== request"
exec stage4-begin -o -A reboot -t 20s stage4-nuke stage4-hook ' true' '' stage4-umountall -t 2s stage4-freeze stage4-hpr >&3 2>&3
END
guest_says "it takes what is written"
ok "closing: the line is walked as always" not console_has "$console" 'takes too long'
ok "closing: hooks end" not console_has "$console" 'is not done after'
ok "closing: within ten seconds" test "$(since_request)" -lt 10000
reset_and_clean closing

# The clock runs when nobody else does: ten minutes pass at once.
image_ext4 "$work/disk.img" 32M
VM_CPUS=1 VM_ACCEL=tcg,thread=single VM_QEMU='-icount shift=0,sleep=off' guest "$work/disk.img" <<'END'
mkdir /mnt/disk
mount -t ext4 /dev/vda /mnt/disk
exec stage4-begin -A reboot stage4-nuke stage4-settle ' stage4-umountall' ' sh' ' -c' ' sleep 100000 & exec sleep 200000' '' \
  stage4-hook ' sh' ' -c' ' echo "=== left: $(pidof sleep)"' '' sh -c 'exec stage4-umountall -n'
END
ok "settle: who does not end is named" console_has "$console" 'waiting for stage4-umountall, now sleep, 7\.0 s'
ok "settle: and again, ever more rarely" console_has "$console" 'waiting for stage4-umountall, now sleep, 511\.0 s'
ok "settle: and ended" console_has "$console" 'stage4-umountall is not done after 600\.[0-9] s, ending it'
ok "settle: with all that it has started" console_has "$console" '=== left: $'
ok "pid 1 can plan" console_has "$console" '^keep /dev'
ok "but that is not its end" console_has "$console" "the chain can't go on: last resort, then reboot"
reset_and_clean settle

# A disk that is dead, and dirty, when the chain begins; the chain is begun from the root.
image_ext4 "$work/dead.img" 32M
cat >"$work/stage/go" <<'END'
#!/bin/sh
dm create dead /dev/vdb
mkdir /mnt/dead
mount -t ext4 /dev/mapper/dead /mnt/dead
dd if=/dev/zero of=/mnt/dead/file bs=1M count=4 2>/dev/null
dm suspend dead
stage4-ramfs /run/stage4 /bin/mark
exec stage4-begin -A reboot -t 40s -R /run/stage4 stage4-nuke stage4-pivot stage4-settle ' stage4-umountall' ' -t' ' 3s' '' \
  stage4-hook ' mark' ' full' '' stage4-freeze -t 3s stage4-hpr -t 3s
END
chmod +x "$work/stage/go"
image_ext4 "$work/disk.img" 64M "$work/stage"
guest "$work/disk.img" "$work/dead.img" <<'END'
mkdir /new
mount -t ext4 /dev/vda /new
mount -t tmpfs -o mode=755 run /new/run
enter_root /new /go
END
ok "sync: the dead disk was given up" console_has "$console" 'gave up unmounting /oldroot/mnt/dead'
ok "sync: the root was unmounted" test "$(image_marker "$work/disk.img")" = full
reset_and_clean sync
done_testing
