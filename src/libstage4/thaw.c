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

 /* Who can't be seen, as where there are only threads, may be one. */

static int has_victim (s4_victims const *victims, char const *dir)
{
  stralloc text = STRALLOC_ZERO ;
  int r = !s4_cgroup_read(dir, "/cgroup.procs", &text) ;
  unsigned int pid ;
  if (!r) for (char const *s = text.s ; !r && uint_scan(s, &pid) ; s += strcspn(s, "\n"), s += *s == '\n')
    r = s4_victims_have(victims, (pid_t)pid) ;
  stralloc_free(&text) ;
  return r ;
}

 /* A frozen cgroup freezes those below it. */

struct place
{
  s4_victims const *victims ;
  char const *dir ;
} ;

static int is_free_of_victims (struct place const *) ;

static int is_free_below (char const *name, void *data)
{
  struct place const *above = data ;
  stralloc path = STRALLOC_ZERO ;
  struct stat st ;
  int r = s4_cat(&path, above->dir, "/", name) && (stat(path.s, &st) || !S_ISDIR(st.st_mode)
   || is_free_of_victims(&(struct place){ .victims = above->victims, .dir = path.s })) ;
  stralloc_free(&path) ;
  return r ;
}

static int is_free_of_victims (struct place const *p)
{
  return !has_victim(p->victims, p->dir)
   && s4_dir_each(open(p->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), &is_free_below, (void *)p) == 1 ;
}

 /* The two versions have different files for it. */

static struct { char const *file, *frozen, *thaw ; } const freezers[] =
  { { "/cgroup.freeze", "1", "0" }, { "/freezer.state", "FR", "THAWED" } } ;

static int thaw (char const *dir, void *data)
{
  struct place const p = { .victims = data, .dir = dir } ;
  static stralloc text = STRALLOC_ZERO ;
  int thawed = 0 ;
  for (unsigned int k = 0 ; k < sizeof freezers / sizeof *freezers ; k++)
    if (s4_cgroup_read(dir, freezers[k].file, &text)
     && !strncmp(text.s, freezers[k].frozen, strlen(freezers[k].frozen)) && !is_free_of_victims(&p))
      thawed |= s4_cgroup_write(dir, freezers[k].file, freezers[k].thaw) ;
  return thawed ;
}

void s4_thaw_cgroups (s4_victims const *victims)
{
  if (s4.container) return ;   /* what it sees of them may be the host's */
  s4_cgroups_change(&thaw, (void *)victims, "thawed", "gave up looking for frozen cgroups") ;
}
