# shellcheck shell=dash
# For tests/cli/*.t and tests/ns/*.t, which speak TAP and never touch this machine. To be sourced by them:
#
#   . "${0%/*}/../lib.sh"         enters the namespaces, where the file is read once more, and goes on
#   ok "root is root" test "$(id -u)" = 0
#   box "one that goes" <<'END'   a script as pid 1 of new mount and pid namespaces with a root (a tmpfs) of its own
#   m tmpfs /a
#   run stage4-umountall -f
#   code 0
#   is "only / and /proc are left" "$(mounts)" "/ /proc"
#   end                           the script has come to its end
#   END
#   transcript <<'END'            commands and all that they say, one test each; see there
#   done_testing
#
# $STAGE4_BIN is the directory of the programs that are tested (build/default, made by tools/build).
# TEST_SHOW=1 shows all that is said in the boxes.
#
# How nothing can happen to this machine: even in a user namespace what was root before may reset it
# (/proc/sysrq-trigger asks for the uid, not for a capability). So real root is given up first; then come
# a user, a mount and a pid namespace, and a pivot into a tmpfs with copies. Whoever finds himself to be
# real root nevertheless refuses.

bail_out () {
  echo "Bail out! $*"
  exit 111
}

## Outside: what is copied, and the way in

# copy DIR FILE... : files into that directory of the image; their libraries at the places where they are outside
copy () {
  mkdir -p "$image$1"
  ( dir=$image$1 ; shift ; cp -L "$@" "$dir/" ) || bail_out "can't copy what is needed"
  shift
  ldd "$@" 2>/dev/null | awk '{ for (i = 1 ; i <= NF ; i++) if ($i ~ /^\/.*[^:]$/) { print $i ; break } }' | sort -u |
    while read -r library ; do
      test ! -e "$image$library" || continue
      mkdir -p "$image${library%/*}"
      cp -L "$library" "$image$library"
    done
}

make_helper () {
  helper=$top/build/tests/helper
  if test ! -w "$top" ; then helper=$work/helper ; fi
  if test ! -e "$helper" || test "$top/tests/ns/helper.c" -nt "$helper" ; then
    mkdir -p "${helper%/*}" &&
      gcc -static -O1 -Wall -Wextra -o "$helper.$$" "$top/tests/ns/helper.c" && mv "$helper.$$" "$helper"
  fi
}

# make_image TEST KIND : the root file system of the tests, in $image
make_image () {
  image=$work/image
  mkdir -p "$image/bin" "$image/t" "$image/etc"
  make_helper || bail_out "can't compile tests/ns/helper.c"
  cp "$helper" "$image/bin/helper"
  busybox=$(command -v busybox) || bail_out "no busybox (Debian: busybox-static)"
  if ldd "$busybox" >/dev/null 2>&1 ; then bail_out "busybox is not static (Debian: busybox-static)" ; fi
  cp "$busybox" "$image/bin/busybox"
  "$busybox" --list | perl -ne 'BEGIN { $dir = shift } chomp ; symlink "busybox", "$dir/$_"' "$image/bin"
  for program in "$STAGE4_BIN"/stage4 "$STAGE4_BIN"/stage4-* ; do
    if test -f "$program" && test -x "$program" ; then copy /bin "$program" ; fi
  done
  if ! ls "$image"/bin/stage4* >/dev/null 2>&1 ; then    # without them a lot of nothing would happen as it should
    echo "not ok 1 - there are programs in STAGE4_BIN=$STAGE4_BIN"
    echo 1..1
    exit 1
  fi
  if test -e "$image/bin/stage4" ; then    # the one binary: its links
    for program in "$top"/src/stage4/deps-exe/* ; do ln -sf stage4 "$image/bin/${program##*/}" ; done
  fi
  copy /usr/bin /usr/bin/timeout /usr/bin/execlineb /usr/bin/s6-svscan /usr/bin/s6-supervise /usr/bin/s6-svscanctl \
    /usr/bin/s6-svc /usr/bin/s6-svstat /usr/bin/flock
  copy /usr/lib/execline/bin /usr/lib/execline/bin/execlineb /usr/lib/execline/bin/export \
    /usr/lib/execline/bin/importas /usr/lib/execline/bin/exec /usr/lib/execline/bin/foreground \
    /usr/lib/execline/bin/fdmove /usr/lib/execline/bin/ifelse /usr/lib/execline/bin/unexport /usr/lib/execline/bin/exit
  rm -f "$image/bin/dash"
  copy /bin /bin/dash                      # a dynamic program of this machine
  mkdir -p "$image/t/$2"
  cp "$top/tests/lib.sh" "$image/t/"
  cp -R "$top/examples" "$image/t/"
  cp "$1" "$image/t/$2/"
}

