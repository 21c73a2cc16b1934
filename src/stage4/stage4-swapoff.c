/* ISC license. */

/* stage4-swapoff: switches off the swap that keeps a file or a device busy. */

#include <skalibs/nonposix.h>

#include <errno.h>
#include <string.h>
#include <sys/swap.h>
#include <sys/sysmacros.h>

#include <skalibs/djbunix.h>
#include <skalibs/genalloc.h>
#include <skalibs/sgetopt.h>
#include <skalibs/stralloc.h>

#include "stage4.h"

#define USAGE "stage4-swapoff [ -v verbosity ] [ -f ] [ -n ] [ -t timeout ] [ -A ] prog..."
#define VICTIM_OOM 1000   /* if the content doesn't fit, the kernel ends the child that asked, and nobody else */

struct plan
{
  stralloc text ;
  genalloc swaps ;          /* s4_swap, all of them */
  genalloc which ;          /* unsigned int: those that go */
  char const **reason ;     /* of each swap: why it goes, or stays */
  int all ;
} ;

static int plan_make (struct plan *p)
{
  stralloc kinds = STRALLOC_ZERO ;
  genalloc reasons = GENALLOC_ZERO ;
  unsigned int n ;
  if (!s4_swaps_load(&p->text, &p->swaps)) return 0 ;
  n = (unsigned int)genalloc_len(s4_swap, &p->swaps) ;
  if (!n) return 1 ;
  s4_swap_kinds(&p->swaps, &kinds) ;   /* what isn't answered can't be looked at, so it goes */
  if (!genalloc_ready(char const *, &reasons, n)) return 0 ;
  p->reason = genalloc_s(char const *, &reasons) ;
  for (unsigned int i = 0 ; i < n ; i++)
  {
    enum s4_swapkind_e const kind = i < kinds.len ? (enum s4_swapkind_e)kinds.s[i] : S4_SWAP_UNKNOWN ;
    int const goes = s4_swapkind_pins(kind) ;
    p->reason[i] = p->all && !goes ? "all were asked for" : s4_swapkind_reason(kind) ;
    if ((goes || p->all) && !genalloc_append(unsigned int, &p->which, &i)) return 0 ;
  }
  return 1 ;
}

static s4_swap const *nth (struct plan const *p, unsigned int k)
{
  return genalloc_s(s4_swap, &p->swaps) + genalloc_s(unsigned int, &p->which)[k] ;
}

 /* --- the job --- */

static int switch_one_off (char const *path)
{
  stralloc name = STRALLOC_ZERO ;
  if (!swapoff(path)) return 0 ;
  if (errno != ENOENT) return errno ;
  if (!s4_undeleted(path, &name)) return ENOENT ;
  return swapoff(name.s) == -1 ? errno : 0 ;
}

 /* Without swap on it zram still has its backing device, and that is busy. */

static void zram_let_go (s4_swap const *sw)
{
  stralloc file = STRALLOC_ZERO ;
  dev_t dev ;
  if (s4_swap_kind(sw, &dev) != S4_SWAP_ZRAM_BACKED) return ;
  if (!s4_sys_device(&file, major(dev), minor(dev), "/reset") || !openwritenclose_unsafe(file.s, "1", 1))
    s4_warnsys("unable to reset ", sw->path) ;
}

static int run_swapoff (unsigned int k, void *data)
{
  s4_swap const *sw = nth(data, k) ;
  int e = switch_one_off(sw->path) ;
  if (!e) zram_let_go(sw) ;
  return e ;
}

static uint64_t used_now (unsigned int k, void *data)
{
  static stralloc text = STRALLOC_ZERO ;
  static genalloc swaps = GENALLOC_ZERO ;
  char const *path = nth(data, k)->path ;
  if (!s4_swaps_load(&text, &swaps)) return 0 ;
  for (size_t i = 0 ; i < genalloc_len(s4_swap, &swaps) ; i++)
    if (!strcmp(genalloc_s(s4_swap, &swaps)[i].path, path)) return genalloc_s(s4_swap, &swaps)[i].used ;
  return 0 ;
}

static void flow_from_swap (s4_flow *flow, void *data)
{
  struct plan const *p = data ;
  for (unsigned int k = 0 ; k < genalloc_len(unsigned int, &p->which) ; k++) flow->to_go += (int64_t)used_now(k, data) ;
  flow->done = -flow->to_go ;
}

