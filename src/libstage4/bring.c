/* ISC license. */

/* In the new root: what comes along from the old one. */

#include <skalibs/nonposix.h>

#include <errno.h>
#include <string.h>
#include <sys/mount.h>

#include "stage4.h"

#define MOVE_TIMEOUT 2000   /* a name that leads through a dead file system */

static struct { char const *path, *type ; } const fresh[] =
  { { "/dev", "devtmpfs" }, { "/proc", "proc" }, { "/sys", "sysfs" }, { "/run", "tmpfs" } } ;

static char const *fresh_type (char const *path)
{
  for (unsigned int k = 0 ; k < sizeof fresh / sizeof *fresh ; k++)
    if (!strcmp(path, fresh[k].path)) return fresh[k].type ;
  return 0 ;
}

static void mount_fresh (char const *path, char const *type)
{
  unsigned long flags = MS_NOSUID | (strcmp(type, "devtmpfs") ? MS_NODEV : 0) ;
  if (mount(type, path, type, flags, 0) == -1) s4_warnsys("unable to mount a fresh ", path) ;
  else s4_verbose("mounted a fresh ", path) ;
}

static int move_along (s4_mounts const *ms, int i, char const *path)
{
  int parent = s4_mounts_parent(ms, i) ;
  if (parent >= 0 && ms->m[parent].shared && mount(0, ms->m[parent].dir, 0, MS_PRIVATE, 0) == -1)
    s4_warnsys("unable to make private ", ms->m[parent].dir) ;
  if (!mount(ms->m[i].dir, path, 0, MS_MOVE, 0))
  {
    s4_verbose("moved ", ms->m[i].dir, " to ", path) ;
    return 1 ;
  }
  s4_warnsys("unable to move ", ms->m[i].dir, " to ", path) ;
  return 0 ;
}

struct bring
{
  genalloc const *kept ;
  char const *const *paths ;
} ;

static int run_bring (unsigned int k, void *data)
{
  struct bring const *b = data ;
  char const *path = b->paths[k] ;
  char const *type = fresh_type(path) ;
  unsigned int id = s4_kept_mount_at(b->kept, k) ;
  s4_mounts ms = S4_MOUNTS_ZERO ;
  int i ;
  if (!s4_make_path(path)) s4_warnsys("unable to make the directory ", path) ;
  i = id && s4_mounts_load(&ms) ? s4_mounts_find(&ms, id) : -1 ;
  if (i >= 0 && move_along(&ms, i, path)) return 0 ;
  if (type) mount_fresh(path, type) ;
  else if (i == -1) s4_warn("nothing is mounted on ", path, ", not moved") ;
  return 0 ;
}

 /* In their order: one may lie on another. */

static int is_turn_of (unsigned int k, s4_task const *tasks, void *data)
{
  (void)data ;
  return !k || tasks[k-1].state < 0 ;
}

void s4_bring (genalloc const *kept, char const *const *paths, unsigned int n)
{
  struct bring b = { .kept = kept, .paths = paths } ;
  s4_job const job = { .n = n, .timeout = MOVE_TIMEOUT, .run = &run_bring, .ready = &is_turn_of, .data = &b } ;
  s4_task const *t = s4_work(&job) ;
  if (!t) s4_warnsys("unable to start a worker that brings /dev, /proc, /sys and /run") ;
  for (unsigned int k = 0 ; t && k < n ; k++)
    if (t[k].state != S4_TASK_ENDED) s4_warn("gave up moving ", paths[k], " after ", S4_MS(t[k].ended - t[k].began)) ;
}
