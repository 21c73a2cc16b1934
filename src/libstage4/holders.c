/* ISC license. */

/*
  Who keeps mounts busy: open files, working directories, roots, programs, mapped files. In a child: a look at
  a dead file system may block.
*/

#include <skalibs/nonposix.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <skalibs/djbunix.h>
#include <skalibs/genalloc.h>
#include <skalibs/types.h>

#include "stage4.h"

#define NAMED_MAX 6   /* holders of one mount that a report names */

struct search
{
  int out ;
  s4_mounts const *ms ;
  unsigned int const *which ;
  unsigned int n ;
  s4_process p ;
  unsigned char *seen ;   /* this process, for each of which */
} ;

static void found (struct search *s, unsigned int k, char how)
{
  s4_holder h = { .mount = s->which[k], .pid = s->p.pid, .how = how } ;
  if (s->seen[k]) return ;
  s->seen[k] = 1 ;
  memcpy(h.comm, s->p.comm, sizeof h.comm) ;
  s4_answer(s->out, &h, sizeof h) ;
}

static void found_mount (struct search *s, int id, char how)
{
  for (unsigned int k = 0 ; id > 0 && k < s->n ; k++)
    if (s->ms->m[s->which[k]].id == (unsigned int)id) found(s, k, how) ;
}

 /* Opening such a link with O_PATH asks nothing of the file system that it leads to. */

static void look_at_link (struct search *s, char const *link, char how)
{
  char name[S4_PROCNAME] ;
  int fd = openat(s4_proc(), s4_proc_name(name, s->p.pid, link), O_PATH | O_CLOEXEC) ;
  if (fd == -1) return ;
  found_mount(s, s4_mount_id(fd), how) ;
  fd_close(fd) ;
}

static void look_at_files (struct search *s)
{
  static stralloc sa = STRALLOC_ZERO ;
  char name[S4_PROCNAME + 32] ;
  int fd = openat(s4_proc(), s4_proc_name(name, s->p.pid, "/fdinfo"), O_RDONLY | O_DIRECTORY | O_CLOEXEC) ;
  DIR *dir = fd == -1 ? 0 : fdopendir(fd) ;
  size_t len = strlen(name) ;
  struct dirent *d ;
  unsigned int id ;
  if (!dir) return ;
  while ((d = readdir(dir)))
  {
    char const *line ;
    if (d->d_name[0] == '.' || strlen(d->d_name) > 16) continue ;
    name[len] = '/' ;
    strcpy(name + len + 1, d->d_name) ;
    line = s4_proc_read(name, &sa) ? strstr(sa.s, "mnt_id:") : 0 ;
    if (line && uint_scan(line + 7 + strspn(line + 7, " \t"), &id)) found_mount(s, (int)id, 'f') ;
  }
  closedir(dir) ;
}

 /* A mapping outlives its file descriptor and shows only the device: "start-end perms offset MAJOR:MINOR inode". */

static void look_at_maps (struct search *s)
{
  static stralloc sa = STRALLOC_ZERO ;
  char name[S4_PROCNAME] ;
  char const *line ;
  if (!s4_proc_read(s4_proc_name(name, s->p.pid, "/maps"), &sa)) return ;
  for (line = sa.s ; line && *line ; line = strchr(line, '\n'), line = line ? line + 1 : 0)
  {
    unsigned int major, minor ;
    char const *dev = line ;
    size_t len ;
    for (unsigned int i = 0 ; dev && i < 3 ; i++) if ((dev = strchr(dev, ' '))) dev++ ;
    if (!dev || !(len = uint_xscan(dev, &major)) || dev[len] != ':' || !uint_xscan(dev + len + 1, &minor)
     || !(major | minor)) continue ;
    for (unsigned int k = 0 ; k < s->n ; k++)
      if (s->ms->m[s->which[k]].major == major && s->ms->m[s->which[k]].minor == minor) found(s, k, 'm') ;
  }
}

static int look_at_process (pid_t pid, void *data)
{
  struct search *s = data ;
  if (pid == getpid() || !s4_process_read(pid, &s->p) || s->p.kthread) return 1 ;
  memset(s->seen, 0, s->n) ;
  look_at_files(s) ;
  look_at_link(s, "/cwd", 'c') ;
  look_at_link(s, "/root", 'r') ;
  look_at_link(s, "/exe", 'e') ;
  look_at_maps(s) ;
  return 1 ;
}

static int search_all (int fd, void *data)
{
  struct search *s = data ;
  s->out = fd ;
  return s4_processes(&look_at_process, s) == 1 ? 0 : errno ;
}

void s4_holders_find (s4_mounts const *ms, unsigned int const *which, unsigned int n, s4_ms timeout, genalloc *holders)
{
  unsigned char seen[n + 1] ;
  struct search s = { .ms = ms, .which = which, .n = n, .seen = seen } ;
  s4_ask(&search_all, &s, timeout, holders) ;   /* what was found until a time-out is still worth naming */
  genalloc_setlen(s4_holder, holders, genalloc_len(s4_holder, holders)) ;
}

static char const *how_name (char how)
{
  return how == 'f' ? " (open file)" : how == 'c' ? " (working directory)" : how == 'r' ? " (root)"
   : how == 'e' ? " (program)" : " (mapped file)" ;
}

int s4_holders_name (stralloc *sa, genalloc const *holders, unsigned int mount)
{
  s4_holder const *h = genalloc_s(s4_holder, holders) ;
  unsigned int n = 0 ;
  sa->len = 0 ;
  for (size_t i = 0 ; i < genalloc_len(s4_holder, holders) ; i++)
  {
    if (h[i].mount != mount || ++n > NAMED_MAX) continue ;
    if ((sa->len && !stralloc_cats(sa, ", ")) || !stralloc_cats(sa, S4_NUM(h[i].pid)) || !stralloc_cats(sa, " ")
     || !stralloc_cats(sa, h[i].comm) || !stralloc_cats(sa, how_name(h[i].how))) return -1 ;
  }
  if (n > NAMED_MAX && (!stralloc_cats(sa, " and ") || !stralloc_cats(sa, S4_NUM(n - NAMED_MAX))
   || !stralloc_cats(sa, " more"))) return -1 ;
  return stralloc_0(sa) ? (int)n : -1 ;
}
