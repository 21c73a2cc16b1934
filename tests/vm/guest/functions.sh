# shellcheck shell=dash
# For scripts in the guest.
# shellcheck disable=SC2034 # what it sets is used by these

check () {
  what=$1
  shift
  if "$@" ; then echo "=== $what ok" ; else echo "=== $what FAILED ($?)" ; false ; fi
}
not () {
  ! "$@"
}
# ms : since the boot
ms () {
  local up idle
  read -r up idle </proc/uptime
  echo "${up%.*}${up#*.}0"
}
# await COMMAND... : until it succeeds; who waits for two minutes waits in vain
await () {
  local last=$(($(ms) + 120000))
  until "$@" >/dev/null 2>&1 ; do
    test "$(ms)" -lt $last || { echo "=== waited in vain: $*" ; return 1 ; }
    usleep 10000
  done
}
# in_state LETTER PID : as in proc(5)
in_state () {
  grep -q "^State:.$1" "/proc/$2/status"
}
# begin COMMAND... : in the background, as $!, until it has said a line, which is $said. The FIFO is opened for both:
# ash lets a SIGCHLD end an open that waits for the other side (EINTR).
test -p /ready || mkfifo /ready
begin () {
  "$@" >/ready &
  read -r said <>/ready
}
# mount_disk DEVICE DIR : an ext4
mount_disk () {
  mkdir -p "$2"
  mount -t ext4 "$1" "$2"
}
# swap_on FILE [PRIORITY]
swap_on () {
  mkswap "$1" >/dev/null
  if test -n "$2" ; then swaponp "$1" "$2" ; else swapon "$1" ; fi
}
# swap_file FILE MIB [PRIORITY] : makes it first
swap_file () {
  dd if=/dev/zero of="$1" bs=1M count="$2" 2>/dev/null
  swap_on "$1" "$3"
}
# fuse_daemon DIR : a FUSE file system there, which hangs after kill -STOP $daemon; it is spared
fuse_daemon () {
  ln -s fusehang /bin/@fusehang
  begin @fusehang "$1"
  daemon=$!
}
# enter_root DIR COMMAND... : with /dev, /proc and /sys; it becomes the root, and the command this process
enter_root () {
  for i in dev proc sys ; do mount --move /$i "$1/$i" ; done
  cd "$1" || exit
  shift
  mount --move . /
  exec chroot . "$@" </dev/console >/dev/console 2>&1
}
# mirror NAME DISK DISK [METADATA] : a RAID 1, as mdadm makes one
mirror () {
  echo "$1" >/sys/module/md_mod/parameters/new_array
  (
    cd "/sys/block/$1/md" || exit
    echo raid1 >level
    echo "${4:-none}" >metadata_version
    echo 2 >raid_disks
    echo 8192 >component_size
    echo none >resync_start
    slot=0
    for disk in "$2" "$3" ; do
      cat "/sys/class/block/$disk/dev" >new_dev
      echo 8192 >"dev-$disk/size"
      echo $slot >"dev-$disk/slot"
      slot=1
    done
    echo active >array_state
  )
  mdev -s
}
# tools DEVICE : Debian's, at /tools
tools () {
  mkdir -p /tools
  mount -t ext4 -o ro "$1" /tools
  for i in dev proc sys run ; do mount --bind /$i /tools/$i ; done
}
# t COMMAND... : a tool of Debian's; busybox would take its own
t () {
  chroot /tools /usr/bin/env DM_DISABLE_UDEV=1 PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@" 2>&1
}
# l COMMAND... : LVM, without udev
lvm='devices { use_devicesfile=0 obtain_device_list_from_udev=0 } activation { udev_sync=0 udev_rules=0 monitoring=0 }
  backup { backup=0 archive=0 }'
l () {
  command=$1
  shift
  t lvm "$command" --config "$lvm" "$@"
}
# detach CODE ARGUMENT... : stage4-detach ends with that code; what it says is in /out. $in_there: words before it
in_there=
detach () {
  want=$1
  shift
  $in_there stage4-detach -f -v 2 "$@" >/out 2>&1
  code=$?
  echo "--- $*: $code" ; cat /out
  test $code = "$want"
}
# plans REGEX... : each is a line there; says: with the program's name
plans () {
  for regex ; do grep -Eqx -e "$regex" /out || { echo "--- no line $regex" ; return 1 ; } ; done
}
says () {
  for said ; do plans "stage4-detach: $said" || return ; done
}
# ran COMMAND... : succeeds, and the program whose exit code is $code was there: of what shall stay as it is
ran () {
  case $code in 0 | 1 | 99) "$@" ;; *) echo "--- it has not run: $code" ; return 1 ;; esac
}
