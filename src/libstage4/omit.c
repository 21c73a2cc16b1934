/* ISC license. */

/* Who is spared because of his pid: ancestors, and those whose pids are in files (sendsigs.omit.d). */

#include <skalibs/nonposix.h>

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <skalibs/djbunix.h>
#include <skalibs/genalloc.h>
#include <skalibs/stralloc.h>
#include <skalibs/types.h>

#include "stage4.h"

#define LIST_TIMEOUT 1000

 /* Those up to the one that walks the chain are needed in any case: it would end with this step. */

int s4_omit_ancestors (genalloc *pids, int only_needed)
{
  s4_process p = { .ppid = getppid() } ;
  size_t needed = genalloc_len(pid_t, pids) ;
  while (p.ppid > 1)
  {
    pid_t const pid = p.ppid ;
    if (!genalloc_append(pid_t, pids, &pid)) return 0 ;
    if (pid == s4.pid) needed = genalloc_len(pid_t, pids) ;
    if (!s4_process_read(pid, &p))
    {
      if (errno != ESRCH) return 0 ;
      break ;
    }
  }
  if (only_needed) genalloc_setlen(pid_t, pids, needed) ;
  return 1 ;
}

 /* --- files with pids, read in a child --- */

struct pidfiles
{
  char const *dirname ;
  int dir ;
  int out ;
  int err ;
} ;

static int read_pidfile (char const *name, void *data)
{
  struct pidfiles *p = data ;
  stralloc sa = STRALLOC_ZERO ;
  unsigned int pid ;
  int fd = openat(p->dir, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC) ;
  int ok = fd != -1 && slurp(&sa, fd) && stralloc_0(&sa) ;
  if (!ok && errno != EISDIR) s4_warnsys("unable to read ", p->dirname, "/", name) ;
  else if (ok && uint_scan(sa.s, &pid) && pid) p->err = s4_answer(p->out, &(pid_t){ (pid_t)pid }, sizeof(pid_t)) ;
  if (fd != -1) fd_close(fd) ;
  stralloc_free(&sa) ;
  return !p->err ;
}

static int read_pidfiles (int out, void *data)
{
  struct pidfiles p = { .dirname = data, .dir = open(data, O_RDONLY | O_DIRECTORY | O_CLOEXEC), .out = out } ;
  if (p.dir == -1) return errno == ENOENT ? 0 : errno ;
  return s4_dir_each(dup(p.dir), &read_pidfile, &p) == -1 ? errno : p.err ;
}

int s4_omit_pidfiles (genalloc *pids, char const *dir)
{
  genalloc found = GENALLOC_ZERO ;
  int r ;
  if (!s4_ask(&read_pidfiles, (void *)dir, LIST_TIMEOUT, &found)) s4_warnsys("unable to read ", dir) ;
  r = genalloc_cat(pid_t, pids, &found) ;
  genalloc_free(pid_t, &found) ;
  return r ;
}
