# shellcheck shell=bash
# Virtual machines for the demo and for tests/vm. To be sourced by bash, with $top being the top of the
# source tree. Everything is below $top/build/vm.
#
# Only QEMU's own emulation is used, so it runs everywhere; a machine boots in about three seconds.
# Disks are raw files: when the machine has gone they are the witness of how it went.

. "${top:?}/tools/lib/deps.sh"

PATH=$PATH:/usr/sbin:/sbin
vm=$top/build/vm

vm_need () {
  need_packages qemu-system-x86 busybox-static cpio kmod e2fsprogs gcc libc6-dev &&
  mkdir -p "$vm"
}

# with_lock COMMAND... : not beside another test that does the same
with_lock () {
  mkdir -p "$vm"
  ( flock 9 ; "$@" 9>&- ) 9>"$vm/lock"
}

# apt_knows PACKAGE
apt_knows () {
  apt-cache show "$1" >/dev/null 2>&1 || quiet_apt update
}

## The kernel

# vm_kernel : Debian's kernel for virtual machines, unpacked; sets kernel, modules and kver.
# VM_KERNEL_PACKAGE=linux-image-amd64 has more drivers (watchdog cards, f2fs), and is bigger.
vm_kernel () {
  local meta=${VM_KERNEL_PACKAGE:-linux-image-cloud-amd64} package dir
  with_lock apt_knows "$meta"
  package=$(apt-cache depends "$meta" | sed -n 's/^ *Depends: \(linux-image-[0-9].*\)/\1/p')
  dir=$vm/kernel-$(apt-cache show --no-all-versions "$package" | sed -n 's/^Version: //p')-$meta
  with_lock fetch_kernel "$package" "$dir" || return
  modules=$dir
  kver=$(basename "$dir"/lib/modules/*)
  kernel=$dir/boot/vmlinuz-$kver
}

# fetch_kernel PACKAGE DIR : unless it is there
fetch_kernel () {
  test ! -e "$2" || return 0
  rm -rf "$2.new"
  mkdir -p "$2.new"
  ( cd "$2.new" && quiet_apt download "$1" && dpkg-deb -x ./*.deb . && rm ./*.deb ) ||
    { cat "$top/build/apt.log" >&2 ; return 111 ; }
  depmod -b "$2.new" "$(basename "$2.new"/lib/modules/*)"
  mv "$2.new" "$2"
}

## The initramfs

# vm_stage DIR MODULE... : a root for an initramfs: busybox under all its names, and the modules with
# what they depend on. The caller adds /init, which begins with `sh /load-modules`, and what else he wants.
vm_stage () {
  local dir=$1 module
  shift
  rm -rf "$dir"
  mkdir -p "$dir"/{bin,dev,proc,sys,run,tmp,mnt,etc,modules}
  cp "$(command -v busybox)" "$dir/bin/busybox"
  busybox --list | perl -lne 'BEGIN { $bin = shift } symlink("busybox", "$bin/$_") if $_ ne "busybox"' "$dir/bin"
  modprobe -d "$modules" -S "$kver" -a --show-depends "$@" | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' |
    while read -r module ; do
      cp "$module" "$dir/modules/"
      echo "insmod /modules/${module##*/}"
    done >"$dir/load-modules"
}

# vm_pack DIR IMAGE : not compressed, because the guest's CPU is the slow one
vm_pack () {
  ( cd "$1" && find . | LC_ALL=C sort | cpio --quiet -o -H newc -R 0:0 ) >"$2"
}

# vm_guest_tools DIR : our helpers for the guest, copied into DIR
vm_guest_tools () {
  with_lock compile_guest_tools && rm -rf "$1" && cp -R "$vm/guest-tools" "$1"
}

