/* ISC license. */

/*
  Who is spared by what he is: root's processes that call themselves '@...' (storage daemons that the root
  file system needs; the convention is systemd's), and members of cgroups that are marked for survival.
  With the init of a pid namespace the kernel ends all that are in it: so the inits of these are spared, too, and
  of those who were not wanted.
  A command line lies in the memory of its process, which may be on a dead disk: so it is read in a child.
*/

#include <skalibs/nonposix.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <linux/magic.h>
#include <linux/nsfs.h>

#include <skalibs/allreadwrite.h>
#include <skalibs/djbunix.h>
#include <skalibs/genalloc.h>
#include <skalibs/stralloc.h>
#include <skalibs/types.h>

#include "stage4.h"

#define LOOK_TIMEOUT 1000

static int proc_file (pid_t pid, char const *rest, stralloc *sa)
{
  char name[S4_PROCNAME] ;
  return s4_proc_read(s4_proc_name(name, pid, rest), sa) ;
}

 /* A command line may have megabytes. */

static int begins_with_mark (int dir, char const *file)
{
  char first ;
  int fd = openat(dir, file, O_RDONLY | O_CLOEXEC) ;
  int r = fd != -1 && fd_read(fd, &first, 1) == 1 && first == '@' ;
  if (fd != -1) fd_close(fd) ;
  return r ;
}

static int is_unmarked_thread (char const *tid, void *dir)
{
  char name[S4_PROCNAME] = "" ;
  return !begins_with_mark(*(int *)dir, strcat(strncat(name, tid, 20), "/cmdline")) ;
}

 /* The first thread may have ended, and then has no command line any more: the others have. */

static int has_marked_thread (pid_t pid)
{
  char name[S4_PROCNAME] ;
  int dir = openat(s4_proc(), s4_proc_name(name, pid, "/task"), O_RDONLY | O_DIRECTORY | O_CLOEXEC) ;
  int r = !s4_dir_each(dup(dir), &is_unmarked_thread, &dir) ;
  if (dir != -1) fd_close(dir) ;
  return r ;
}

static int is_marked (s4_process const *p)
{
  char name[S4_PROCNAME] ;
  return begins_with_mark(s4_proc(), s4_proc_name(name, p->pid, "/cmdline"))
   || (p->state == 'Z' && has_marked_thread(p->pid)) ;
}

 /*
   That /proc/PID belongs to root is not enough: so it does for every process that can't be dumped. And where the first
   thread has ended it belongs to root outside of all user namespaces, whoever that is here.
 */

static int is_storage_daemon (s4_process const *p, stralloc *sa)
{
  return is_marked(p) && proc_file(p->pid, "/status", sa) && strstr(sa->s, "\nUid:\t0\t") ;
}

 /* Where it is mounted as a rule no other mount has to be looked at, which might hang. */