outside () {
  top=$(cd "${1%/*}/../.." && pwd)
  umask 022
  PATH=$PATH:/usr/sbin:/sbin
  if test -z "${STAGE4_BIN+x}" ; then
    "$top/tools/build" default >&2 || bail_out "can't build"
    STAGE4_BIN=$top/build/default
  fi
  user=$(id -u) drop='' ways='unshare --user --map-root-user --mount --pid --fork --kill-child'
  if test "$user" = 0 ; then
    user=65534 drop='setpriv --reuid=65534 --regid=65534 --clear-groups'
  fi
  # shellcheck disable=SC2086  # these are lists of words
  $drop $ways true 2>/dev/null || { echo "1..0 # SKIP user namespaces are forbidden here" ; exit 0 ; }
  work=$(mktemp -d /tmp/stage4-test.XXXXXX) || bail_out "no directory in /tmp"
  trap 'rm -rf "$work"' EXIT
  trap 'exit 1' HUP INT TERM
  kind=$(basename "$(cd "${1%/*}" && pwd)")
  make_image "$1" "$kind"
  mkdir "$work/root"
  chmod -R a+rX "$work"
  cd /
  # shellcheck disable=SC2086
  env -i PATH="$PATH" LC_ALL=C TEST_SHOW="${TEST_SHOW-}" TEST_USER="$user" \
    $drop $ways sh "$image/t/lib.sh" enter "$work" "${1##*/}" "$kind" </dev/null
}

## The way in. From here on nobody is real root.

# One line, one id: root is somebody else outside.
refuse_real_root () {
  read -r inside outside count </proc/self/uid_map
  if test "$(wc -l </proc/self/uid_map)" != 1 || test "$inside $outside $count" != "0 $TEST_USER 1" || test "$outside" = 0 ; then
    bail_out "this could touch the machine: real root may be inside, $inside $outside $count"
  fi
  if ( : >>/proc/sysrq-trigger ) 2>/dev/null ; then    # opened only, nothing is written
    bail_out "this could touch the machine: /proc/sysrq-trigger can be written to"
  fi
}

# root_on DIR : a tmpfs with what every root has
root_on () {
  mount -t tmpfs -o mode=0755,size=2g root "$1" &&
    mkdir "$1/dev" "$1/proc" "$1/sys" "$1/run" "$1/tmp" "$1/old" &&
    : >"$1/dev/null" && chmod 666 "$1/dev/null" && chmod 1777 "$1/tmp"
}

# root_into DIR
root_into () {
  cd "$1" && pivot_root . old && cd / && PATH=/bin:/usr/bin && umount -l /old && rmdir /old
}

# The first namespaces: their root has an image from which the boxes' roots are made.
enter () {
  refuse_real_root
  { root_on "$1/root" && cp -R "$1/image" "$1/root/" ; } || bail_out "no root"
  if test "$3" = cli ; then        # these may be written to by anybody
    for device in null full ; do : >"$1/root/dev/$device" && mount -o bind /dev/$device "$1/root/dev/$device" ; done
  fi
  for dir in "$1"/image/* ; do ln -s "image/${dir##*/}" "$1/root/${dir##*/}" ; done
  if ! mount -t proc proc "$1/root/proc" ; then echo "1..0 # SKIP /proc can't be mounted here" ; exit 0 ; fi
  root_into "$1/root" || bail_out "no way into the root"
  export PATH STAGE4_TEST=inside
  export ASAN_OPTIONS=detect_leaks=0:exitcode=86 UBSAN_OPTIONS=print_stacktrace=1
  cd /tmp || exit 111
  case $3 in
    cli) exec /bin/helper nobody /bin/sh "/t/$3/$2" ;;
    *) exec /bin/sh "/t/$3/$2" ;;
  esac
}

