/* ISC license. */

/*
  Frozen cgroups (cgroups(7), freezer): a process in one acts on no signal; of cgroup 1 it doesn't even die of SIGKILL.
  So before the grace time is over for nothing, those that victims are in are thawed.
*/

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include <skalibs/stralloc.h>
#include <skalibs/types.h>

#include "stage4.h"

static s4_victims const *victims ;   /* a cgroup is all that s4_cgroup_func is told */

static int is_victim (pid_t pid)
{
  s4_victim const *v = s4_victims_list(victims) ;
  for (size_t n = s4_victims_count(victims) ; n-- ; ) if (v[n].p.pid == pid) return 1 ;
  return 0 ;
}

 /* Who can't be seen, as where there are only threads, may be one. */

static int has_victim (char const *dir)
{
  stralloc text = STRALLOC_ZERO ;
  int r = !s4_cgroup_read(dir, "/cgroup.procs", &text) ;
  unsigned int pid ;
  if (!r) for (char const *s = text.s ; !r && uint_scan(s, &pid) ; s += strcspn(s, "\n"), s += *s == '\n')
    r = is_victim((pid_t)pid) ;
  stralloc_free(&text) ;
  return r ;
}

 /* A frozen cgroup freezes those below it. */

static int is_free_of_victims (char const *dir) ;

static int is_free_below (char const *name, void *dir)
{
  stralloc path = STRALLOC_ZERO ;
  struct stat st ;
  int r = s4_cat(&path, dir, "/", name) && (stat(path.s, &st) || !S_ISDIR(st.st_mode) || is_free_of_victims(path.s)) ;
  stralloc_free(&path) ;
  return r ;
}

static int is_free_of_victims (char const *dir)
{
  return !has_victim(dir)
   && s4_dir_each(open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), &is_free_below, (void *)(uintptr_t)dir) == 1 ;
}

 /* The two versions have different files for it. */

static struct { char const *file, *frozen, *thaw ; } const freezers[] =
  { { "/cgroup.freeze", "1", "0" }, { "/freezer.state", "FR", "THAWED" } } ;

static int thaw (char const *dir)
{
  static stralloc text = STRALLOC_ZERO ;
  int thawed = 0 ;
  for (unsigned int k = 0 ; k < sizeof freezers / sizeof *freezers ; k++)
    if (s4_cgroup_read(dir, freezers[k].file, &text)
     && !strncmp(text.s, freezers[k].frozen, strlen(freezers[k].frozen)) && !is_free_of_victims(dir))
      thawed |= s4_cgroup_write(dir, freezers[k].file, freezers[k].thaw) ;
  return thawed ;
}

void s4_thaw_cgroups (s4_victims const *whose)
{
  if (s4.container) return ;   /* what it sees of them may be the host's */
  victims = whose ;
  s4_cgroups_change(&thaw, "thawed", "gave up looking for frozen cgroups") ;
}
