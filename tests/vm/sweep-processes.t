#!/bin/bash
# System calls and malloc that fail, in the programs that deal with processes, and in pivot.
. "$(dirname "$0")/sweep.sh"

sweep_guest <<'END'
sweep nuke "kill,pidfd_send_signal EPERM" "pidfd_send_signal ENOSYS"
sweep settle "execve EACCES"
sweep hook "execve ENOMEM"
sweep hookdir "execve ENOENT"
sweep pivot "mount EPERM" "mkdir EROFS" "chroot EPERM" "move_mount ENOSYS" "fspick,fsopen,fsmount ENOSYS" "chdir EIO"
sweep begin "socket EMFILE" "dup2 EINTR" "chdir EIO" "setsid EPERM"
END
ok "nuke: the next program runs, whatever fails" swept nuke 60 15
for program in settle hook hookdir pivot begin ; do ok "$program: the next program runs" swept $program 60 15 ; done
done_testing
