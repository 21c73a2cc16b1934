# shellcheck shell=bash
# Each program by itself, with one kind of system call that fails: the first one, the second one ..., or all of them.
# Whatever fails: the next program is executed, once; ? is 0 only if the job is done; if not, something was said.
# To be sourced by tests/vm/sweep-*.t.
. "$(dirname "$0")/lib.sh"

vm_test virtio_blk
vm_test_stage4
image_ext4 "$work/disk.img" 16M
image_ext4 "$work/swap.img" 16M

# The same for malloc: dynamic programs, and a library that is loaded before all others.
{ "$top/tools/build" default && make -C "$top/build/default" install-bin DESTDIR="$work/stage/dynamic" ; } >"$work/build.log" 2>&1 ||
  { cat "$work/build.log" >&2 ; bail_out "no dynamic stage4" ; }
copy_libraries "$work/stage" "$top/build/default/stage4-umountall"
gcc -shared -fPIC -O2 -Wall -Wextra -o "$work/stage/nomalloc.so" -x c - <<'END' || bail_out "no library"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

extern void *__libc_malloc (size_t) ;
extern void *__libc_calloc (size_t, size_t) ;
extern void *__libc_realloc (void *, size_t) ;

static unsigned long seen, first ;
static int later_too ;

/* Not before main(): the C library needs it itself. */
__attribute__((constructor)) static void start (void)
{
  char const *when = getenv("NOMALLOC") ;
  if (!when) return ;
  first = strtoul(when, 0, 10) ;
  later_too = !!strchr(when, '+') ;
}

static int fails (void)
{
  if (!first) return 0 ;
  seen++ ;
  if (seen != first && !(later_too && seen > first)) return 0 ;
  errno = ENOMEM ;
  return 1 ;
}

void *malloc (size_t n) { return fails() ? 0 : __libc_malloc(n) ; }
void *calloc (size_t n, size_t size) { return fails() ? 0 : __libc_calloc(n, size) ; }
void *realloc (void *p, size_t n) { return fails() ? 0 : __libc_realloc(p, n) ; }
END

# sweep_guest <<"END" : boots; the lines are calls of the guest's function sweep
sweep_guest () {
  { cat "$top/tests/vm/guest/sweep.sh" ; cat ; } | guest "$work/disk.img" "$work/swap.img"
}

# swept PROGRAM RUNS HITS : at least so many
swept () {
  local line
  line=$(grep -o "=== swept $1: .*" "$console") || { tail -n 20 "$console" ; return 1 ; }
  echo "$line"
  grep "### $1 " "$console"
  # shellcheck disable=SC2086
  set -- $2 $3 $line
  test "$6" -ge "$1" && test "$8" -ge "$2" && test "${10}" = 0 && test "${12}" -gt 0
}
