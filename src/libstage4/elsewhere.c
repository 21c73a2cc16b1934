/* ISC license. */

/*
  File systems that are mounted in other mount namespaces only, those of processes that were spared: unmounted here,
  they stay writable there.
*/

#include <skalibs/nonposix.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <skalibs/genalloc.h>
#include <skalibs/stralloc.h>

#include "stage4.h"

#define ROOT_MAX 1024    /* so much of the path of a root as tells it from others */
#define TIMEOUT 2000     /* for all namespaces, of which there may be as many as processes */

 /* --- which mounts: pure --- */

static int compare_device (void const *a, void const *b)
{
  uint64_t x = *(uint64_t const *)a, y = *(uint64_t const *)b ;
  return x < y ? -1 : x > y ;
}

static int add_devices (genalloc *devices, s4_mount const *m, size_t n)
{
  for (size_t i = 0 ; i < n ; i++)
  {
    uint64_t const device = s4_mount_device(m + i) ;
    if (!genalloc_append(uint64_t, devices, &device)) return 0 ;
  }
  return 1 ;
}

static int sort_devices (genalloc *devices)
{
  if (devices->len) qsort(devices->s, genalloc_len(uint64_t, devices), sizeof(uint64_t), &compare_device) ;
  return 1 ;
}

int s4_mounts_devices (s4_mounts const *ms, genalloc *devices)
{
  devices->len = 0 ;
  return add_devices(devices, ms->m, ms->n) && sort_devices(devices) ;
}

int s4_has_device (genalloc const *devices, uint64_t device)
{
  size_t n = genalloc_len(uint64_t, devices) ;
  return n && bsearch(&device, devices->s, n, sizeof device, &compare_device) ;
}

static int is_only_there (genalloc const *own, s4_mount const *m)
{
  return !m->readonly && s4_fsclass(m->type) == S4_FS_DISK && !s4_has_device(own, s4_mount_device(m)) ;
}

 /* Its parents are known there only. */

static int is_remote (s4_tree const *t, unsigned int i)
{
  unsigned int steps = 0 ;
  for (i = t->parent[i] ; i != S4_NONE && steps++ < t->ms->n ; i = t->parent[i])
    if (s4_may_hang(t->ms->m[i].type)) return 1 ;
  return 0 ;
}

 /*
   A mount more than once, by way of several namespaces or places, does no harm: it is one superblock. The link
   /proc/PID/root is followed because a slash comes behind it.
 */

int s4_mounts_pick_elsewhere (genalloc const *own, s4_mount *there, size_t n, pid_t pid, genalloc *found)
{
  s4_mounts const ms = { .m = there, .n = (unsigned int)n } ;
  s4_tree t = { .ms = 0 } ;
  int ok = 1 ;
  for (unsigned int k = 0 ; ok && k < ms.n ; k++)
  {
    s4_mount m = there[k] ;
    if (!is_only_there(own, &m)) continue ;
    if (!t.ms && !s4_tree_make(&t, &ms)) return 0 ;
    m.remote = (unsigned int)is_remote(&t, k) & 1 ;
    m.dir = s4_concat("/proc/", S4_NUM(pid), "/root", m.dir) ;
    ok = *m.dir && genalloc_append(s4_mount, found, &m) ;
  }
  if (t.ms) s4_tree_free(&t) ;
  return ok ;
}

 /* --- all namespaces --- */

struct search
{
  genalloc own ;           /* uint64_t: devices of our table, sorted */
  genalloc others ;        /* uint64_t: devices of all others that were looked at */
  genalloc views ;         /* uint64_t: of namespaces that were looked at */
  genalloc found ;         /* s4_mount */
  s4_ms limit ;
  int err ;                /* of a namespace that could not be looked at; or 0 */
} ;

 /* Whoever has ended has no namespace any more. */

static void note_error (struct search *x)
{
  if (errno != ENOENT && errno != ESRCH && errno != EINVAL) x->err = errno ;
}

 /* The number of its namespace; another one if its root isn't "/": from there only a part of it can be seen. */

static uint64_t view_of (struct search *x, pid_t pid)
{
  char link[ROOT_MAX] ;
  uint64_t view = s4_proc_mountns(pid) ;
  if (!view) note_error(x) ;
  if (!view || s4_proc_link(pid, "/root", link, sizeof link) <= 0 || !strcmp(link, "/")) return view ;
  for (char const *s = link ; *s ; s++) view = view * 31 + (unsigned char)*s ;
  return view ;
}