# As pid 1 of the second ones.
enter_box () {
  refuse_real_root
  mkdir -p /box
  { root_on /box && cp -R /image/. /box/ && cp /body /box/t/body && mount -t proc proc /box/proc && root_into /box ; } ||
    bail_out "no box"
  export STAGE4_TEST=box
  exec /bin/sh /t/body
}

## Tests

tests=0

# verdict RESULT WHAT : RESULT is "ok" or "not ok"; numbers come from outside the boxes
verdict () {
  if test "$STAGE4_TEST" = box ; then echo "$1 - $2" ; return ; fi
  tests=$((tests + 1))
  echo "$1 $tests - $2"
}

# ok WHAT COMMAND...
ok () {
  local what="$1"
  shift
  if "$@" ; then verdict ok "$what" ; else verdict "not ok" "$what" ; echo "# failed: $*" ; fi
}

not () {
  ! "$@"
}

# is WHAT GOT WANTED : words, however they are separated
is () {
  # shellcheck disable=SC2086,SC2116
  if test "$(echo $2)" = "$(echo $3)" ; then verdict ok "$1" ; return ; fi
  verdict "not ok" "$1"
  echo "$2" | sed 's/^/# got:    /'
  echo "$3" | sed 's/^/# wanted: /'
}

skip () {
  verdict ok "$1 # SKIP $2"
}

done_testing () {
  echo "1..$tests"
}

# run COMMAND... : leaves $code, and what it said in /out and /err
run () {
  : >/out
  : >/err
  "$@" >/out 2>/err </dev/null
  code=$?
  { echo "# [$code] $*" ; sed 's/^/#   /' /out /err ; } 2>/dev/null
}

code () {
  is "exit code $1" "$code" "$1"
}

# said REGEX... : each matches a line on stderr
said () {
  for regex ; do ok "says $regex" grep -Eq -e "$regex" /err ; done
}

# unsaid REGEX... : none matches one, and the program has said something at all
unsaid () {
  for regex ; do ok "doesn't say $regex" not grep -Eq -e "$regex" /err ; done
}

# script FILE [LINE] : an executable that says its path and its arguments, then does LINE
script () {
  mkdir -p "${1%/*}"
  # shellcheck disable=SC2016
  printf '#!/bin/sh\necho "$0${1+ $*}"\n%s\n' "$2" >"$1"
  chmod 755 "$1"
}

# m TYPE DIR [OPTION...] : a mount, named like its directory
m () {
  local type="$1" dir="$2"
  shift 2
  mkdir -p "$dir"
  mount -t "$type" "$@" "$dir" "$dir"
}

# mounts : the mount points there are, as the kernel writes them
mounts () {
  awk '{ print $5 }' /proc/self/mountinfo
}

# fstype DIR
fstype () {
  awk -v dir="$1" '$5 == dir { for (i = 7 ; $i != "-" ; i++) ; print $(i + 1) }' /proc/self/mountinfo
}

# alive PID... : those who are, zombies are not
alive () {
  for pid ; do
    case $(sed 's/.*) // ; s/ .*//' "/proc/$pid/stat" 2>/dev/null) in
      '' | Z | X) ;;
      *) echo "$pid" ;;
    esac
  done
}

# between NUMBER LOW HIGH
between () {
  test "$1" -ge "$2" && test "$1" -lt "$3"
}

# await COMMAND... : until it succeeds, ten seconds at most
await () {
  local rounds=1000
  until "$@" ; do
    rounds=$((rounds - 1))
    test $rounds -gt 0 || return
    usleep 10000
  done
}

# transcript <script : a test for each command, of lines that begin with
#   $   the command, for sh
#   |   a line on its stdout; |~ a regex that the whole line matches
#   !   a line on its stderr; !~ likewise
#   =   its exit code, with which it ends
# Other lines are comments. $usage is replaced by what it is. The order is that of each stream.
transcript () {
  local line command=''
  while IFS= read -r line ; do
    case $line in
      '$ '*)
        test -z "$command" || verdict "not ok" "$command: no exit code is expected"
        command=${line#??}
        : >/want ;;
      [\|!]*) case $line in *\$usage) line=${line%\$usage}${usage-} ;; esac ; printf '%s\n' "$line" >>/want ;;
      '= '*) echo "$line" >>/want ; replay "$command" ; command='' ;;
    esac
  done
  test -z "$command" || verdict "not ok" "$command: no exit code is expected"
}

