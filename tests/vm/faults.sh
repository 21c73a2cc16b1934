# shellcheck shell=bash
# shellcheck disable=SC2154 # top and work are tests/vm/lib.sh's
# The fault table: a machine in which things go wrong, one at a time or several, and what becomes of it. To be sourced
# after tests/vm/lib.sh by tests/vm/faults.t and tools/faults.
#
# Times are by the machine's clock, which counts instructions while it works: a slow host makes nothing late.

fault_limit=$((30000 + 8000 + 2000))   # its budget, the watchdog's time, and a bit; see tests/vm/guest/faults.sh

# A line for each: NAME ; what it is ; disks that may be lost by it, * if all ; what the console or the kernel log says
fault_steps='watchdog nuke pivot settle umountall swapoff detach hookdir freeze hpr'
fault_table=$(
  echo "none;nothing goes wrong;;left: 0 writable file systems"
  for step in $fault_steps ; do
    echo "missing-$step;stage4-$step has been deleted;;unable to execute stage4-$step"
    echo "broken-$step;stage4-$step can't be executed;;unable to execute stage4-$step"
    case $step in
      umountall | swapoff | detach)   # in a child of settle
        echo "kill-$step;stage4-$step is killed;;the block was ended by KILL"
        echo "stop-$step;stage4-$step is stopped;;is stopped, it is continued" ;;
      *)
        echo "kill-$step;stage4-$step is killed;;which walks the chain, was ended by KILL"
        echo "stop-$step;stage4-$step is stopped;;which walks the chain, was stopped by STOP" ;;
    esac
  done
  cat <<'END'
hook-hangs;a hook ignores SIGTERM;;hookdir: .*teardown is not done
hook-forks;a hook leaves a process behind that ignores signals;;hookdir: .*teardown
hook-disk;a hook fills a disk;;hook: .*first|reboot after|last resort
hook-memory;a hook takes all memory;;Killed process|teardown is not done
hook-ramfs;a hook fills the shutdown ramfs;;hookdir: .*teardown|deadlocked on memory
suspend-root;the disk of / does not answer;root;gave up .* /(oldroot)? [(]
suspend-bad;a disk with data does not answer;bad;gave up .*/mnt/bad
suspend-swap;a disk with swap does not answer;;(gave up switching|unable to switch) off .*/mapper/swap
error-root;the disk of / fails;root;I/O error
error-bad;a disk with data fails;bad;I/O error
error-swap;a disk with swap fails;;Read-error on swap-device|unable to switch off .*/mapper/swap
nbd-root;the server of the network block device with / is gone;root;gave up .* /(oldroot)? [(]
nbd-bad;the server of the network block device with data is gone;bad;gave up .*/mnt/bad
nbd-swap;the server of the network block device with swap is gone;;(gave up switching|unable to switch) off .*/nbd0
nfs;an NFS server is gone, and a process writes to it;;gave up unmounting /oldroot/mnt/nfs|last resort
D;a process that can't be killed has a file open;;can't be killed
respawn;pid 1 starts children again and again;;this is not pid 1: pid 1 keeps the old root busy
memory;there is no memory left, and who has it is spared;;(reboot after|last resort, then reboot)
console;the console does not take anything;;(reboot after|last resort, then reboot)
no-proc;/proc is not there;;(reboot after|last resort, then reboot)
no-sys;/sys is not there;;(reboot after|last resort, then reboot)
no-dev;/dev is not there;;(reboot after|last resort, then reboot)
END
)

# fault_field NAME NUMBER : of its line
fault_field () {
  awk -F';' -v name="$1" -v n="$2" '$1 == name { print $n }' <<<"$fault_table"
}

fault_names () {
  cut -d';' -f 1 <<<"$fault_table"
}

# fault_exclusive NAME NAME : these can't be in one machine
fault_exclusive () {
  local disk
  case $1,$2 in
    nbd-*,nbd-* | kill-*,stop-* | stop-*,kill-*) return 0 ;;
    *-root,missing-* | *-root,broken-*) return 0 ;;   # nobody can delete anything there
    suspend-root,no-dev | error-root,no-dev) return 0 ;;        # it is made by way of /dev
    hook-disk,*) ;;
    hook-*,kill-* | hook-*,missing-*) return 0 ;;   # the hook is not reached
  esac
  for disk in root bad swap ; do
    case $1,$2 in *-$disk,*-$disk) return 0 ;; esac
  done
  return 1
}

