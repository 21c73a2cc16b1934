#!/bin/bash
# stage4-hold and examples/finalize-staged: a /boot (vfat) that a real autofs mounts, and takes away after a second. The
# machine is killed before the finalization and in the middle of it; the writes of a third boot are replayed one by one.
. "$(dirname "$0")/lib.sh"
need_packages dosfstools mtools || bail_out "no vfat"

vm_test autofs4 vfat nls_cp437 nls_ascii
vm_test_stage4
cp "$top"/examples/finalize-staged/{finalize,plain} "$work/stage/etc/"
install -D -t "$work/stage/usr/bin" /usr/bin/flock   # busybox has it, but Debian's has not
copy_libraries "$work/stage" /usr/bin/flock

# in every guest: /boot's automounter, and what the examples want
# shellcheck disable=SC2016
common='
mkdir -p /boot /var /etc/finalize-staged
mv /etc/finalize /etc/plain /etc/finalize-staged/
mount -t ext4 /dev/vda /var
automount /boot /dev/vdb vfat 1 >/run/auto & automounter=$!
await grep -q ready /run/auto
is_boot () { grep -q " /boot vfat " /proc/mounts ; }
attempts_are () { test "$(grep -c kept /run/auto)" -ge "$1" ; }
attempts () { await attempts_are $(($(grep -c kept /run/auto) + $1)) ; }
staged () { mkdir -p /run/finalize-staged ; echo "$1" >/run/finalize-staged/next ; }
chosen () { sed -n "s/^default //p" /boot/loader/loader.conf ; }
plain=/etc/finalize-staged/plain
'

## The disks

printf 'timeout 3\ndefault old.conf\n' >"$work/old"
printf 'timeout 3\ndefault new.conf\n' >"$work/new"
echo 'title anything' >"$work/entry"
rm -f "$work/boot.img"
truncate -s 4M "$work/boot.img"
{
  mkfs.vfat -n BOOT "$work/boot.img" && mmd -i "$work/boot.img" ::loader ::loader/entries &&
    mcopy -i "$work/boot.img" "$work/old" ::loader/loader.conf && mcopy -i "$work/boot.img" "$work/old" ::loader/careless.conf &&
    for i in old new other ; do mcopy -i "$work/boot.img" "$work/entry" ::loader/entries/$i.conf || exit ; done
} >"$work/vfat.log" 2>&1 || bail_out "no vfat image"
new_disks 8M var

# file_is FILE WANTED IMAGE : on the vfat
file_is () {
  mtype -i "$3" "::loader/$1" 2>/dev/null | cmp -s - "$2"
}
old_or_new () {
  file_is loader.conf "$work/old" "$work/boot.img" || file_is loader.conf "$work/new" "$work/boot.img"
}
result_is () {
  image_file "$work/var.img" /lib/finalize-staged/result "$work/result" && grep -qx "$1" "$work/result"
}

## Killed before

# killed_guest REGEX : ends with the machine killed at that line of its console
killed_guest () {
  VM_UNTIL=$1 guest "$work/var.img" "$work/boot.img"
  cp "$console" "$console.${1##* }"
}

{ echo "$common" ; cat <<'END' ; } | killed_guest '^=== staged and held'
check "without it: the automount happens" test -e /boot/loader
check "without it: it expires" await grep -q expired /run/auto
check "without it: it is away" not is_boot
: >/run/liar
said=$(stage4-hold -p /boot true 2>&1)
check "nothing is mounted: an error" test "$said" = 'stage4-hold: fatal: unable to open /boot: Too many levels of symbolic links'
rm /run/liar
mkdir /auto
begin autofs indirect /auto
check "a place for automounts: an error" test "$(stage4-hold -p /auto true 2>&1)" = 'stage4-hold: fatal: nothing was mounted on /auto, which is autofs'
kill -STOP $automounter
before=$(ms)
check "the automounter hangs: an error" test "$(stage4-hold -t 1s -p /boot true 2>&1)" = 'stage4-hold: fatal: unable to open /boot within 1.0 s'
check "the automounter hangs: within its limit" test $(($(ms) - before)) -lt 10000
check "the automounter hangs: nobody is left of it" not pidof stage4-hold @tage4-hold
kill -CONT $automounter
await is_boot
await not is_boot
staged new
: >/run/slow
$plain start & starter=$!
check "a slow automount: in the end it is ready" wait $starter
read -r pid </run/finalize-staged/pid
rm /run/slow
check "it is mounted" is_boot
attempts 8
check "held: it stays through eight attempts to take it away" is_boot
check "held: one process that sleeps" in_state S $pid
grep Rss /proc/$pid/status | sed 's/^/=== held: /'
unshare -m stage4-hold -d 3 -p /boot true 3>/dev/null 2>/private & private=$!
await grep -q 'another mount namespace' /private
kill -9 $private
check "in another mount namespace: it warns" grep -q 'stage4-hold: warning: pid 1 has another mount namespace: there nothing is held by this' /private
echo "=== staged and held"
sleep 1000
END
guest_says "without it: the automount happens" "without it: it expires" "without it: it is away" \
  "nothing is mounted: an error" "a place for automounts: an error" "the automounter hangs: an error" "the automounter hangs: within its limit" \
  "the automounter hangs: nobody is left of it" \
  "a slow automount: in the end it is ready" "it is mounted" \
  "held: it stays through eight attempts to take it away" "held: one process that sleeps" "in another mount namespace: it warns"