# compile_guest_tools : those whose source is newer
compile_guest_tools () {
  local source tool
  mkdir -p "$vm/guest-tools"
  for source in "$top"/tests/vm/guest/*.c ; do
    tool=$vm/guest-tools/$(basename "$source" .c)
    test "$tool" -nt "$source" || gcc -static -O2 -Wall -Wextra -o "$tool" "$source" || return
  done
}

## A Debian root

# vm_debian PACKAGE... : a small Debian root in $debian: what is essential, and these packages; from this
# machine's own sources. Made once, as long as the packages stay the same.
vm_debian () {
  local key
  need_packages mmdebstrap || return
  with_lock apt_knows "$1"
  key=$(apt-cache policy bash libc6 "$@" | grep -v '\*\*\*\|Installed' | cksum | cut -d ' ' -f 1)
  debian=$vm/debian-$key
  with_lock make_debian "$@"
}

# make_debian PACKAGE... : $debian, unless it is there
make_debian () {
  local pause
  test ! -e "$debian" || return 0
  # shellcheck disable=SC2016
  apt-get indextargets --format 'deb $(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' 'Origin: Debian' \
    >"$vm/sources.list"
  for pause in 5 30 0 ; do   # a mirror may be out of order for a moment
    rm -rf "$debian.new"
    bootstrap "$debian.new" "$@" </dev/null >"$vm/debian.log" 2>&1 && mv "$debian.new" "$debian" && return
    cat "$vm/debian.log" >&2
    sleep "$pause"
  done
  return 111
}

# bootstrap DIR PACKAGE...
bootstrap () {
  local dir=$1
  shift
  mmdebstrap --quiet --variant=essential --include="$(IFS=, ; echo "$*")" --aptopt='Acquire::Retries "5"' \
    --dpkgopt='path-exclude=/usr/share/'{doc,man,locale,info}'/*' \
    "$(. /etc/os-release ; echo "$VERSION_CODENAME")" "$dir" "$vm/sources.list"
}

## Running

# vm_run LOG INITRAMFS [DISK...] : boots, and returns when the machine has gone; 124 if it had to be ended.
# In the log each line begins with the milliseconds since the start, as this machine's clock has them.
# VM_TIME: limit in seconds (400: somebody else may have the CPUs); VM_MEMORY (512M); VM_CPUS (2); VM_ACCEL; VM_APPEND: more words for the kernel;
# VM_QEMU: more words for QEMU; VM_SHOW=1: the console on stdout, as it happens. VM_REBOOTS=1: a reset is not the end,
# but boots again. VM_UNTIL: ends the machine when a line of the console matches that (of Perl), and that is fine.
# VM_STAYS: so many seconds after that.
vm_run () {
  local log=$1 initramfs=$2 disk drives=() reset=-no-reboot
  shift 2
  test -z "${VM_REBOOTS-}" || reset=
  for disk do drives+=( -drive "if=virtio,format=raw,cache=unsafe,file=$disk" ) ; done
  # -erms: software emulation walks through `rep stosb`, which clears every new page, byte by byte.
  # stdin: QEMU would take what is typed, and turn the terminal raw.
  # shellcheck disable=SC2086
  { echo "$BASHPID" >"$log.pid" ; exec timeout --foreground -k 5 "${VM_TIME:-400}" qemu-system-x86_64 -M q35 -accel "${VM_ACCEL:-tcg,thread=multi}" -cpu max,-erms,-fsrm \
    -smp "${VM_CPUS:-2}" -m "${VM_MEMORY:-512M}" -nodefaults -display none -serial stdio -serial null $reset \
    -kernel "$kernel" -initrd "$initramfs" -append "console=ttyS0 panic=-1 ${VM_APPEND-quiet}" \
    "${drives[@]}" ${VM_QEMU-} </dev/null 2>&1 ; } | vm_stamp "$log"
  set -- "${PIPESTATUS[@]}"
  test "$2" = 9 || return "$1"
}

# vm_stamp LOG : of what comes from stdin. 9: ended by VM_UNTIL
vm_stamp () {
  perl -MTime::HiRes=time -e '
    $| = 1 ;
    my ($start, $show, $until, $ended) = (time, $ENV{VM_SHOW}, $ENV{VM_UNTIL}, 0) ;
    $SIG{ALRM} = sub {
      $ended = 9 ;
      open(my $pid, "<", "$ARGV[0].pid") or die ;
      kill "TERM", <$pid> ;
    } ;
    open(my $log, ">", $ARGV[0]) or die ;
    $log->autoflush(1) ;
    while (<STDIN>)
    {
      s/\r+\n?$// ; chomp ;
      printf $log "%6d %s\n", 1000 * (time - $start), $_ ;
      print "$_\n" if $show ;
      next if !$until or !/$until/ ;
      undef $until ;
      if ($ENV{VM_STAYS}) { alarm $ENV{VM_STAYS} ; } else { $SIG{ALRM}->() ; }
    }
    exit $ended' "$1"
}

## Judges: of the console

# console_time LOG REGEX : when a line that matches was first seen
console_time () {
  awk -v regex="$2" 'substr($0, 8) ~ regex { print $1 ; found = 1 ; exit } END { exit !found }' "$1"
}

# console_clock LOG REGEX : the same by the guest's own clock, for a line of its kernel log; in microseconds
console_clock () {
  sed -n "s/^ *[0-9]* \[ *\([0-9]*\)\.\([0-9]*\)\] $2.*/\1\2/p" "$1" | head -n 1 | grep .
}

console_has () {
  console_time "$@" >/dev/null
}

# console_no_panic LOG : an empty one proves nothing
console_no_panic () {
  test -s "$1" && ! console_has "$1" 'Kernel panic|BUG:|Oops|blocked for more than|Call Trace'
}

## Judges: of an ext4 image

# image_ext4 IMAGE SIZE [DIR] : makes one, with what is in DIR
image_ext4 () {
  rm -f "$1"
  mke2fs -q -t ext4 -E lazy_itable_init=0,lazy_journal_init=0 ${3:+-d "$3"} "$1" "$2" </dev/null >/dev/null
}

# unmounted, read-only or frozen: the journal is empty
image_clean () {
  local header
  header=$(dumpe2fs -h "$1" 2>/dev/null) &&
    grep -q '^Filesystem state: *clean$' <<<"$header" && ! grep -q needs_recovery <<<"$header"
}

# nothing to repair
image_fsck () {
  e2fsck -fn "$1" >/dev/null 2>&1
}

# image_marker IMAGE : prints what guest/mark has written, which it could only when nothing was mounted
image_marker () {
  head -c 1024 "$1" | tr -d '\0' | sed -n 's/^stage4-mark: //p' | grep .
}

# image_file IMAGE PATH COPY : a file out of an image
image_file () {
  rm -f "$3"
  debugfs -R "dump $2 $3" "$1" >/dev/null 2>&1
  test -s "$3"
}
