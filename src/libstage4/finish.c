/* ISC license. */

/*
  Consistent on disk, whatever is left: what umountall, freeze, hpr and the last resort share. Whole
  file systems are made read-only or frozen, each once, the top of the storage stack first: a file system
  in a file can't be flushed any more once the one below it is frozen.
*/

#include <skalibs/nonposix.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <skalibs/genalloc.h>
#include <skalibs/types.h>

#include "stage4.h"

 /*
   Of each writable superblock that can lose data one mount, top first. Binds of files can't be opened as well,
   so directories win.
 */

int s4_writable_find (s4_mounts const *ms, genalloc *which, genalloc *edges)
{
  genalloc order = GENALLOC_ZERO ;
  which->len = edges->len = 0 ;
  if (!s4_loop_edges(ms, edges) || !genalloc_ready(unsigned int, &order, ms->n + 1)) return 0 ;
  if (!s4_order(ms->n, genalloc_s(s4_edge, edges), (unsigned int)genalloc_len(s4_edge, edges),
    genalloc_s(unsigned int, &order))) return 0 ;
  for (unsigned int k = 0 ; k < ms->n ; k++)
  {
    unsigned int i = genalloc_s(unsigned int, &order)[k] ;
    unsigned int const *w = genalloc_s(unsigned int, which) ;
    size_t n = genalloc_len(unsigned int, which) ;
    if (ms->m[i].readonly || s4_fsclass(ms->m[i].type) != S4_FS_DISK) continue ;
    while (n && !s4_same_superblock(ms->m + w[n-1], ms->m + i)) n-- ;
    if (!n && !genalloc_append(unsigned int, which, &i)) return 0 ;
  }
  genalloc_free(unsigned int, &order) ;
  return 1 ;
}

struct each
{
  s4_mounts const *ms ;
  unsigned int const *which ;
  s4_edge const *edges ;
  size_t nedges ;
  int (*f) (char const *) ;
  char const *doing ;
} ;

static int run_on (unsigned int k, void *data)
{
  struct each const *e = data ;
  return e->f(e->ms->m[e->which[k]].dir) ;
}

 /* Not before what lies on it is done with, one way or the other. */

static int is_turn_of (unsigned int k, s4_task const *tasks, void *data)
{
  struct each const *e = data ;
  for (size_t j = 0 ; j < e->nedges ; j++)
  {
    if (!s4_same_superblock(e->ms->m + e->edges[j].then, e->ms->m + e->which[k])) continue ;
    for (unsigned int i = 0 ; i < k ; i++)
      if (s4_same_superblock(e->ms->m + e->edges[j].first, e->ms->m + e->which[i]) && tasks[i].state >= 0) return 0 ;
  }
  return 1 ;
}

static uint64_t progress_of (unsigned int k, void *data)
{
  struct each const *e = data ;
  s4_mount const *m = e->ms->m + e->which[k] ;
  return s4_dev_progress(m->major, m->minor, m->source) ;
}

static void say_slow (unsigned int k, s4_ms waited, void *data)
{
  struct each const *e = data ;
  s4_mount const *m = e->ms->m + e->which[k] ;
  s4_info("still ", e->doing, " ", m->dir, " (", m->type, " on ", m->source, "), ", S4_MS(waited)) ;
}

static unsigned int report_each (struct each const *e, s4_task const *t, unsigned int n, char const *done)
{
  unsigned int failed = 0 ;
  for (unsigned int k = 0 ; k < n ; k++)
  {
    s4_mount const *m = e->ms->m + e->which[k] ;
    if (t[k].state == S4_FINISHED && !t[k].err)
      s4_verbose(done, " ", m->dir, " (", m->type, " on ", m->source, "), ", S4_MS(t[k].ended - t[k].began)) ;
    else
    {
      failed++ ;
      if (t[k].state == S4_ABANDONED)
        s4_warn("gave up ", e->doing, " ", m->dir, " (", m->type, " on ", m->source, ") after ",
          S4_MS(t[k].ended - t[k].began)) ;
      else s4_warnerr(t[k].err, "failed ", e->doing, " ", m->dir, " (", m->type, " on ", m->source, ")") ;
    }
  }
  return failed ;
}

static unsigned int do_each (struct each *e, unsigned int n, s4_ms timeout, char const *done)
{
  s4_job const job = { .n = n, .timeout = timeout, .run = &run_on, .ready = &is_turn_of, .progress = &progress_of,
    .slow = &say_slow, .data = e } ;
  s4_task const *t ;
  if (!n) return 0 ;
  t = s4_work(&job) ;
  if (t) return report_each(e, t, n, done) ;
  s4_warnsys("unable to start a worker for ", e->doing) ;
  return n ;
}

unsigned int s4_readonly_these (s4_mounts const *ms, unsigned int const *which, unsigned int n,
  genalloc const *edges, s4_ms timeout)
{
  struct each e =
  {
    .ms = ms, .which = which, .edges = genalloc_s(s4_edge, edges), .nedges = genalloc_len(s4_edge, edges),
    .f = &s4_make_readonly, .doing = "making read-only"
  } ;
  return do_each(&e, n, timeout, "made read-only") ;
}

unsigned int s4_freeze_these (s4_mounts const *ms, unsigned int const *which, unsigned int n,
  genalloc const *edges, s4_ms timeout)
{
  struct each e =
  {
    .ms = ms, .which = which, .edges = genalloc_s(s4_edge, edges), .nedges = genalloc_len(s4_edge, edges),
    .f = &s4_freeze, .doing = "freezing"
  } ;
  return do_each(&e, n, timeout, "froze") ;
}

static int run_sync (unsigned int i, void *data)
{
  (void)i ;
  (void)data ;
  sync() ;
  return 0 ;
}

static uint64_t pages_written (unsigned int i, void *data)
{
  static stralloc sa = STRALLOC_ZERO ;
  char const *s ;
  uint64_t u = 0 ;
  (void)i ;
  (void)data ;
  if (!s4_proc_read("vmstat", &sa)) return 0 ;
  s = strstr(sa.s, "\nnr_written ") ;
  if (s) uint64_scan(s + 12, &u) ;
  return u ;
}

int s4_sync (s4_ms timeout)
{
  s4_job const job = { .n = 1, .timeout = timeout, .run = &run_sync, .progress = &pages_written } ;
  s4_task const *t = s4_work(&job) ;
  return t && t[0].state == S4_FINISHED && !t[0].err ;
}
