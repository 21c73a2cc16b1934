#!/bin/bash
# stage4-runonce and power cuts. QEMU writes down all that a disk is told while eight scripts run once, four of them one
# after the other, then four by a stage4-runonce each, which says that it is done by its end. From that the disk
# is made as it would be after a cut at 50 moments, with any part of what was not flushed; a second machine says what
# each of them has recorded, and what runs again. CUTS, SEED, FS (xfs, btrfs, f2fs): others. At last, vfat; a disk that is
# slow; and a stage4-runonce that is killed.
. "$(dirname "$0")/lib.sh"

cuts=${CUTS:-50}
seed=${SEED:-6}
fs=${FS:-ext4}
mib=16
case $fs in
  xfs) mib=300 ;;
  btrfs) mib=112 ;;
  f2fs) mib=64 VM_KERNEL_PACKAGE=linux-image-amd64 ;;
esac
need_packages dosfstools mtools || bail_out "no vfat"
vm_test loop "$fs" vfat nls_cp437 nls_ascii
vm_test_stage4

# Behind the file system each script leaves a mark, by itself, without a flush: it has run; and the guest one
# for what a stage4-runonce has ended with.
mkdir "$work/stage/once" "$work/stage/first"
for i in 1 2 3 4 5 6 7 8 ; do
  cat >"$work/stage/once/$i" <<END
#!/bin/sh
echo "=== ran $i"
test ! -e /marks || echo $i | dd of=/dev/vda bs=4096 seek=$((mib * 256 + i)) conv=sync oflag=direct 2>/dev/null
END
  chmod 755 "$work/stage/once/$i"
done
cp "$work"/stage/once/[1-4] "$work/stage/first/"

if test "$fs" = ext4 ; then new_disks ${mib}M state
else
  rm -f "$work/state.img"
  truncate -s ${mib}M "$work/state.img"
  "mkfs.$fs" "$work/state.img" >"$work/mkfs.log" 2>&1 || bail_out "no $fs"
fi
truncate -s $((mib + 1))M "$work/state.img"
cp "$work/state.img" "$work/before.img"
: >"$work/writes.log"
VM_QEMU="-blockdev driver=file,node-name=disk,filename=$work/state.img
  -blockdev driver=file,node-name=log,filename=$work/writes.log
  -blockdev driver=blklogwrites,node-name=logged,file=disk,log=log
  -device virtio-blk-pci,drive=logged,write-cache=on" guest <<END
fs=$fs
mib=$mib
$(cat <<'X'
touch /marks
mkdir -p /mnt/state
mount -t $fs /dev/vda /mnt/state
ended () {
  echo $1 | dd of=/dev/vda bs=4096 seek=$((mib * 256 + 8 + $1)) conv=sync oflag=direct 2>/dev/null
}
check "four of them run once" stage4-runonce -s /mnt/state/lib/once /first
ended 4
for i in 5 6 7 8 ; do
  check "$i runs once" stage4-runonce -s /mnt/state/lib/once /once/$i
  ended $i
done
check "nothing is left" stage4-runonce -n -s /mnt/state/lib/once /once
# as if the power failed: nothing more is flushed
poweroff -f -n
X
)
END
guest_says "four of them run once" "5 runs once" "6 runs once" "7 runs once" "8 runs once" "nothing is left"
ok "each of them ran" test "$(grep -o '=== ran .' "$console" | tr -d '\n')" = \
  '=== ran 1=== ran 2=== ran 3=== ran 4=== ran 5=== ran 6=== ran 7=== ran 8'

# One disk for all of them; a line each: how many scripts had run, how many had been said to be done, how many writes were
# lost
rm -f "$work/cuts.img"
ok "the writes can be replayed" perl -I "$top/tests/vm" "$top/tests/vm/replay.pl" "$work/writes.log" "$work/before.img" \
  "$work/cuts.img" "$cuts" "$seed" "$mib"
cp "$work/out" "$work/moments"

