/* ISC license. */

/* In the new root: what comes along from the old one, and what must not keep it busy. */

#include <skalibs/nonposix.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include <skalibs/djbunix.h>
#include <skalibs/types.h>

#include "stage4.h"

#define MOVE_TIMEOUT 2000   /* a name that leads through a dead file system */

static struct { char const *path, *type ; } const fresh[] =
  { { "/dev", "devtmpfs" }, { "/proc", "proc" }, { "/sys", "sysfs" }, { "/run", "tmpfs" } } ;

static void mount_fresh (char const *path)
{
  for (unsigned int k = 0 ; k < sizeof fresh / sizeof *fresh ; k++)
    if (!strcmp(path, fresh[k].path))
    {
      unsigned long flags = MS_NOSUID | (k ? MS_NODEV : 0) ;
      if (mount(fresh[k].type, path, fresh[k].type, flags, 0) == -1) s4_warnsys("unable to mount a fresh ", path) ;
      else s4_verbose("mounted a fresh ", path) ;
      return ;
    }
  s4_warn("nothing is mounted on ", path, ", not moved") ;
}

static void move_along (s4_mounts const *ms, int i, char const *path)
{
  int parent = s4_mounts_parent(ms, i) ;
  if (parent >= 0 && ms->m[parent].shared && mount(0, ms->m[parent].dir, 0, MS_PRIVATE, 0) == -1)
    s4_warnsys("unable to make private ", ms->m[parent].dir) ;
  if (!mount(ms->m[i].dir, path, 0, MS_MOVE, 0))
  {
    s4_verbose("moved ", ms->m[i].dir, " to ", path) ;
    return ;
  }
  s4_warnsys("unable to move ", ms->m[i].dir, " to ", path) ;
  mount_fresh(path) ;
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
  unsigned int id = s4_kept_mount_at(b->kept, k) ;
  s4_mounts ms = S4_MOUNTS_ZERO ;
  int i ;
  if (!s4_make_path(path)) s4_warnsys("unable to make the directory ", path) ;
  i = id && s4_mounts_load(&ms) ? s4_mounts_find(&ms, id) : -1 ;
  if (i >= 0) move_along(&ms, i, path) ;
  else mount_fresh(path) ;
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

 /* Not closed while it is the file, if there is anything to put in its place: that may hang. */

static void let_go (int fd)
{
  int const output = fd == 1 || fd == 2 ;
  int new = output ? open("/dev/console", O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC) : -1 ;
  if (new >= 0) ndelay_off(new) ;
  else new = open("/dev/null", (output ? O_WRONLY : O_RDONLY) | O_CLOEXEC) ;
  if (new >= 0)
  {
    s4_replace_fd(new, fd) ;
    close(new) ;
  }
  if (new == -1 || fd > 2) close(fd) ;
}

void s4_release_fds (char const *old)
{
  s4_mounts ms = S4_MOUNTS_ZERO ;
  int listing = openat(s4_proc(), "self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC) ;
  DIR *dir = listing == -1 ? 0 : fdopendir(listing) ;
  struct dirent *d ;
  if (!dir || !s4_mounts_load(&ms))
  {
    s4_warnsys("unable to look for file descriptors that point into the old root") ;
    if (dir) closedir(dir) ;
    return ;
  }
  while ((d = readdir(dir)))
  {
    unsigned int fd ;
    int id, i ;
    if (!uint0_scan(d->d_name, &fd) || (int)fd == listing || (int)fd == s4_proc()) continue ;
    id = s4_mount_id((int)fd) ;
    i = id > 0 ? s4_mounts_find(&ms, (unsigned int)id) : -1 ;
    if (i == -1 || !s4_lies_below(ms.m[i].dir, old)) continue ;
    let_go((int)fd) ;
    s4_verbose("let go of fd ", S4_NUM(fd)) ;
  }
  closedir(dir) ;
}
