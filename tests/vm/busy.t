#!/bin/bash
# A root that can't be unmounted, nor made read-only: a writer that is spared, a swap file that stays on.
. "$(dirname "$0")/lib.sh"

vm_test ext4
vm_test_stage4
image_ext4 "$work/disk.img" 32M

VM_APPEND=quiet guest "$work/disk.img" <<'END'
mount_disk /dev/vda /mnt/disk
swap_file /mnt/disk/swap 4
ln -s load /bin/@load
begin @load writer /mnt/disk/busy
exec stage4-begin -A reboot -t 30s stage4-nuke stage4-umountall -t 3s stage4-freeze stage4-hook ' env' '' stage4-hpr
END

ok "the holder is named" console_has "$console" 'left: /mnt/disk \(ext4 on /dev/vda, writable\), held by [0-9]* @load \(open file\)'
ok "that it can't be made read-only is no failure besides" not console_has "$console" 'failed'
ok "it is frozen" console_has "$console" 'froze 1 of 1 writable file systems'
ok "the freeze succeeded" console_has "$console" '^\?=0'
reset_and_clean "the writer"
done_testing
