/* ISC license. */

/* What swap lies on. */

#include <skalibs/nonposix.h>

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <skalibs/genalloc.h>
#include <skalibs/stralloc.h>

#include "stage4.h"

#define LOOK_TIMEOUT 1000

static int read_sysfile (char const *file, stralloc *text, void *data)
{
  dev_t const dev = *(dev_t const *)data ;
  stralloc path = STRALLOC_ZERO ;
  int r = s4_sys_device(&path, major(dev), minor(dev), file) && s4_sys_read(path.s, text) ;
  stralloc_free(&path) ;
  return r ;
}

 /* What ends in " (deleted)" may be the kernel's word for a node that was removed, and made anew since. */

static int device_of (s4_swap const *sw, dev_t *dev)
{
  struct stat st ;
  stralloc name = STRALLOC_ZERO ;
  int r = !stat(sw->path, &st) || (s4_undeleted(sw->path, &name) && !stat(name.s, &st)) ;
  stralloc_free(&name) ;
  if (!r || !S_ISBLK(st.st_mode)) return 0 ;
  *dev = st.st_rdev ;
  return 1 ;
}

enum s4_swapkind_e s4_swap_kind (s4_swap const *sw, dev_t *dev)
{
  stralloc text = STRALLOC_ZERO ;
  enum s4_swapkind_e kind = S4_SWAP_UNKNOWN ;
  if (sw->isfile) return S4_SWAP_FILE ;
  if (device_of(sw, dev)) kind = s4_swapkind_of_device(&read_sysfile, &text, dev) ;
  stralloc_free(&text) ;
  return kind ;
}

static int tell_kinds (int fd, void *data)
{
  genalloc const *swaps = data ;
  for (size_t i = 0 ; i < genalloc_len(s4_swap, swaps) ; i++)
  {
    dev_t dev ;
    char const kind = (char)s4_swap_kind(genalloc_s(s4_swap, swaps) + i, &dev) ;
    int e = s4_answer(fd, &kind, 1) ;
    if (e) return e ;
  }
  return 0 ;
}

int s4_swap_kinds (genalloc const *swaps, stralloc *kinds)
{
  return s4_ask(&tell_kinds, (void *)swaps, LOOK_TIMEOUT, kinds) ;
}
