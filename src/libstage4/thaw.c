/* ISC license. */

/*
  Frozen cgroups (cgroups(7), freezer): a process in one acts on no signal; of cgroup 1 it doesn't even die of SIGKILL.
  So before the grace time is over for nothing, those that victims are in are thawed.
*/

#include <skalibs/nonposix.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include <skalibs/stralloc.h>

#include "stage4.h"

#define TIMEOUT 1000

 /* The two versions have different files for it. */

static struct { char const *controller, *file, *frozen, *thaw ; } const freezers[] =
{
  { "", "/cgroup.freeze", "1", "0" },
  { "freezer", "/freezer.state", "FR", "THAWED" }
} ;

#define FREEZERS (sizeof freezers / sizeof *freezers)

struct thawing
{
  s4_victims const *victims ;
  int out ;
  int roots[FREEZERS] ;
  char const *process ;   /* the directory of its threads in /proc */
  stralloc last ;         /* where the thread before was */
} ;

static void thaw_one (struct thawing *t, unsigned int k, char const *name)
{
  static stralloc text = STRALLOC_ZERO ;
  if (!s4_cgroup_read(t->roots[k], name, freezers[k].file, &text)
   || strncmp(text.s, freezers[k].frozen, strlen(freezers[k].frozen))
   || !s4_cgroup_write(t->roots[k], name, freezers[k].file, freezers[k].thaw)) return ;
  s4_answer_word(t->out, name) ;
}

 /* A frozen cgroup freezes those below it, which then say that they are frozen: so the outermost one first. */

static void thaw_path (struct thawing *t, unsigned int k, char *path)
{
  for (char *s = path ; *s ; )
  {
    char c ;
    s += 1 + strcspn(s + 1, "/") ;
    c = *s ;
    *s = 0 ;
    thaw_one(t, k, path) ;
    *s = c ;
  }
}

static void thaw_line (struct thawing *t, char *line)
{
  char const *controllers ;
  char *path = s4_cgroup_line(line, &controllers) ;
  if (!path || *path != '/') return ;
  for (unsigned int k = 0 ; k < FREEZERS ; k++)
    if (s4_cgroup_has(controllers, freezers[k].controller)) thaw_path(t, k, path) ;
}

 /* A thread may be in another one than the others. */

static int thaw_thread (char const *tid, void *data)
{
  struct thawing *t = data ;
  static stralloc text = STRALLOC_ZERO ;
  stralloc file = STRALLOC_ZERO ;
  size_t pos = 0 ;
  char *line ;
  int ok = s4_cat(&file, t->process, "/", tid, "/cgroup") && s4_proc_read(file.s, &text) ;
  stralloc_free(&file) ;
  if (!ok || !text.len || (text.len == t->last.len && !memcmp(text.s, t->last.s, text.len))) return 1 ;
  if (!stralloc_copy(&t->last, &text)) return 0 ;
  while ((line = s4_next_line(&text, &pos))) thaw_line(t, line) ;
  return 1 ;
}

static int thaw_all (int out, void *data)
{
  struct thawing t = { .victims = data, .out = out, .last = STRALLOC_ZERO } ;
  s4_victim const *v = s4_victims_list(t.victims) ;
  for (unsigned int k = 0 ; k < FREEZERS ; k++) t.roots[k] = s4_cgroup_root(freezers[k].controller, 1) ;
  for (size_t i = 0 ; i < s4_victims_count(t.victims) ; i++)
  {
    char name[S4_PROCNAME] ;
    t.process = s4_proc_name(name, v[i].p.pid, "/task") ;
    s4_dir_each(openat(s4_proc(), name, O_RDONLY | O_DIRECTORY | O_CLOEXEC), &thaw_thread, &t) ;
  }
  return 0 ;
}

void s4_thaw_cgroups (s4_victims const *victims)
{
  stralloc thawed = STRALLOC_ZERO ;
  if (s4.container) return ;   /* what it sees of them may be the host's */
  if (!s4_ask(&thaw_all, (void *)victims, TIMEOUT, &thawed) && errno == ETIMEDOUT)
    s4_warn("gave up looking for frozen cgroups") ;
  if (thawed.len && stralloc_0(&thawed)) s4_info("thawed cgroups:", thawed.s) ;
  stralloc_free(&thawed) ;
}