# faults_ready : the machine
faults_ready () {
  vm_test dm_mod nbd softdog veth nfsd nfsv3 nfsv4
  vm_test_stage4
  mkdir -p "$work/stage/etc/stage4/teardown.d"
  cp "$top/tests/vm/guest/nfs.sh" "$work/stage/nfs"
  for i in go first last etc/stage4/teardown.d/teardown ; do
    cp "$top/tests/vm/guest/faults.sh" "$work/stage/$i"
    chmod 755 "$work/stage/$i"
  done
  image_ext4 "$work/fresh.img" 64M "$work/stage"
  cat >"$work/stage/init" <<'END'
#!/bin/sh
. /load-modules
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
. /functions
mkdir /dev/disk /new
i=a
for name in root data bad swap spare ; do
  ln -s /dev/vd$i /dev/disk/$name
  i=$(echo $i | tr a-d b-e)
done
case ,$faults, in
  *,nbd-root,*)
    ln -s nbd /bin/@nbd
    begin @nbd /dev/vda /dev/nbd0
    export nbd=$!
    mount -t ext4 /dev/nbd0 /new ;;
  *)
    dm create root /dev/vda
    mount -t ext4 /dev/mapper/root /new ;;
esac
mount -t tmpfs -o mode=755 run /new/run
enter_root /new /go
END
  chmod 755 "$work/stage/init"
  vm_pack "$work/stage" "$work/initramfs"
}

# fault_in NAME[,NAME...] : what this one leaves is in $dir
fault_in () {
  dir=$work/fault-${1//,/+}
  console=$dir/console
}

# fault_boot NAME[,NAME...]
fault_boot () {
  local dir console i log=quiet
  fault_in "$1"
  rm -rf "$dir"   # what an earlier machine has left proves nothing
  mkdir -p "$dir"
  case $1 in *console*) log=ignore_loglevel ;; esac   # where the chain's own lines go
  cp --sparse=always "$work/fresh.img" "$dir/root.img"
  for i in data bad ; do image_ext4 "$dir/$i.img" 24M ; done
  for i in swap spare ; do rm -f "$dir/$i.img" ; truncate -s 8M "$dir/$i.img" ; done
  VM_CPUS=1 VM_MEMORY=256M VM_ACCEL=tcg,thread=single VM_TIME=150 VM_QEMU='-icount shift=2' VM_APPEND="$log printk.devkmsg=on faults=$1" \
    vm_run "$console" "$work/initramfs" "$dir"/{root,data,bad,swap,spare}.img || echo "     - the machine had to be ended" >>"$console"
}

# fault_took : milliseconds from the request to the reset
fault_took () {
  local from to end='reboot: Restarting system|softdog: Initiating system reboot|sysrq: Resetting|Rebooting in'
  from=$(console_clock "$console" '=== request') &&
    to=$(sed -n -E "s/^ *[0-9]* \[ *([0-9]*)\.([0-9]*)\] ($end).*/\1\2/p" "$console" | head -n 1 | grep .) &&
    echo $(((to - from) / 1000))
}

fault_in_time () {
  local took
  took=$(fault_took) || { tail -n 30 "$console" ; return 1 ; }
  echo "$took ms"
  test "$took" -le $fault_limit
}

# fault_disks NAME[,NAME...] : those that may not be lost
fault_disks () {
  local name lost=''
  for name in ${1//,/ } ; do lost="$lost $(fault_field "$name" 3)" ; done
  # the hook ends the machine before what is busy is frozen: a swap file that is switched off only after a dead disk
  case $1 in hook-ramfs,suspend-swap | hook-ramfs,nbd-swap) lost="$lost data" ;; esac
  for name in root data bad ; do
    case $lost in *" $name"* | *'*'*) ;; *) echo $name ;; esac
  done
}

fault_made () {
  console_has "$console" '=== request' && not console_has "$console" '=== (not made|gone: [1-9]|no ramfs)'
}

# fault_word NAME NAME[,NAME...] : the last line that says the first one. Where another one has ended the chain, or a part
# of it, it is not reached.
fault_word () {
  local line
  line=$(grep -E -- "$(fault_field "$1" 4)" "$console" | tail -n 1 | cut -c 8- | sed 's/^\[ *[0-9.]*\] //')
  if test -z "$line" && test "$1" != "$2" &&
    grep -qE "the chain can't go on|unable to execute|was ended by KILL|deadlocked on memory" "$console" ; then
    line='not reached'
  fi
  echo "$line"
  test -n "$line"
}

# fault_said NAME[,NAME...] : the reasons
fault_said () {
  local name
  for name in ${1//,/ } ; do
    fault_word "$name" "$1" || { echo "nothing says $name:" ; tail -n 30 "$console" ; return 1 ; }
  done
}

# fault_no_panic : but for the one of a ramfs that has taken all memory, which resets the machine
fault_no_panic () {
  not grep -E 'Kernel panic - not syncing: ([^S]|S[^y])|BUG:|Oops' "$console"
}

# fault_judge NAME[,NAME...]
fault_judge () {
  local dir console disk
  fault_in "$1"
  ok "$1: it was made" fault_made
  ok "$1: reset in time" fault_in_time
  for disk in $(fault_disks "$1") ; do
    ok "$1: disk $disk is clean" image_clean "$dir/$disk.img"
    ok "$1: fsck of disk $disk is silent" image_fsck "$dir/$disk.img"
  done
  ok "$1: it is said" fault_said "$1"
  ok "$1: no panic" fault_no_panic
}
