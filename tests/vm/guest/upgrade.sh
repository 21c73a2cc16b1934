#!/bin/sh
# What /sbin/reboot is in system A of tests/vm/sysupgrade.t: a user's changes, requests that must be refused, then the
# one for the upgrade. $image: where to have it; $image_bytes and $image_sum; $bite: the watchdog's timeout; $sabotage:
# what shall go wrong.
# shellcheck disable=SC1091,SC2016 # these are of the guest; what is in quotes is for other shells
. /usr/lib/demo/functions
. /usr/lib/demo/look
path=${image:?}

echo "=== memory: $(($(sed -n 's/^MemTotal: *\([0-9]*\).*/\1/p' /proc/meminfo) / 1024)) MB"
echo "the user's" >/etc/hostname
mkdir -p /etc/ssh
echo "the user's" >/etc/ssh/key
echo "not kept" >/etc/leftover
case $path in /tmp/*) mount -t tmpfs tmp /tmp ;; esac
test -e "$path" || head -c "${image_bytes:?}" /dev/vdb >"$path"
# without what an earlier sabotage has left
for file in usr/lib/sysupgrade/stop etc/sysupgrade.conf ; do test ! -e /rom/$file || cp /rom/$file /$file ; done
rm -f /usr/lib/sysupgrade/write.d/05-hang
sed -i "s/^watchdog=.*/watchdog=${bite:-60s}/" /etc/sysupgrade.conf
case ${demo_load:?} in *shell*) sed -i 's/^stop_limit=.*/stop_limit=5s/' /etc/sysupgrade.conf ;; esac   # it does not stop by itself
watchdog -F -T 60 -t 5 /dev/watchdog0 &
await grep -qx active /sys/class/watchdog/watchdog0/state

# processes : who lives, but for what comes and goes
processes () {
  pidof load s6-supervise watchdog
}

# refused TITLE WHY COMMAND... : all is as it was
refused () {
  title=$1 why=$2
  shift 2
  "$@" >/run/said 2>&1
  code=$?
  check "refused: $title" test $code = 1
  check "refused: $title: it says why" grep -q "^sysupgrade: refused: $why" /run/said || cat /run/said
  check "refused: $title: nobody was ended" test "$(processes)" = "$living"
  check "refused: $title: nothing is left of it" not grep -q sysupgrade /proc/mounts
  check "refused: $title: nothing is recorded" test "$(sysupgrade -l)" = none
}

# with SETTING COMMAND... : with that line in the configuration
with () {
  setting=$1
  shift
  cp /etc/sysupgrade.conf /run/conf
  echo "$setting" >>/etc/sysupgrade.conf
  "$@"
  code=$?
  cat /run/conf >/etc/sysupgrade.conf
  return $code
}

# beside COMMAND... : while another one is at work
beside () {
  mkdir /run/sysupgrade
  "$@"
  code=$?
  rmdir /run/sysupgrade
  return $code
}

refusals () {
  living=$(processes)
  other=$(printf %064d 0)
  refused "another checksum" "the checksum is another one" sysupgrade "$path" "$other"
  head -c 65536 /dev/urandom >/run/noise
  refused "no image" "neither squashfs nor ext4" sysupgrade /run/noise "$(sha256sum /run/noise | cut -c -64)"
  rm /run/noise
  refused "no file" "not a file" sysupgrade /nowhere "${image_sum:?}"
  refused "another machine" "not for this machine" with 'suits_this_machine () { false ; }' sysupgrade "$path" "$image_sum"
  refused "no such device" "not a block device" with target=/dev/nowhere sysupgrade "$path" "$image_sum"
  refused "a device that is too small" "smaller than .* image and configuration" with target=/dev/vda1 sysupgrade "$path" "$image_sum"
  refused "misc is in use" "in use: /dev/vda3: " with misc=/dev/vda3 sysupgrade "$path" "$image_sum"
  refused "a device that would be gone" "would be detached: /dev/loop0" with target=/dev/loop0 sysupgrade "$path" "$image_sum"
  refused "no overlay" "no ext4 for the overlay: /dev/vda1" with data=/dev/vda1 sysupgrade "$path" "$image_sum"
  refused "no room at all" "no ramfs" with 'room=0' sysupgrade "$path" "$image_sum"
  refused "no room for the ramfs" "no ramfs" with 'keep="$keep /bin" ; room=1' sysupgrade "$path" "$image_sum"
  refused "not enough memory" "[0-9]* MiB of memory are needed" with 'room=4000' sysupgrade "$path" "$image_sum"
  refused "two at once" "there is /run/sysupgrade" beside sysupgrade "$path" "$image_sum"
  check "only a check" sysupgrade -n "$path" "$image_sum"
  check "only a check: nobody was ended" test "$(processes)" = "$living"
  check "only a check: nothing is recorded" test "$(sysupgrade -l)" = none
  sysupgrade "$path" wrong
  check "wrong usage: exit code 100" test $? = 100
}

# odd : it goes well
odd () {
  sysupgrade -n "$path" "$image_sum" 2>&1 | true
  check "its reader is gone: nothing is left of it" not test -e /run/sysupgrade
  mkdir -p /root/.ssh
  echo "the user's" >/root/.ssh/key
  ln -s /nowhere /etc/dangling
  echo 'keep="$keep /root/.ssh/key /etc/dangling"' >>/etc/sysupgrade.conf
  ln -s /tmp /var/link
  path=/var/link/image
  fallocate -l "$(($(stat -f -c '%a * %S' /overlay)))" /var/full
  cat /dev/zero >/var/fuller             # what is reserved for root
}

# hang WHAT... : a hook before all others
hang () {
  { echo '#!/bin/sh' ; printf '%s\n' "$@" ; } >/usr/lib/sysupgrade/write.d/05-hang
  chmod 755 /usr/lib/sysupgrade/write.d/05-hang
}

case ${sabotage-} in
  refusals) refusals ;;
  odd) odd ;;
  pivot) sed -i '2i chmod 777 /run/sysupgrade/ramfs' /usr/lib/sysupgrade/stop ;;
  hang)
    sed -i 's/^write_limit=.*/write_limit=5s/' /etc/sysupgrade.conf
    hang "trap '' TERM HUP INT" 'echo "=== hanging"' 'sleep 1000' ;;
  frozen)
    hang 'mkdir /cgroup' 'mount -t cgroup2 cgroup /cgroup' 'mkdir /cgroup/frozen' \
      'echo $PPID >/cgroup/frozen/cgroup.procs' 'echo 1 >/cgroup/frozen/cgroup.procs' \
      'echo "=== the chain hangs"' 'echo 1 >/cgroup/frozen/cgroup.freeze' \
      'sleep 1000' ;;
  stuck)   # a process that nobody can end, on a disk that is dead
    truncate -s 1M /run/dead
    losetup /dev/loop7 /run/dead
    /usr/lib/demo/dm create dead /dev/loop7
    /usr/lib/demo/dm suspend dead
    dd if=/dev/mapper/dead of=/dev/null bs=4096 count=1 &
    await in_state D $! ;;
esac
echo "<3>=== upgrade" >/dev/kmsg
sysupgrade "$path" "$image_sum"
echo "=== it came back: $?"
poweroff -f
