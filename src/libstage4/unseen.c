/* ISC license. */

/*
  File systems that no mount table shows: those below a lazy unmount, those of a mount namespace that only an open file
  or a thread keeps, layers of an overlay in another one. Their drivers list them as long as they live.
*/

#include <stdlib.h>
#include <string.h>

#include <skalibs/genalloc.h>
#include <skalibs/stralloc.h>
#include <skalibs/types.h>

#include "stage4.h"

static struct { char const *dir, *type ; } const drivers[] =
  { { "/sys/fs/ext4", "ext4" }, { "/sys/fs/xfs", "xfs" }, { "/sys/fs/f2fs", "f2fs" } } ;

struct search
{
  genalloc seen ;      /* uint64_t: devices, sorted */
  genalloc *unseen ;   /* s4_unseen */
  char const *type ;
} ;

 /* "254:1"; other things than disks are listed there, too */

static int device_named (char const *name, uint64_t *device)
{
  stralloc path = STRALLOC_ZERO, text = STRALLOC_ZERO ;
  unsigned int major, minor ;
  size_t len = 0 ;
  if (s4_cat(&path, "/sys/class/block/", name, "/dev") && s4_sys_read(path.s, &text)) len = uint_scan(text.s, &major) ;
  if (len && (text.s[len] != ':' || !uint_scan(text.s + len + 1, &minor))) len = 0 ;
  if (len) *device = (uint64_t)major << 32 | minor ;
  stralloc_free(&path) ;
  stralloc_free(&text) ;
  return !!len ;
}

static int look_at (char const *name, void *data)
{
  struct search *x = data ;
  s4_unseen u = { .type = x->type } ;
  if (!device_named(name, &u.device) || s4_has_device(&x->seen, u.device)) return 1 ;
  u.name = s4_concat("/dev/", name) ;
  return genalloc_append(s4_unseen, x->unseen, &u) ;
}

static int look_at_all (struct search *x)
{
  genalloc_setlen(s4_unseen, x->unseen, 0) ;
  for (unsigned int k = 0 ; k < sizeof drivers / sizeof *drivers ; k++)
  {
    x->type = drivers[k].type ;
    if (!s4_sys_each(drivers[k].dir, &look_at, x)) return 0 ;   /* -1: there is no such driver */
  }
  return 1 ;
}

 /* The tables of others are read only if ours leaves something open. */

int s4_unseen_find (genalloc *unseen)
{
  struct search x = { .seen = GENALLOC_ZERO, .unseen = unseen } ;
  s4_mounts ms = S4_MOUNTS_ZERO ;
  int ok = s4_mounts_load(&ms) && s4_mounts_devices(&ms, &x.seen) && look_at_all(&x) ;
  if (ok && genalloc_len(s4_unseen, unseen)) ok = s4_devices_everywhere(&x.seen) && look_at_all(&x) ;
  genalloc_free(uint64_t, &x.seen) ;
  s4_mounts_free(&ms) ;
  return ok ;
}