static int cgroup_root (void)
{
  static char const *const places[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" } ;
  struct statfs sf ;
  for (unsigned int i = 0 ; i < sizeof places / sizeof *places ; i++)
  {
    int fd = open(places[i], O_PATH | O_DIRECTORY | O_CLOEXEC) ;
    if (fd >= 0 && !fstatfs(fd, &sf) && sf.f_type == CGROUP2_SUPER_MAGIC) return fd ;
    if (fd >= 0) fd_close(fd) ;
  }
  return s4_cgroup_root("", 0) ;
}

static int is_survivor_cgroup (int root, char const *name)
{
  char value[8] ;
  int fd = s4_cgroup_open(root, name) ;
  int r = fd >= 0 && fgetxattr(fd, "user.survive_final_kill_signal", value, sizeof value) == 1 && value[0] == '1' ;
  if (fd >= 0) fd_close(fd) ;
  return r ;
}

 /* The mark of its cgroup, or of one above. */

static int is_in_survivor_cgroup (int root, pid_t pid, stralloc *sa)
{
  char const *controllers = 0 ;
  char *path = 0 ;
  char *line ;
  size_t pos = 0 ;
  if (root == -1 || !proc_file(pid, "/cgroup", sa)) return 0 ;
  while ((line = s4_next_line(sa, &pos)))
    if ((path = s4_cgroup_line(line, &controllers)) && !*controllers && *path == '/') break ;
  if (!line) return 0 ;
  for (; *path ; *strrchr(path, '/') = 0) if (is_survivor_cgroup(root, path)) return 1 ;
  return 0 ;
}

static int look (unsigned int i, void *data)
{
  static stralloc sa = STRALLOC_ZERO ;
  static int cgroups ;
  static int looked = 0 ;
  s4_victim const *v = (s4_victim const *)data + i ;
  if ((!v->p.uid || v->p.state == 'Z') && is_storage_daemon(&v->p, &sa)) return S4_SPARED_STORAGE ;
  if (!looked++) cgroups = cgroup_root() ;
  return is_in_survivor_cgroup(cgroups, v->p.pid, &sa) ? S4_SPARED_CGROUP : S4_NOT_SPARED ;
}

 /* --- inits of pid namespaces below ours --- */

 /* NSpid: its pids, ours first, that of its own namespace last (proc(5)). How many; 0: unknown, as before Linux 4.1 */

static unsigned int count_pids (pid_t pid, stralloc *sa, unsigned int *last)
{
  static char const key[] = "\nNSpid:" ;
  char const *s = proc_file(pid, "/status", sa) ? strstr(sa->s, key) : 0 ;
  unsigned int n = 0 ;
  size_t len ;
  for (s = s ? s + sizeof key - 1 : "" ; *s == '\t' && (len = uint_scan(s + 1, last)) ; s += 1 + len) n++ ;
  return n ;
}

 /* Its pid namespace, and those above, as far as ours; before Linux 4.9 only its own. */

static int note_namespaces (pid_t pid, genalloc *inodes)
{
  char name[S4_PROCNAME] ;
  struct stat st ;
  int fd = openat(s4_proc(), s4_proc_name(name, pid, "/ns/pid"), O_RDONLY | O_CLOEXEC) ;
  int ok = fd != -1 || errno == ENOENT || errno == ESRCH ;
  while (fd != -1)
  {
    int const above = ioctl(fd, NS_GET_PARENT) ;
    ok &= !fstat(fd, &st) && genalloc_append(ino_t, inodes, &st.st_ino) ;
    fd_close(fd) ;
    fd = above ;
  }
  return ok ;
}

static int is_in_one_of (pid_t pid, genalloc const *inodes)
{
  ino_t const *inode = genalloc_s(ino_t, inodes) ;
  char name[S4_PROCNAME] ;
  struct stat st ;
  if (fstatat(s4_proc(), s4_proc_name(name, pid, "/ns/pid"), &st, 0)) return 0 ;
  for (size_t n = genalloc_len(ino_t, inodes) ; n-- ; ) if (inode[n] == st.st_ino) return 1 ;
  return 0 ;
}

static void spare_inits (s4_victim *v, unsigned int n, genalloc const *others)
{
  genalloc inodes = GENALLOC_ZERO ;   /* ino_t: namespaces of those who are not to end */
  stralloc sa = STRALLOC_ZERO ;
  pid_t const *other = genalloc_s(pid_t, others) ;
  unsigned int last ;
  int all_known = 1 ;                 /* else each init may be one of theirs */
  for (unsigned int i = 0 ; i < n ; i++)
    if (v[i].spared && count_pids(v[i].p.pid, &sa, &last) > 1) all_known &= note_namespaces(v[i].p.pid, &inodes) ;
  for (size_t i = genalloc_len(pid_t, others) ; i-- ; )
    if (count_pids(other[i], &sa, &last) > 1) all_known &= note_namespaces(other[i], &inodes) ;
  if (inodes.len || !all_known) for (unsigned int i = 0 ; i < n ; i++)
    if (!v[i].spared && count_pids(v[i].p.pid, &sa, &last) > 1 && last == 1
     && (!all_known || is_in_one_of(v[i].p.pid, &inodes))) v[i].spared = S4_SPARED_INIT ;
  stralloc_free(&sa) ;
  genalloc_free(ino_t, &inodes) ;
}

 /* One that can't be looked at is stuck itself, and is not spared. */

void s4_victims_find_spared (s4_victims *victims)
{
  s4_victim *v = s4_victims_list(victims) ;
  unsigned int n = (unsigned int)s4_victims_count(victims) ;
  s4_job const job = { .n = n, .timeout = LOOK_TIMEOUT, .run = &look, .data = v } ;
  s4_task *t = n ? s4_work(&job) : 0 ;
   /* rather than kill a daemon */
  if (n && !t) s4_warnsys("unable to fork, looking at command lines without a limit") ;
  for (unsigned int i = 0 ; i < n ; i++)
  {
    int r = t ? t[i].err : look(i, v) ;
    if (!t || t[i].state == S4_TASK_ENDED)
      v[i].spared = r == S4_SPARED_STORAGE || r == S4_SPARED_CGROUP ? (enum s4_spared_e)r : S4_NOT_SPARED ;
  }
  free(t) ;
  spare_inits(v, n, &victims->others) ;
}