mv "$console" "$work/console.first"
guest "$work/cuts.img" <<END
cuts=$cuts
fs=$fs
mib=$mib
$(cat <<'X'
# script : which are done, which run again, what is said
judge () {
  stage4-runonce -n -s /mnt/lib/once /once >/tmp/plan 2>/tmp/said
  test $? -le 1 || echo "=== cut $1 unusable"
  echo "=== cut $1 done $(sed -n 's,^leave /once/\(.*\): done already$,\1,p' /tmp/plan | tr -d '\n')"
  echo "=== cut $1 unfinished $(ls /mnt/lib/once 2>/dev/null | grep -c new)"
  stage4-runonce -s /mnt/lib/once /once >/tmp/ran 2>>/tmp/said
  test $? = 0 || echo "=== cut $1 not all done"
  echo "=== cut $1 ran $(sed -n 's/^=== ran //p' /tmp/ran | tr -d '\n')"
  if grep -Ev 'info: done and recorded' /tmp/said ; then echo "=== cut $1 complains" ; fi
  stage4-runonce -s /mnt/lib/once /once || echo "=== cut $1 not at rest"
  ls /mnt/lib/once | grep -vxE '[0-9a-f]{64}' && echo "=== cut $1 not clean"
}
i=0
while test $i -lt $cuts ; do
  losetup -o $((i * (mib + 1) * 1048576)) /dev/loop0 /dev/vda
  if mount -t $fs /dev/loop0 /mnt ; then
    judge $i
    umount /mnt
  else echo "=== cut $i unusable"
  fi
  losetup -d /dev/loop0
  i=$((i + 1))
done

mkdir /full /ro
mount -t tmpfs -o size=4k,mode=755 full /full
mkdir /full/state
dd if=/dev/zero of=/full/file bs=4096 count=1 2>/dev/null
stage4-runonce -s /full/state /once >/tmp/ran 2>/tmp/said
check "a full disk: 111" test $? = 111
check "a full disk: nothing was run" not grep -q . /tmp/ran
check "a full disk: it is said" grep -qxF "stage4-runonce: fatal: unable to write to the state directory /full/state: No space left on device" /tmp/said
rm /full/file
check "a disk with room again" stage4-runonce -s /full/state /once/1
mount -o remount,ro /full
check "a read-only disk, and nothing to do" stage4-runonce -s /full/state /once/1
stage4-runonce -s /full/state /once >/tmp/ran 2>/tmp/said
check "a read-only disk: 111" test $? = 111
check "a read-only disk: nothing was run" not grep -q . /tmp/ran
check "a read-only disk: it is said" grep -qxF "stage4-runonce: fatal: unable to write to the state directory /full/state: Read-only file system" /tmp/said
stage4-runonce -s /full/none /once 2>/tmp/said
check "a read-only disk without state: it is said" grep -qxF "stage4-runonce: fatal: unable to make or lock the state directory /full/none: Read-only file system" /tmp/said
X
)
END

# of CUT WORD : what the second machine has said of it
of () {
  sed -n "s/^.*=== cut $1 $2 \?//p" "$console" | head -n 1
}

# judge_all : prints what is wrong
judge_all () {
  local i recorded again last told all=12345678
  while read -r i last told _ ; do
    recorded=$(of "$i" 'done') again=$(of "$i" ran)
    grep -q "=== cut $i done" "$console" || echo "cut $i: not judged"
    test "${all:0:${#recorded}}" = "$recorded" || echo "cut $i: there are gaps in what is recorded: $recorded"
    test "$recorded$again" = $all || echo "cut $i: recorded $recorded, ran again $again"
    test "${#recorded}" -le "$last" || echo "cut $i: recorded $recorded, but only $last had run"
    test "${#recorded}" -ge "$told" || echo "cut $i: $told were said to be done, recorded $recorded"
    test "${#recorded}" -ge $((last - 1)) || echo "cut $i: $last had begun, recorded $recorded"
  done <"$work/moments"
}
judge_all >"$work/wrong"
ok "what was recorded does not run again, what was not does" test ! -s "$work/wrong"
sed 's/^/# /' "$work/wrong"
ok "all $cuts moments" test "$(grep -c . "$work/moments")" = "$cuts"
ok "no state is torn, nor unusable" not grep -E '=== cut .* (unusable|complains|not )' "$console"
ok "moments of all kinds: none, some, all recorded" test "$(sed -n 's/.*=== cut [0-9]* done//p' "$console" | sort -u | grep -c '^')" -ge 6
ok "and records that were begun only" grep -Eq '=== cut [0-9]* unfinished 1' "$console"
ok "and writes that were lost" grep -Eq 'lost [1-9]' "$work/moments"
guest_says "a full disk: 111" "a full disk: nothing was run" "a full disk: it is said" "a disk with room again" \
  "a read-only disk, and nothing to do" "a read-only disk: 111" "a read-only disk: nothing was run" \
  "a read-only disk: it is said" "a read-only disk without state: it is said"