static int is_new (struct search const *x, uint64_t view)
{
  uint64_t const *seen = genalloc_s(uint64_t, &x->views) ;
  for (size_t i = genalloc_len(uint64_t, &x->views) ; i-- ; ) if (seen[i] == view) return 0 ;
  return !!view ;
}

 /*
   A table without a mount is no view: its root is below a lazy unmount, and called "/" as well, or it has ended. The
   next one of that namespace may see more. The text stays if something points into it.
 */

static int look_at_table (struct search *x, pid_t pid, uint64_t view)
{
  stralloc text = STRALLOC_ZERO ;
  genalloc mounts = GENALLOC_ZERO ;
  char name[S4_PROCNAME] ;
  size_t const before = genalloc_len(s4_mount, &x->found) ;
  int ok = 1 ;
  if (!s4_proc_read(s4_proc_name(name, pid, "/mountinfo"), &text)) note_error(x) ;
  else
    ok = s4_mountinfo_parse(&text, &mounts)
     && s4_mounts_pick_elsewhere(&x->own, genalloc_s(s4_mount, &mounts), genalloc_len(s4_mount, &mounts), pid,
      &x->found)
     && (!genalloc_len(s4_mount, &mounts) || genalloc_append(uint64_t, &x->views, &view))
     && add_devices(&x->others, genalloc_s(s4_mount, &mounts), genalloc_len(s4_mount, &mounts)) ;
  genalloc_free(s4_mount, &mounts) ;
  if (genalloc_len(s4_mount, &x->found) == before) stralloc_free(&text) ;
  return ok ;
}

static int look_at_process (pid_t pid, void *data)
{
  struct search *x = data ;
  uint64_t const view = view_of(x, pid) ;
  if (!is_new(x, view)) return 1 ;
  if (s4_now() >= x->limit) return (errno = ETIMEDOUT, 0) ;
  return look_at_table(x, pid, view) ;
}

int s4_mounts_append (s4_mounts *ms, s4_mount const *m, unsigned int n)
{
  s4_mount *all = ms->m ;
  if (!n) return 1 ;
  all = realloc(ms->m, (ms->n + n) * sizeof(s4_mount)) ;
  if (!all) return 0 ;
  ms->m = all ;
  memcpy(all + ms->n, m, n * sizeof(s4_mount)) ;
  ms->n += n ;
  return 1 ;
}

static int look_everywhere (struct search *x, s4_mounts const *ms)
{
  uint64_t const view = view_of(x, getpid()) ;
  if (!s4_mounts_devices(ms, &x->own)) return 0 ;
  if (view && ms->n) genalloc_append(uint64_t, &x->views, &view) ;
  errno = 0 ;
  return s4_processes(&look_at_process, x) == 1 ;
}

 /* Whoever sees less than all of it must be able to use that: our own table, at least, is there. */

int s4_mounts_load_all (s4_mounts *ms)
{
  struct search x = { .own = GENALLOC_ZERO, .others = GENALLOC_ZERO, .views = GENALLOC_ZERO, .found = GENALLOC_ZERO,
    .limit = s4_limit(TIMEOUT) } ;
  if (!s4_mounts_load(ms)) return 0 ;
  if (s4.container) return 1 ;
  if (!look_everywhere(&x, ms)) x.err = errno ? errno : EIO ;
  ms->devices.len = 0 ;
  if (!genalloc_catb(uint64_t, &ms->devices, genalloc_s(uint64_t, &x.own), genalloc_len(uint64_t, &x.own))
   || !genalloc_catb(uint64_t, &ms->devices, genalloc_s(uint64_t, &x.others), genalloc_len(uint64_t, &x.others))
   || !s4_mounts_append(ms, genalloc_s(s4_mount, &x.found), (unsigned int)genalloc_len(s4_mount, &x.found)))
    x.err = ENOMEM ;
  sort_devices(&ms->devices) ;
  ms->unseen = x.err ;
  genalloc_free(uint64_t, &x.own) ;
  genalloc_free(uint64_t, &x.others) ;
  genalloc_free(uint64_t, &x.views) ;
  genalloc_free(s4_mount, &x.found) ;
  return 1 ;
}

void s4_mounts_warn_unseen (int err)
{
  static char const what[] = "unable to see all that other mount namespaces have" ;
  if (err == ETIMEDOUT) s4_warn(what, ": the time was up") ;
  else s4_warnerr(err, what) ;
}

int s4_storage_take (s4_storage *st, s4_mounts *ms)
{
  int ok = (ms->n || (errno = ENODATA, 0)) && s4_storage_find(st, ms) ;
  int e = errno ;
  if (!ok) s4_mounts_free(ms) ;
  return (errno = e, ok) ;
}

int s4_storage_load_all (s4_storage *st, s4_mounts *ms)
{
  return s4_mounts_load_all(ms) && s4_storage_take(st, ms) ;
}