# what is said in /got, what should be in /want
replay () {
  # Pipes: a report to a file is left to a child when the machine is slow, and comes later. Not busybox's
  # timeout, which leaves somebody behind.
  { { /usr/bin/timeout 60 sh -c "$1" </dev/null ; echo $? >/code ; } 2>&1 >&3 | cat >/err ; } 3>&1 | cat >/out
  read -r code </code
  { sed 's/^/| /' /out ; sed 's/^/! /' /err ; echo "= $code" ; } >/got
  for mark in '|' ! = ; do grep "^$mark" /want ; done >/wanted
  if awk '
    NR == FNR { want[++n] = $0 ; next }
    { i++ ; mark = substr(want[i], 1, 3) }
    mark == "|~ " || mark == "!~ " { if (substr($0, 1, 2) != substr(mark, 1, 1) " " || substr($0, 3) !~ "^(" substr(want[i], 4) ")$") bad = 1 ; next }
    $0 != want[i] { bad = 1 }
    END { exit bad || i != n }' /wanted /got
  then verdict ok "$1"
  else
    verdict "not ok" "$1"
    sed 's/^/# got:    /' /got
    sed 's/^/# wanted: /' /wanted
  fi
}

end () {
  echo "=== end"
}

# box TITLE [ENDS] <script : ENDS is how it ends, "exit 0" if not given
box () {
  local title="$1" ends="${2:-exit 0}"
  { echo '. /t/lib.sh' ; cat ; } >/body
  # shellcheck disable=SC2013
  for program in $(grep -o 'stage4-[a-z]*' /body | sort -u) ; do     # "nothing has happened" is no success without it
    command -v "$program" >/dev/null || { verdict "not ok" "$title: no $program" ; return ; }
  done
  /bin/helper box 60 /bin/sh /t/lib.sh box >/said 2>&1 </dev/null
  if grep -Eq '^=== end$' /said ; then echo "ok - the script has come to its end" ; else echo "not ok - the script has come to its end" ; fi >/ends
  if test "$(tail -n 1 /said)" = "box: $ends" ; then echo "ok - the box ends with $ends" ; else echo "not ok - the box ends with $ends" ; fi >>/ends
  if grep -Eq 'ERROR: .*Sanitizer|runtime error:|Bail out' /said ; then echo "not ok - no sanitizer has complained" ; fi >>/ends
  local bad=''
  if test -n "$TEST_SHOW" || grep -q '^not ok' /said /ends ; then bad=1 ; fi
  while IFS= read -r line ; do
    case $line in
      "ok - "*) verdict ok "$title: ${line#ok - }" ;;
      "not ok - "*) verdict "not ok" "$title: ${line#not ok - }" ;;
      *) test -z "$bad" || echo "# ${line#\# }" ;;
    esac
  done <<EOT
$(cat /said /ends)
EOT
}

# both TITLE <script : as pid 1 of its box, and as another process there ($as). The test's `common` prints what comes
# before the script, which writes /then and ends with `run_it COMMAND...`. The command's last words are `sh /next` or the
# like: that knows $code (of $CODE, what a shell can't see as $?), $now and $took, reads /more if there is one, then /then.
both () {
  cat >/script
  for as in 'pid 1' 'another' ; do
    {
      echo "as='$as'"
      cat <<'END'
run_it () {
  helper ms >/start
  if test "$as" = 'pid 1' ; then exec "$@" 2>/err ; fi
  "$@" 2>/err
}
cat >/next <<'X'
now=$(helper ms)
. /t/lib.sh
took=$((now - $(cat /start)))
code=$CODE
sed 's/^/# /' /err
test ! -e /more || . /more
. /then
X
END
      common
      cat /script
    } >/script.now
    box "$1, as $as" </script.now
  done
}

# told WHAT REGEX : what the last box has said; its own files are gone with it
told () {
  ok "$1" grep -Eq -e "$2" /said
}

case $0:${STAGE4_TEST-} in
  */lib.sh:*)
    case $1 in
      enter) enter "$2" "$3" "$4" ;;
      box) enter_box ;;
    esac
    exit 111 ;;
  *:?*) ;;
  *)
    outside "$0"
    exit ;;
esac