ok "no panic, no kernel bug" console_no_panic "$console"
rm -f "$work/cuts.img"

## What a vfat has when the power fails, behind the last record, without a check of it

rm -f "$work/vfat.img" "$work/slow.img"
truncate -s 4M "$work/vfat.img"
mkfs.vfat "$work/vfat.img" >"$work/vfat.log" 2>&1 || bail_out "no vfat image"
image_ext4 "$work/slow.img" 32M
mv "$console" "$work/console.second"
VM_QEMU="-drive if=none,format=raw,id=slow,file=$work/slow.img,throttling.bps-write=2000000 -device virtio-blk-pci,drive=slow,addr=0x10" \
  guest "$work/vfat.img" <<'END'
# script FILE LINE
script () {
  mkdir -p "${1%/*}"
  printf '#!/bin/sh\n%s\n' "$2" >"$1"
  chmod 755 "$1"
}

script /long/1 'echo begun >>/begun ; until test -e /go ; do usleep 10000 ; done ; echo ended >>/begun'
for sig in KILL TERM ; do
  rm -rf /state /go /begun
  stage4-runonce -s /state /long & pid=$!
  await test -e /begun
  kill -$sig $pid
  wait $pid
  check "$sig: the next one waits for the script that is left" not stage4-runonce -s /state -t 300ms /long
  check "$sig: and has not begun it again" test "$(cat /begun)" = begun
  stage4-runonce -s /state /long 2>/said & pid=$!
  await grep -q 'waiting for another stage4-runonce in /state' /said
  : >/go
  check "$sig: when that has ended it goes on" wait $pid
  check "$sig: one after the other" test "$(cat /begun | tr '\n' ' ')" = 'begun ended begun ended '
  check "$sig: nobody is left" await not pidof @tage4-runonce stage4-runonce
done

script /open/1 'echo run >/open-run'
chmod 777 /open
check "in a directory of everybody: a single file is refused" not stage4-runonce -s /state /open/1
check "in a directory of everybody: it is not run" test ! -e /open-run

mkdir /mnt/slow
# without delayed allocation a commit of the journal flushes all data, not only what the kernel has begun with
check "a slow disk: mounted" mount -t ext4 -o nodelalloc /dev/vdb /mnt/slow
script /dirty/1 'exec dd if=/dev/zero of=/mnt/slow/data bs=1M count=12'
check "a slow disk: it is done" stage4-runonce -s /mnt/slow/state /dirty 2>/said
cat /said
check "a slow disk: what it waits for is said" grep -q 'stage4-runonce: info: waiting for the disk of /mnt/slow/state, [0-9.]* s' /said

mkdir /mnt/vfat
check "vfat: mounted" mount -t vfat /dev/vda /mnt/vfat
for i in 1 2 3 4 5 6 7 8 ; do script /once/$i "echo ran $i" ; done
check "vfat: all of them run" stage4-runonce -s /mnt/vfat/lib/once /once
poweroff -f -n
END
for sig in KILL TERM ; do
  guest_says "$sig: the next one waits for the script that is left" "$sig: and has not begun it again" \
    "$sig: when that has ended it goes on" "$sig: one after the other" "$sig: nobody is left"
done
guest_says "in a directory of everybody: a single file is refused" "in a directory of everybody: it is not run" \
  "a slow disk: mounted" "a slow disk: it is done" "a slow disk: what it waits for is said" "vfat: mounted" "vfat: all of them run"
# records : what is in those of the vfat that are as they should be
records () {
  local name
  rm -rf "$work/records"
  mkdir "$work/records"
  mcopy -n -i "$work/vfat.img" '::lib/once/*' "$work/records/" || return
  for name in "$work"/records/* ; do
    ! sha256sum <"$name" | grep -qxF "${name##*/}  -" || sed 's/.*  //' "$name"
  done | sort | tr -d '\n'
}
ok "vfat: all of them are recorded" test "$(records)" = 12345678
ok "no panic, no kernel bug" console_no_panic "$console"
done_testing
