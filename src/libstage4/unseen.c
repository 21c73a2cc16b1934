/* ISC license. */

/*
  File systems that no mount table shows: those below a lazy unmount, those of a mount namespace that only an open file
  or a thread keeps, layers of an overlay in another one. Their drivers list them as long as they live.
*/

#include <errno.h>
#include <string.h>

#include <linux/major.h>

#include <skalibs/genalloc.h>
#include <skalibs/stralloc.h>

#include "stage4.h"

#define LOOP_TIMEOUT 5000   /* for what their files lie on: as long as others have the CPUs, or one hangs */

static struct { char const *dir, *type ; } const drivers[] =
  { { "/sys/fs/ext4", "ext4" }, { "/sys/fs/xfs", "xfs" }, { "/sys/fs/f2fs", "f2fs" } } ;

struct search
{
  s4_mounts const *all ;
  genalloc *unseen ;   /* s4_unseen */
  char const *type ;
} ;

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

 /* Other things than disks are listed there, too. */

static int look_at (char const *name, void *data)
{
  struct search *x = data ;
  s4_unseen u = { .type = x->type } ;
  if (!s4_sys_number("/sys/class/block/", name, &u.device) || s4_has_device(&x->all->devices, u.device)) return 1 ;
  if (is_readonly(x->type, name)) return 1 ;
  u.name = s4_concat("/dev/", name) ;
  return genalloc_append(s4_unseen, x->unseen, &u) ;
}

int s4_unseen_find (s4_mounts const *all, genalloc *unseen)
{
  struct search x = { .all = all, .unseen = unseen } ;
  genalloc_setlen(s4_unseen, unseen, 0) ;
  if (!s4_sys_is_there()) return 0 ;
  for (unsigned int k = 0 ; k < sizeof drivers / sizeof *drivers ; k++)
  {
    x.type = drivers[k].type ;
    if (s4_sys_each(drivers[k].dir, &look_at, &x) != 1) return 0 ;
  }
  return !genalloc_len(s4_unseen, unseen) || !all->unseen || (errno = all->unseen, 0) ;
}

 /* --- as if a table had them --- */

static int add_unseen (s4_mounts *ms)
{
  genalloc unseen = GENALLOC_ZERO ;
  int e = s4_unseen_find(ms, &unseen) ? 0 : errno ;
  s4_unseen const *x = genalloc_s(s4_unseen, &unseen) ;
  for (size_t k = 0 ; k < genalloc_len(s4_unseen, &unseen) ; k++)
  {
    s4_mount const m = { .major = (unsigned int)(x[k].device >> 32), .minor = (unsigned int)x[k].device, .root = "/",
      .dir = "[in no mount table]", .type = x[k].type, .source = x[k].name, .superoptions = "", .in_no_table = 1 } ;
    if (!s4_mounts_append(ms, &m, 1)) e = ENOMEM ;
  }
  genalloc_free(s4_unseen, &unseen) ;
  return !e || (errno = e, 0) ;
}

 /* --- what lies in files --- */

 /*
   The name of a file leads nowhere if its file system is in no table; the kernel knows which one it is. Where it does
   not say so in time, all come later that are not in files, or in earlier loop devices.
 */

static int lies_below (s4_storage const *st, unsigned int i, s4_loop const *loop)
{
  s4_mount const *m = st->ms->m + i ;
  if (loop->backing != S4_NODEVICE) return s4_mount_device(m) == loop->backing ;
  return st->at_risk[i] && (m->major != LOOP_MAJOR || s4_mount_device(m) < loop->device) ;
}

static int add_edges_to (s4_storage *st, unsigned int first, s4_loop const *loop)
{
  for (unsigned int k = 0 ; k < st->nsb ; k++)
  {
    s4_edge const e = { .first = first, .then = st->first[k] } ;
    if (e.then != first && lies_below(st, e.then, loop) && !genalloc_append(s4_edge, &st->edges, &e)) return 0 ;
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

int s4_storage_load_whole (s4_storage *st, s4_mounts *ms, int ordered)
{
  int unknown = 0 ;
  if (!s4_mounts_load_all(ms)) return 0 ;
  if (!s4.container && !add_unseen(ms)) unknown = errno ;
  if (!s4_storage_take(st, ms)) return 0 ;
  if (!ordered || add_loop_edges(st)) return unknown ? (errno = unknown, -1) : 1 ;
  s4_storage_free(st) ;
  s4_mounts_free(ms) ;
  return (errno = ENOMEM, 0) ;
}
