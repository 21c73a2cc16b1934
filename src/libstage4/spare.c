/* ISC license. */

/*
  Who is spared by what he is: root's processes that call themselves '@...' (storage daemons that the root
  file system needs; the convention is systemd's), and members of cgroups that are marked for survival.
  A command line lies in the memory of its process, which may be on a dead disk: so it is read in a child.
*/

#include <skalibs/nonposix.h>

#include <errno.h>
#include <string.h>
#include <sys/vfs.h>
#include <sys/xattr.h>

#include <linux/magic.h>

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

 /* That /proc/PID belongs to root is not enough: so it does for every process that can't be dumped. */

static int is_storage_daemon (pid_t pid, stralloc *sa)
{
  return proc_file(pid, "/cmdline", sa) && sa->len && sa->s[0] == '@'
   && proc_file(pid, "/status", sa) && strstr(sa->s, "\nUid:\t0\t") ;
}

static char const *cgroup_root (void)
{
  static char const *const places[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" } ;
  struct statfs sf ;
  for (unsigned int i = 0 ; i < sizeof places / sizeof *places ; i++)
    if (!statfs(places[i], &sf) && sf.f_type == CGROUP2_SUPER_MAGIC) return places[i] ;
  return 0 ;
}

 /* The mark of its cgroup, or of one above. */

static int is_in_survivor_cgroup (char const *root, pid_t pid, stralloc *sa)
{
  stralloc dir = STRALLOC_ZERO ;
  char const *path ;
  char value[8] ;
  int marked = 0 ;
  if (!root || !proc_file(pid, "/cgroup", sa)) return 0 ;
  path = !strncmp(sa->s, "0::/", 4) ? sa->s : strstr(sa->s, "\n0::/") ;
  if (!path) return 0 ;
  path += *path == '\n' ? 4 : 3 ;
  if (!stralloc_cats(&dir, root) || !stralloc_catb(&dir, path, strcspn(path, "\n")) || !stralloc_0(&dir)) return 0 ;
  while (!marked && strlen(dir.s) > strlen(root))
  {
    marked = getxattr(dir.s, "user.survive_final_kill_signal", value, sizeof value) == 1 && value[0] == '1' ;
    *strrchr(dir.s, '/') = 0 ;
  }
  stralloc_free(&dir) ;
  return marked ;
}

struct look
{
  s4_victim *v ;
  char const *cgroups ;   /* where cgroup 2 is mounted, or 0 */
} ;

static int look (unsigned int i, void *data)
{
  struct look const *l = data ;
  static stralloc sa = STRALLOC_ZERO ;
  pid_t pid = l->v[i].p.pid ;
  if (!l->v[i].p.uid && is_storage_daemon(pid, &sa)) return S4_SPARED_STORAGE ;
  return is_in_survivor_cgroup(l->cgroups, pid, &sa) ? S4_SPARED_CGROUP : S4_NOT_SPARED ;
}

 /* One that can't be looked at is stuck itself, and is not spared. */

void s4_victims_look (genalloc *victims)
{
  struct look l = { .v = genalloc_s(s4_victim, victims), .cgroups = cgroup_root() } ;
  unsigned int n = (unsigned int)genalloc_len(s4_victim, victims) ;
  s4_job const job = { .n = n, .timeout = LOOK_TIMEOUT, .run = &look, .data = &l } ;
  s4_task const *t = n ? s4_work(&job) : 0 ;
  if (n && !t) s4_warnsys("unable to look at command lines, storage daemons may be killed") ;
  for (unsigned int i = 0 ; t && i < n ; i++)
    if (t[i].state == S4_FINISHED && (t[i].err == S4_SPARED_STORAGE || t[i].err == S4_SPARED_CGROUP))
      l.v[i].spared = (char)t[i].err ;
}