static int add_name (unsigned int k, stralloc *sa, void *data)
{
  return s4_cat(sa, nth(data, k)->path) ;
}

static int report_swaps (struct plan const *p, s4_task const *t, unsigned int n)
{
  int late = 0 ;
  unsigned int left = 0 ;
  for (unsigned int k = 0 ; k < n ; k++)
  {
    char const *path = nth(p, k)->path ;
    if (t[k].state == S4_TASK_ENDED && !t[k].err)
    {
      s4_verbose("switched off ", path, ", ", S4_MS(t[k].ended - t[k].began)) ;
      continue ;
    }
    left++ ;
    if (t[k].state == S4_TASK_ABANDONED)
    {
      late = 1 ;
      s4_warn("gave up switching off ", path, " after ", S4_MS(t[k].ended - t[k].began)) ;
    }
    else if (t[k].err == EOWNERDEAD) s4_warn("unable to switch off ", path, ": its content does not fit into memory") ;
    else s4_warnerr(t[k].err, "unable to switch off ", path) ;
  }
  s4_info("switched off ", S4_NUM(n - left), " of ", S4_NUM(n), p->all ? " swaps" : " swaps that keep something busy") ;
  return !left ? S4_DONE : late ? S4_LATE : S4_LEFT ;
}

 /* Swap that stays on keeps its file system busy, which can be frozen; a process that the kernel ends is lost. */

static int leave_on (unsigned int n)
{
  if (errno == ETIMEDOUT) s4_warn("gave up looking for memory limits of cgroups, leaving ", S4_NUM(n), " swaps on") ;
  else s4_warnsys("unable to lift all memory limits of cgroups, leaving ", S4_NUM(n), " swaps on") ;
  return errno == ETIMEDOUT ? S4_LATE : S4_LEFT ;
}

static int switch_off (struct plan *p, s4_ms timeout)
{
  unsigned int n = (unsigned int)genalloc_len(unsigned int, &p->which) ;
  s4_job const job = { .n = n, .timeout = timeout, .oom = VICTIM_OOM, .run = &run_swapoff, .progress = &used_now,
    .slow = "still switching off", .name = &add_name, .flow = &flow_from_swap, .data = p } ;
  s4_task const *t ;
  if (!n) return S4_DONE ;
  if (!s4_memory_limits_lift()) return leave_on(n) ;
  t = s4_work(&job) ;
  if (t) return report_swaps(p, t, n) ;
  s4_warnsys("unable to start a worker") ;
  return S4_NOTSTARTED ;
}

static int show_plan (struct plan const *p)
{
  for (unsigned int i = 0 ; i < genalloc_len(s4_swap, &p->swaps) ; i++)
  {
    int goes = 0 ;
    for (size_t k = 0 ; k < genalloc_len(unsigned int, &p->which) ; k++)
      goes |= genalloc_s(unsigned int, &p->which)[k] == i ;
    s4_planline(goes ? "switch off " : "leave ", genalloc_s(s4_swap, &p->swaps)[i].path, ": ", p->reason[i]) ;
  }
  return S4_DONE ;
}

int main (int argc, char const **argv, char const *const *envp)
{
  struct plan p = { .text = STRALLOC_ZERO, .swaps = GENALLOC_ZERO, .which = GENALLOC_ZERO } ;
  s4_ms timeout = 10000 ;
  s4_step_init("stage4-swapoff", USAGE, S4_DESTROYS, argv, envp) ;
  {
    subgetopt l = SUBGETOPT_ZERO ;
    for (;;)
    {
      int opt = s4_step_getopt(argc, argv, "t:A", &l) ;
      if (opt == -1) break ;
      switch (opt)
      {
        case 't' : timeout = s4_step_time(l.arg, 0) ; break ;
        case 'A' : p.all = 1 ; break ;
      }
    }
    argv += l.ind ;
  }
  s4_step_checked(argv, 0) ;

  if (s4.container)
  {
    s4_info("a container: its swap is the host's, nothing to do") ;
    s4_step_next(argv, S4_DONE) ;
  }
  if (!plan_make(&p))
  {
    s4_warnsys("unable to read /proc/swaps") ;
    s4_step_next(argv, S4_NOTSTARTED) ;
  }
  s4_step_next(argv, s4.dryrun ? show_plan(&p) : switch_off(&p, timeout)) ;
}
