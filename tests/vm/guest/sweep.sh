# shellcheck shell=sh disable=SC2034,SC2086,SC2154
# The guest of tests/vm/sweep-*.t: behind its first lines, before calls of sweep.

mkdir -p /mnt/disk /mnt/tmp /mnt/swap /hooks
mount -t tmpfs -o mode=755 run /run
mount -t ext4 /dev/vdb /mnt/swap
dd if=/dev/zero of=/mnt/swap/swap bs=1M count=2 2>/dev/null
mkswap /mnt/swap/swap >/dev/null
stage4-ramfs /run/stage4 /bin/record
printf '#!/bin/sh\necho @ran\n' >/hooks/10
chmod +x /hooks/10
mkfifo /fifo
exec 8<>/fifo

disk () {
  while read -r source dir type options rest ; do
    case "$dir $options" in "/mnt/disk $1"*) return 0 ;; esac
  done </proc/mounts
  return 1
}
swapping () {
  while read -r name rest ; do test "$name" = /mnt/swap/swap && return 0 ; done </proc/swaps
  return 1
}

# of each program: what there is to do, the command without the next program, whether it is done
umountall_begin () {
  disk rw && return
  umount /mnt/disk 2>/dev/null
  mount -t ext4 /dev/vda /mnt/disk
  mount -t tmpfs tmp /mnt/tmp
}
umountall='stage4-umountall|-f|-t|1s|-k|/mnt/swap|-k|/run'
umountall_done () { not disk rw ; }
swapoff_begin () { swapping || swapon /mnt/swap/swap ; }
swapoff='stage4-swapoff|-f|-t|1s'
swapoff_done () { not swapping ; }
nuke_begin () { sleep 1000 & victim=$! ; }
nuke='stage4-nuke|-f|-t|1s|-k|1s'
nuke_done () { not kill -0 $victim 2>/dev/null ; }
freeze_begin () { disk rw || { umount /mnt/disk 2>/dev/null ; mount -t ext4 /dev/vda /mnt/disk ; } ; disk rw ; }
freeze='stage4-freeze|-f|-t|1s'
freeze_done () { disk ro || test -n "$frozen" ; }
# what is written next must not wait for ever; whether somebody has frozen the disk is only known by that
freeze_end () {
  mount -o remount,rw /mnt/swap 2>/dev/null
  fsfreeze --unfreeze /mnt/swap 2>/dev/null
  frozen=
  if fsfreeze --unfreeze /mnt/disk 2>/dev/null ; then frozen=1 ; fi
}
settle_begin () { : ; }
settle='stage4-settle| echo| @ran||'
settle_done () { test -n "$ran" ; }
hook_begin () { : ; }
hook='stage4-hook| echo| @ran||'
hook_done () { test -n "$ran" ; }
hookdir_begin () { : ; }
hookdir='stage4-hookdir|-d|/hooks|-t|5s'
hookdir_done () { test -n "$ran" ; }
pivot_begin () { : ; }
pivot='stage4-pivot|-f|-R|/run/stage4'
pivot_done () { test -n "$pivoted" ; }
begin_begin () { : ; }
begin='stage4-begin|-o|-A|return'
begin_done () { test "$code" != none ; }

# what was said
hear () {
  code=none ; times=0 ; said= ; ran= ; pivoted= ; failed=0
  : >/said
  echo END >&8
  while read -r line <&8 ; do
    case $line in
      END) break ;;
      @ran) ran=1 ;;
      @pivoted) pivoted=1 ;;
      @*) code=${line#@?=} ; times=$((times + 1)) ;;
      *[!0-9]*) said=1 ; echo "    $line" >>/said ;;
      *) failed=$line ;;
    esac
  done
}

# judge WHAT... : of the run that ended with $r
judge () {
  runs=$((runs + 1))
  wrong=
  test "$program" != freeze || freeze_end
  if "$program"_done ; then state="done" ; else state=undone ; fi
  case $r,$times in
    77,1) ;;
    100,0 | 111,0) test $state = undone || wrong="touched something, " ;;
    126,0 | 127,0) case $* in *execve*) ;; *) wrong="no next program, " ;; esac ;;
    *) wrong="no next program, " ;;
  esac
  case $code,$state in 0,undone) wrong="${wrong}says that all is done, " ;; esac
  test "$code" = 0 || test -n "$said" || wrong="${wrong}says nothing"
  test -n "$wrong" || return 0
  bad=$((bad + 1))
  echo "### $*: $wrong (exit $r, ?=$code, $state)"
  cat /said
}

# fail CALLS ERROR : as often as that makes a difference
fail () {
  for when in 1+ 3+ 8+ 1 2 4 7 ; do
    "$program"_begin
    eval "command=\$$program"
    prefix=
    test $program != pivot || prefix='unshare|-m'
    IFS='|'
    $prefix fault "$1" "$2" $when $command record >&8 2>&8
    r=$?
    unset IFS
    hear
    judge $program $1 $2 $when
    case $when,$failed in
      1+,0) return ;;
      *+,*) ;;
      *,0) return ;;
      *) hits=$((hits + 1)) ;;
    esac
  done
}

fail_malloc () {
  for when in 1+ 4+ 12+ 1 2 3 5 8 13 ; do
    "$program"_begin
    eval "command=\$$program"
    prefix=
    test $program != pivot || prefix='unshare|-m'
    IFS='|'
    NOMALLOC=$when LD_PRELOAD=/nomalloc.so $prefix timeout -s KILL 30 /dynamic/bin/$command record >&8 2>&8
    r=$?
    unset IFS
    hear
    judge $program malloc $when
    test "$r,$code" = 77,0 || short=$((short + 1))
  done
}

# sweep PROGRAM CALLS-AND-ERROR... : all that may fail in each program, and these
sweep () {
  program=$1
  shift
  runs=0 ; bad=0 ; hits=0 ; short=0
  for kind in "openat EMFILE" "openat ENOENT" "read EIO" "fork EAGAIN" "pidfd_open ENOSYS" "pipe2 EMFILE" \
    "mmap ENOMEM" "newfstatat,fstat EIO" "getdents64 EIO" "prctl EINVAL" "poll ENOMEM" "$@" ; do
    case $program,$kind in "swapoff,openat ENOENT") continue ;; esac   # a kernel without swap
    fail $kind
  done
  fail_malloc
  read -r up idle </proc/uptime
  echo "=== swept $program: $runs runs, $hits hits, $bad wrong, $short short of memory, $up"
}
