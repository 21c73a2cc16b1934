#!/bin/sh
# A machine with its root on a disk, a ramfs, a softdog, and the faults of $faults, words with a comma between them; then
# the chain. Executed by its name: "go" by pid 1, the others by the chain. The faults are listed in tests/vm/faults.sh.
# shellcheck disable=SC1091,SC3045 # /functions and /nfs are of the guest; busybox's shell

all_faults=$(echo "${faults?}" | tr , ' ')

# log WORD... : to the kernel log, which gets there whatever happens to the console
log () {
  echo "<1>=== $*" >&9
}

## The machine

# disk NAME : /dev/disk/NAME is $device, which `dm` can make a dead one; or a network block device
disk () {
  case ,$faults, in
    *,nbd-$1,*)
      ln -sf nbd /bin/@nbd
      begin @nbd "/dev/disk/$1" /dev/nbd0
      nbd=$!
      device=/dev/nbd0 ;;
    *)
      dm create "$1" "/dev/disk/$1"
      device=/dev/mapper/$1 ;;
  esac
}

make_machine () {
  mkdir -p /mnt/data /mnt/bad
  mount -t ext4 /dev/disk/data /mnt/data
  disk bad
  mount -t ext4 "$device" /mnt/bad
  disk swap
  swap_on "$device"
  swap_file /mnt/data/swap 2 1
  for i in data bad ; do
    echo data >/mnt/$i/file
    load sleeper >/mnt/$i/open &
  done
  load cleaner /mnt/data/cleaned &
  sync
  echo dirty >/mnt/data/dirty
  echo dirty >/dirty
  dd if=/dev/zero of=/mnt/bad/dirty bs=64k count=16 2>/dev/null
  stage4-ramfs /run/stage4 /bin/busybox /bin/sh /bin/mark /bin/load /bin/sabotage /etc/stage4/teardown.d /last || log "no ramfs"
  for i in load sabotage ; do ln -s $i /run/stage4/bin/@$i ; done
  begin spared @load swapped 4
}

# spared COMMAND... : from the ramfs, so that it does not keep the root busy
spared () (
  cd /run/stage4 || exit
  PATH=$PWD/bin
  exec "$@" </dev/null 9>&- 2>&1
)

## Faults that are there when the chain begins

respawn='' sabotage=''
make_fault () {
  case $1 in
    suspend-* | error-*) dm "${1%%-*}" "${1#*-}" ;;
    nbd-*) kill -STOP "$nbd" ;;
    kill-* | stop-*) sabotage=$1 ;;
    respawn) respawn=1 ;;
    nfs)
      . /nfs
      nfs_on 3 /mnt/nfs
      begin nfs fsync /mnt/nfs/file
      writer=$!
      ip link set server down
      kill -USR1 $writer
      stuck_in nfs $writer ;;
    D)
      dm create stuck /dev/disk/spare
      dm suspend stuck
      dd if=/dev/mapper/stuck of=/dev/null bs=4k count=1 2>/mnt/data/reader &
      await in_state D $! ;;
    memory) begin spared @load full 4 ;;
    console) sabotage flow /dev/ttyS0 ;;
    no-proc | no-sys | no-dev) umount -l "/${1#no-}" && log "gone: $(find "/${1#no-}" -mindepth 1 | wc -l)" ;;
  esac
}

## Faults in the chain's hooks: the first one is in the root, the second one among the teardown hooks

spoil () {
  for dir in /run/stage4/bin /bin ; do
    rm -f $dir/stage4-"$2"
    case $1 in broken) echo garbage >$dir/stage4-"$2" ; chmod 755 $dir/stage4-"$2" ;; esac
  done
}

first () {
  for fault in $all_faults ; do
    case $fault in
      missing-* | broken-*) spoil "${fault%%-*}" "${fault#*-}" ;;
      hook-disk) cat /dev/zero >/mnt/data/full ;;
    esac
  done
}

teardown () {
  for fault in $all_faults ; do
    case $fault in
      hook-forks) setsid sh -c 'trap "" TERM HUP ; while : ; do sleep 1000 ; done' & ;;
      hook-memory) tail /dev/zero & ;;
      hook-ramfs) cat /dev/zero >/full & ;;
    esac
  done
  case ,$faults, in *,hook-hangs,*) trap '' TERM ; sleep 1000 ; sleep 1000 ;; esac
  wait
}

last () {
  for i in /dev/vda /dev/vdb /dev/vdc ; do mark -d $i "$faults" ; done
}

case ${0##*/} in
  first) first ; exit ;;
  teardown) teardown ; exit ;;
  last) last ; exit ;;
esac

## The chain

chain () {
  exec stage4-begin -A reboot -a bootloader -t 30s -R /run/stage4 \
    stage4-hook -t 3s ' /first' '' \
    stage4-watchdog -t 8s \
    stage4-nuke -t 2s -k 2s \
    stage4-pivot \
    stage4-settle ' stage4-umountall' ' -T' ' tmpfs' ' stage4-swapoff' ' -A' ' stage4-umountall' ' -t' ' 3s' \
      ' stage4-detach' ' -t' ' 3s' '' \
    stage4-hookdir -d /etc/stage4/teardown.d -t 3s -k 1s \
    stage4-hook -t 3s ' /last' '' \
    stage4-freeze -t 3s \
    stage4-hpr -t 3s
}

mkfifo /run/ready /run/go
ln -s /run/ready /ready
. /functions
make_machine
exec 9>/dev/kmsg
late=''
for i in $all_faults ; do
  case $i in
    suspend-root | error-root | nbd-root) late="$late $i" ;;   # whatever is not in memory can't be executed after that
    no-*) late="$i $late" ;;
    *) make_fault "$i" || log "not made: $i" ;;
  esac
done

# Nobody can kill or stop pid 1. That is somebody else then, who keeps the root busy.
if test -n "$sabotage$respawn" ; then
  ( echo ready >/run/ready ; read -r _ <>/run/go && chain 9>&- ) &   # the shell needs /dev/null for that
  read -r _ <>/run/ready
  if test -n "$sabotage" ; then begin spared @sabotage "${sabotage%%-*}" "stage4-${sabotage#*-}" ; fi
fi
for i in $late ; do make_fault "$i" || log "not made: $i" ; done
log request
test -n "$sabotage$respawn" || chain 9>&-
echo go >/run/go
while : ; do
  if test -n "$respawn" ; then sh -c 'trap "" TERM HUP ; sleep 1000' ; else sleep 1000 ; fi
done
