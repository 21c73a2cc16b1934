/* ISC license. */

/*
  File systems that no mount table shows: those below a lazy unmount, those of a mount namespace that only an open file
  or a thread keeps, layers of an overlay in another one. Their drivers list them as long as they live.
*/

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/major.h>

#include <skalibs/genalloc.h>
#include <skalibs/stralloc.h>

#include "stage4.h"

#define LOOP_TIMEOUT 1000   /* for what their files lie on */

static struct { char const *dir, *type ; } const drivers[] =
  { { "/sys/fs/ext4", "ext4" }, { "/sys/fs/xfs", "xfs" }, { "/sys/fs/f2fs", "f2fs" } } ;

struct search
{
  genalloc seen ;      /* uint64_t: devices, sorted */
  genalloc *unseen ;   /* s4_unseen */
  char const *type ;
} ;

 /* Other things than disks are listed there, too. */

static int device_named (char const *name, uint64_t *device)
{
  stralloc path = STRALLOC_ZERO, text = STRALLOC_ZERO ;
  int r = s4_cat(&path, "/sys/class/block/", name, "/dev") && s4_sys_read(path.s, &text)
   && s4_device_scan(text.s, device) ;
  stralloc_free(&path) ;
  stralloc_free(&text) ;
  return r ;
}

 /* Only ext4 says so, in its first line. */

static int is_readonly (char const *type, char const *name)
{
  stralloc file = STRALLOC_ZERO, text = STRALLOC_ZERO ;
  int r = s4_cat(&file, "fs/", type, "/", name, "/options") && s4_proc_read(file.s, &text)
   && !strncmp(text.s, "ro\n", 3) ;
  stralloc_free(&file) ;
  stralloc_free(&text) ;
  return r ;
}

static int look_at (char const *name, void *data)
{
  struct search *x = data ;
  s4_unseen u = { .type = x->type } ;
  if (!device_named(name, &u.device) || s4_has_device(&x->seen, u.device) || is_readonly(x->type, name)) return 1 ;
  u.name = s4_concat("/dev/", name) ;
  return genalloc_append(s4_unseen, x->unseen, &u) ;
}

static int look_at_all (struct search *x)
{
  genalloc_setlen(s4_unseen, x->unseen, 0) ;
  if (!s4_sys_is_there()) return 0 ;
  for (unsigned int k = 0 ; k < sizeof drivers / sizeof *drivers ; k++)
  {
    x->type = drivers[k].type ;
    if (s4_sys_each(drivers[k].dir, &look_at, x) != 1) return 0 ;
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

 /* --- as if a table had them --- */

static int is_mounted (s4_mounts const *ms, uint64_t device)
{
  for (unsigned int i = 0 ; i < ms->n ; i++) if (s4_mount_device(ms->m + i) == device) return 1 ;
  return 0 ;
}

static int add_mount (s4_mounts *ms, s4_unseen const *x)
{
  s4_mount *all = realloc(ms->m, (ms->n + 1) * sizeof(s4_mount)) ;
  if (!all) return 0 ;
  ms->m = all ;
  all[ms->n++] = (s4_mount){ .major = (unsigned int)(x->device >> 32), .minor = (unsigned int)x->device,
    .root = "/", .dir = "[in no mount table]", .type = x->type, .source = x->name, .superoptions = "",
    .in_no_table = 1 } ;
  return 1 ;
}

static int add_unseen (s4_mounts *ms)
{
  genalloc unseen = GENALLOC_ZERO ;
  int ok = s4_unseen_find(&unseen) ;   /* if not: those that our own table doesn't have, or not even these */
  s4_unseen const *x = genalloc_s(s4_unseen, &unseen) ;
  for (size_t k = 0 ; k < genalloc_len(s4_unseen, &unseen) ; k++)
    ok &= is_mounted(ms, x[k].device) || add_mount(ms, x + k) ;
  genalloc_free(s4_unseen, &unseen) ;
  return ok ;
}

 /* --- what lies in files --- */

 /*
   The name of a file leads nowhere if its file system is in no table; the kernel knows which one it is. Where it does
   not say so in time, all that are not in files come later.
 */

static int add_edges_to (s4_storage *st, unsigned int first, s4_loop const *loop)
{
  for (unsigned int k = 0 ; k < st->nsb ; k++)
  {
    s4_edge const e = { .first = first, .then = st->first[k] } ;
    int const below = loop->backing != S4_NODEVICE ? s4_mount_device(st->ms->m + e.then) == loop->backing
     : st->at_risk[e.then] && st->ms->m[e.then].major != LOOP_MAJOR ;
    if (below && e.then != first && !genalloc_append(s4_edge, &st->edges, &e)) return 0 ;
  }
  return 1 ;
}

static int add_edges_of (s4_storage *st, unsigned int i, genalloc const *loops)
{
  genalloc devices = GENALLOC_ZERO ;   /* uint64_t: loop devices that it lies in */
  s4_loop const *x = genalloc_s(s4_loop, loops) ;
  int ok = s4_dev_loops(st->ms->m + i, &devices) ;
  for (size_t n = genalloc_len(uint64_t, &devices) ; ok && n-- ; )
    for (size_t k = 0 ; ok && k < genalloc_len(s4_loop, loops) ; k++)
      if (x[k].device == genalloc_s(uint64_t, &devices)[n]) ok = add_edges_to(st, i, x + k) ;
  genalloc_free(uint64_t, &devices) ;
  return ok ;
}

static int add_loop_edges (s4_storage *st)
{
  genalloc loops = GENALLOC_ZERO ;
  int ok = s4_loops_find(&loops, 0, LOOP_TIMEOUT) ;
  if (!ok) ok = errno != ENOMEM ;      /* then as the names of the files say */
  for (unsigned int k = 0 ; ok && loops.len && k < st->nsb ; k++)
    if (st->at_risk[st->first[k]]) ok = add_edges_of(st, st->first[k], &loops) ;
  genalloc_free(s4_loop, &loops) ;
  return ok ;
}

static int find_whole (s4_storage *st, s4_mounts const *ms, int ordered)
{
  if (!ms->n) return (errno = ENODATA, 0) ;
  if (!s4_storage_find(st, ms)) return 0 ;
  if (!ordered || add_loop_edges(st)) return 1 ;
  s4_storage_free(st) ;
  return (errno = ENOMEM, 0) ;
}

int s4_storage_load_whole (s4_storage *st, s4_mounts *ms, int ordered)
{
  int unknown = 0 ;
  int e ;
  if (!s4_mounts_load_all(ms)) return 0 ;
  if (!s4.container && !add_unseen(ms)) unknown = errno ;
  if (find_whole(st, ms, ordered)) return unknown ? (errno = unknown, -1) : 1 ;
  e = errno ;
  s4_mounts_free(ms) ;
  return (errno = e, 0) ;
}
