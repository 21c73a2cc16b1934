/* ISC license. */

/*
  Frozen cgroups (cgroups(7), freezer): a process in one acts on no signal; of cgroup 1 it doesn't even die of SIGKILL.
  So before the grace time is over for nothing, everything is thawed.
*/

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <skalibs/djbunix.h>
#include <skalibs/stralloc.h>

#include "stage4.h"

#define CGROUPS "/sys/fs/cgroup"
#define DEPTH_MAX 64   /* cgroup.max.depth has no limit by itself */
#define THAW_TIMEOUT 1000

struct place
{
  int out ;
  stralloc dir ;         /* the cgroup that is looked at */
  unsigned int depth ;
} ;

 /* The two versions have different files for it. */

static struct { char const *file, *frozen, *thaw ; } const freezers[] =
  { { "/cgroup.freeze", "1", "0" }, { "/freezer.state", "FR", "THAWED" } } ;

static void thaw_one (struct place *p)
{
  size_t const len = p->dir.len ;
  stralloc text = STRALLOC_ZERO ;
  for (unsigned int k = 0 ; k < sizeof freezers / sizeof *freezers ; k++)
  {
    text.len = 0 ;
    if (s4_cat(&p->dir, freezers[k].file) && openslurpclose(&text, p->dir.s) && stralloc_0(&text)
     && !strncmp(text.s, freezers[k].frozen, strlen(freezers[k].frozen))
     && openwritenclose_unsafe(p->dir.s, freezers[k].thaw, strlen(freezers[k].thaw)))
    {
      s4_answer(p->out, " ", 1) ;
      s4_answer(p->out, p->dir.s, len) ;
    }
    p->dir.len = len ;
    p->dir.s[len] = 0 ;
  }
  stralloc_free(&text) ;
}

static int thaw_below (char const *name, void *data)
{
  struct place *p = data ;
  size_t const len = p->dir.len ;
  int fd = -1 ;
  if (p->depth < DEPTH_MAX && s4_cat(&p->dir, "/", name)) fd = open(p->dir.s, O_RDONLY | O_DIRECTORY | O_CLOEXEC) ;
  if (fd != -1)
  {
    thaw_one(p) ;
    p->depth++ ;
    s4_dir_each(fd, &thaw_below, p) ;
    p->depth-- ;
  }
  p->dir.len = len ;
  p->dir.s[len] = 0 ;
  return 1 ;
}

static int thaw_all (int out, void *data)
{
  struct place p = { .out = out, .dir = STRALLOC_ZERO } ;
  (void)data ;
  if (!s4_cat(&p.dir, CGROUPS)) return errno ;
  return s4_dir_each(open(CGROUPS, O_RDONLY | O_DIRECTORY | O_CLOEXEC), &thaw_below, &p) == -1 ? errno : 0 ;
}

void s4_thaw_cgroups (void)
{
  stralloc thawed = STRALLOC_ZERO ;
  if (!s4_ask(&thaw_all, 0, THAW_TIMEOUT, &thawed) && errno == ETIMEDOUT)
    s4_warn("gave up looking for frozen cgroups") ;
  if (thawed.len && stralloc_0(&thawed)) s4_info("thawed", thawed.s) ;
  stralloc_free(&thawed) ;
}
