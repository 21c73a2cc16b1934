# shellcheck shell=bash
# What tools/demo reads from the console and from the disk that the machine has left behind.
: "${work:?}"

# verdict CHAIN LOAD : prints a line for each claim; fails if one does not hold
verdict () {
  bad=0
  claim "the machine reset itself" console_has "$work/console" 'reboot: Restarting system'
  claim "no panic, no kernel bug" console_no_panic "$work/console"
  claim "the root file system is clean: no journal to replay" image_clean "$work/root.img"
  case $1,$2 in
    no-ramfs,*) claim "it was read-only" console_has "$work/console" 'mark: .* its root is ext4, read-only' ;;
    *,*writer*)
      claim "its writer was spared, and kept it mounted" console_has "$work/console" 'mark: .*: still in use'
      claim "it was frozen" console_has "$work/console" 'stage4-freeze: info: froze [1-9]' ;;
    *)
      claim "it was unmounted: only so could the hook write its mark" image_marker "$work/root.img"
      claim "pid 1 was off it" console_has "$work/console" 'mark: pid 1 runs .* from (tmp|ram)fs, its root is (tmp|ram)fs' ;;
  esac
  case $2 in
    *writer*) claim "e2fsck has nothing to repair but orphans" only_orphans "$work/root.img" ;;
    *) claim "e2fsck has nothing to repair" image_fsck "$work/root.img" ;;
  esac
  claim "all 20 processes could finish their work" all_done
  claim "the 4 loop file systems are clean, and have what was written last" loops_clean
  return $bad
}

claim () {
  local what=$1
  shift
  if "$@" >/dev/null ; then echo "ok   $what" ; else echo "BAD  $what" ; bad=1 ; fi
}

all_done () {
  local i
  for i in {1..20} ; do image_file "$work/root.img" "/var/lib/demo/done.$i" "$work/file" || return ; done
}

loops_clean () {
  local i
  for i in 1 2 3 4 ; do
    image_file "$work/root.img" "/var/lib/demo/loop.$i" "$work/loop.img" &&
      image_clean "$work/loop.img" && image_fsck "$work/loop.img" &&
      image_file "$work/loop.img" /copy "$work/file" && cmp "$work/file" "${debian:?}/bin/bash" || return
  done
}

# A deleted file that was open when a file system froze is on its orphan list; the next mount ends that.
only_orphans () {
  local answer
  answer=$(e2fsck -fn "$1" 2>/dev/null) && return
  ! grep -v '^Pass [0-9]\|rphan\|^$\|^[^ ]*: .* files\|WARNING: Filesystem still has errors' <<<"$answer"
}
