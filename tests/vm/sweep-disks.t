#!/bin/bash
# System calls and malloc that fail, in the programs that deal with disks.
. "$(dirname "$0")/sweep.sh"

sweep_guest <<'END'
sweep swapoff "swapoff EPERM" "swapoff EINTR"
sweep umountall "umount2 EPERM" "mount,fspick,fsopen,fsconfig EPERM" "umount2,mount,fspick,fsopen,fsconfig EPERM" \
  "read@mountinfo 0"
sweep freeze "ioctl EIO" "fspick,fsopen,fsconfig,open_tree ENOSYS" "read@mountinfo 0"
END
ok "swapoff: the next program runs, whatever fails" swept swapoff 60 15
ok "umountall: the next program runs, whatever fails" swept umountall 60 15
ok "freeze: the next program runs, whatever fails" swept freeze 60 15
done_testing