ok "killed before: the choice is the old one" file_is loader.conf "$work/old" "$work/boot.img"

## Killed in the middle: behind the rename, before it is on the disk

{ echo "$common" ; cat <<'END' ; } | killed_guest '^=== the middle'
check "killed before: nothing is staged any more" test ! -e /run/finalize-staged/next
check "killed before: it has left no result" test ! -e /var/lib/finalize-staged/result
staged new
sed -i -e '/^  mv -f /s/ && / \&\& halfway "$1" \&\& /' \
  -e '2i halfway () { case $1 in */loader.conf) echo "=== the middle" ; sleep 1000 ;; esac ; }' /etc/finalize-staged/finalize
: >/run/slow
$plain start & starter=$!
blocks_term () { read -r pid </run/finalize-staged/pid && grep -q "^SigBlk:.*4000$" /proc/$pid/status && grep -qx stage4-hold /proc/$pid/comm ; }
await blocks_term
check "SIGTERM while /boot is being mounted" not is_boot
kill $pid
wait $starter
sleep 1000
END
guest_says "killed before: nothing is staged any more" "killed before: it has left no result" "SIGTERM while /boot is being mounted"
ok "killed in the middle: it was in the middle" console_has "$console" '^=== the middle'
ok "killed in the middle: the choice is the old one or the new one" old_or_new

## All the way, with the writes recorded

{ fsck.vfat -a "$work/boot.img" ; mdel -i "$work/boot.img" ::loader/loader.conf.new ; } >>"$work/vfat.log" 2>&1
mcopy -o -i "$work/boot.img" "$work/old" ::loader/loader.conf
cp "$work/boot.img" "$work/before.img"
: >"$work/writes"
recorded="-blockdev driver=file,node-name=image,filename=$work/boot.img -blockdev driver=file,node-name=log,filename=$work/writes
  -blockdev driver=blklogwrites,node-name=boot,file=image,log=log,log-super-update-interval=1 -device virtio-blk-pci,drive=boot,addr=0x10"
