#!/bin/bash
# System calls and malloc that fail, in the programs that deal with disks.
. "$(dirname "$0")/sweep.sh"

sweep_guest <<'END'
sweep swapoff "swapoff EPERM" "swapoff EINTR"
sweep umountall "umount2 EPERM" "mount,fspick,fsopen,fsconfig EPERM" "umount2,mount,fspick,fsopen,fsconfig EPERM" \
  "read@mountinfo 0"
sweep freeze "ioctl EIO" "fspick,fsopen,fsconfig,open_tree ENOSYS" "read@mountinfo 0"
END
for program in swapoff umountall freeze ; do ok "$program" swept $program 60 15 ; done
done_testing
