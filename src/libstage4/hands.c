/* ISC license. */

/*
  What a process has in its hands: open files, directories, its program, mapped files; those of each thread, as each
  may have its own, and the first one may have ended.
*/

#include <skalibs/nonposix.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include <linux/kcmp.h>

#include <skalibs/stralloc.h>
#include <skalibs/types.h>

#include "stage4.h"

 /* The kernel says EACCES also of one that has just ended. */

int s4_hands_denied (pid_t pid)
{
  int const e = errno ;
  s4_process p ;
  int const r = (e == EACCES || e == EPERM) && s4_process_read(pid, &p) && !p.dead ;
  return (errno = e, r) ;
}

struct look
{
  s4_hands const *h ;
  pid_t pid ;
  pid_t files_of, dirs_of ;   /* the last thread whose files, whose directories were looked at */
  int memory_seen ;           /* the program and the mappings, which all threads share */
  int err ;
} ;

struct fds { s4_hands const *h ; pid_t tid ; } ;

static int look_at_file (char const *fd, void *data)
{
  struct fds const *x = data ;
  if (strlen(fd) <= S4_FDNAME_MAX) x->h->file(x->tid, fd, x->h->data) ;
  return 1 ;
}

static void look_at_files (struct look *x, pid_t tid)
{
  struct fds fds = { .h = x->h, .tid = tid } ;
  char name[S4_PROCNAME] ;
  if (!x->h->file) return ;
  if (s4_dir_each(openat(s4_proc(), s4_proc_name(name, tid, "/fdinfo"), O_RDONLY | O_DIRECTORY | O_CLOEXEC),
    &look_at_file, &fds) == -1 && s4_hands_denied(tid)) x->err = errno ;
}

 /* Nearly all threads share all, and a process may have thousands of both: each table is looked at once. */

static void look_at_thread (struct look *x, pid_t tid)
{
  if (!x->files_of || !s4_have_the_same(x->files_of, tid, KCMP_FILES))
  {
    x->files_of = tid ;
    look_at_files(x, tid) ;
  }
  if (!x->dirs_of || !s4_have_the_same(x->dirs_of, tid, KCMP_FS))
  {
    x->dirs_of = tid ;
    x->h->link(tid, S4_HOLDS_CWD, x->h->data) ;
    x->h->link(tid, S4_HOLDS_ROOT, x->h->data) ;
  }
   /* a thread that has ended has no memory */
  if (x->memory_seen || !x->h->link(tid, S4_HOLDS_EXE, x->h->data)) return ;
  x->memory_seen = 1 ;
  if (x->h->maps) x->h->maps(tid, x->h->data) ;
}

 /* By its own name in /proc, which no listing shows. */

static int look_at_other_thread (char const *name, void *data)
{
  struct look *x = data ;
  unsigned int tid ;
  if (uint0_scan(name, &tid) && (pid_t)tid != x->pid) look_at_thread(x, (pid_t)tid) ;
  return 1 ;
}

int s4_hands_look (s4_process const *p, s4_hands const *h)
{
  struct look x = { .h = h, .pid = p->pid } ;
  char name[S4_PROCNAME] ;
  look_at_thread(&x, p->pid) ;
  if (p->threads > 1)
    s4_dir_each(openat(s4_proc(), s4_proc_name(name, p->pid, "/task"), O_RDONLY | O_DIRECTORY | O_CLOEXEC),
      &look_at_other_thread, &x) ;
  return !x.err || (errno = x.err, 0) ;
}

char const *s4_hold_link (enum s4_hold_e how)
{
  return how == S4_HOLDS_CWD ? "/cwd" : how == S4_HOLDS_ROOT ? "/root" : "/exe" ;
}

char const *s4_hold_name (enum s4_hold_e how)
{
  switch (how)
  {
    case S4_HOLDS_FILE : return "open file" ;
    case S4_HOLDS_CWD : return "working directory" ;
    case S4_HOLDS_ROOT : return "root" ;
    case S4_HOLDS_EXE : return "program" ;
    case S4_HOLDS_MAP : return "mapped file" ;
  }
  return "" ;
}

 /* A mapping outlives its file descriptor and shows only the device: "from-to perms offset MAJOR:MINOR inode path". */

static void look_at_map (char *line, s4_map_func *f, void *data)
{
  unsigned int major, minor ;
  char *dev = line ;
  char *path ;
  size_t len ;
  for (unsigned int i = 0 ; dev && i < 3 ; i++) if ((dev = strchr(dev, ' '))) dev++ ;
  if (!dev || !(len = uint_xscan(dev, &major)) || dev[len] != ':' || !uint_xscan(dev + len + 1, &minor)
   || !(major | minor)) return ;
  path = strchr(dev, ' ') ;
  path = path ? strchr(path + 1, ' ') : 0 ;
  f((uint64_t)major << 32 | minor, path ? path + strspn(path, " ") : "", data) ;
}

void s4_maps_each (pid_t tid, s4_map_func *f, void *data)
{
  static stralloc sa = STRALLOC_ZERO ;
  char name[S4_PROCNAME] ;
  char *line ;
  size_t pos = 0 ;
  if (!s4_proc_read(s4_proc_name(name, tid, "/maps"), &sa)) return ;
  while ((line = s4_next_line(&sa, &pos))) look_at_map(line, f, data) ;
}