# shellcheck disable=SC2016
{ echo "$common" ; cat <<'END' ; } | VM_QEMU=${recorded//$'\n'/} guest "$work/var.img"
check "the next boot finds that it was begun" grep -qx 'begun new' /var/lib/finalize-staged/result
rm /var/lib/finalize-staged/result

staged new
check "it starts" $plain start
rm /run/finalize-staged/next
check "cancelled: it ends" $plain stop
check "cancelled: nothing was chosen" test "$(chosen)" = old.conf
check "cancelled: there is no result" test ! -e /var/lib/finalize-staged/result
check "cancelled: /boot expires" await not is_boot

check "it starts with nothing staged" $plain start
staged other
rm /run/finalize-staged/next
staged none
check "no such entry: it ends" $plain stop
check "no such entry: nothing was chosen" test "$(chosen)" = old.conf
check "no such entry: the result says so" grep -q '^failed none: no /boot/loader/entries/none.conf' /var/lib/finalize-staged/result

check "it starts again" $plain start
staged other
rm /run/finalize-staged/next
staged new
attempts 4
echo "=== the finalization begins"
check "restaged: it ends" $plain stop
check "restaged: the last one is chosen" test "$(chosen)" = new.conf
check "the result says so" grep -qx 'done new' /var/lib/finalize-staged/result

# the same without keeping the old file open
cat /boot/loader/loader.conf >/boot/loader/careless.new
sync /boot/loader/careless.new
mv -f /boot/loader/careless.new /boot/loader/careless.conf
sync /boot/loader/careless.conf /boot/loader
check "stage4-hold has ended" not pidof stage4-hold
exec stage4-begin -v 2 -A reboot -t 60s stage4-nuke stage4-umountall stage4-freeze stage4-hpr
END
guest_says "the next boot finds that it was begun" "it starts" "cancelled: it ends" "cancelled: nothing was chosen" \
  "cancelled: there is no result" "cancelled: /boot expires" "it starts with nothing staged" "no such entry: it ends" \
  "no such entry: nothing was chosen" "no such entry: the result says so" "it starts again" "restaged: it ends" \
  "restaged: the last one is chosen" "the result says so" "stage4-hold has ended"
ok "the finalization is before the chain" test "$(console_time "$console" '^finalize: new: done')" -le "$(console_time "$console" '^stage4-begin: info: reboot')"
ok "/boot is unmounted by the chain" console_has "$console" 'stage4-umountall: info: unmounted /boot \(vfat'
ok "the machine reset itself" console_has "$console" 'reboot: Restarting system'
ok "its choice is the new one" file_is loader.conf "$work/new" "$work/boot.img"
ok "fsck.vfat is silent" fsck.vfat -n "$work/boot.img"
ok "the result is on the disk" result_is 'done new'
ok "the disk of the result is clean" image_clean "$work/var.img"
ok "no panic, no kernel bug" console_no_panic "$console"

## Power cuts: what a disk with a cache may hold when the power fails

# replay : of each such state a line with what is in loader.conf and in careless.conf: old, new or neither. All writes up to
# the last flush are there; of those behind it, which may be on the disk in any order, and sector by sector: the first
# ones, all but one, one, and some by chance.
replay () {
  perl -I "$top/tests/vm" -MDiskLog -e '
    use strict ;
    my ($dir) = @ARGV ;
    sub slurp { open(my $f, "<:raw", $_[0]) or die "$_[0]: $!" ; local $/ ; <$f> }
    my ($disk, $old, $new) = map { slurp("$dir/$_") } qw(before.img old new) ;
    my (@cached, %seen, %known) ;
    srand(4) ;
    sub content {
      my $text = `mtype -i $dir/state.img ::loader/$_[0] 2>/dev/null` ;
      $text eq $old ? "old" : $text eq $new ? "new" : "neither"
    }
    sub judge {
      my $state = $disk ;
      substr($state, $_->[0], 512) = $_->[1] for @_ ;
      return if $known{$state}++ ;
      open(my $f, ">:raw", "$dir/state.img") or die ;
      print $f $state ;
      close $f ;
      print "choice ", content("loader.conf"), ", careless ", content("careless.conf"), "\n" ;
    }
    sub flush {
      my $n = @cached ;
      judge(@cached[0 .. $_]) for 0 .. $n - 1 ;
      for my $i (0 .. $n - 1) {
        judge($cached[$i]) ;
        judge(@cached[grep { $_ != $i } 0 .. $n - 1]) ;
      }
      for (1 .. $n) { judge(grep { rand() < .5 } @cached) }
      substr($disk, $_->[0], 512) = $_->[1] for @cached ;
      @cached = () ;
    }
    judge() ;
    for my $w (disk_writes("$dir/writes")) {
      flush() if $w->{flush} ;
      push @cached, [$w->{at} + $_ * 512, substr($w->{data}, $_ * 512, 512)] for 0 .. length($w->{data}) / 512 - 1 ;
      flush() if $w->{fua} ;
    }
    flush() ;
    judge() ;' "$work" >"$work/states"
}
# states REGEX NUMBER : at least so many match
states () {
  test "$(grep -c "$1" "$work/states")" -ge "$2"
}
ok "the writes are replayed" replay
ok "there are $(wc -l <"$work/states") states, 20 at least" states . 20
ok "the choice is old in some" states '^choice old' 5
ok "and new in some" states '^choice new' 5
ok "and never neither" not states '^choice neither' 1
ok "without keeping the old file open, it sometimes is neither" states 'careless neither$' 1
done_testing
