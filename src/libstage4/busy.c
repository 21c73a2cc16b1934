/* ISC license. */

/*
  Who keeps a file system or a block device busy, by tables: mounts, overlays, swaps, loop devices; and the words for
  each. Pure.
*/

#include <string.h>

#include <skalibs/genalloc.h>
#include <skalibs/stralloc.h>

#include "stage4.h"

static s4_busyplace const *places_of (genalloc const *places)
{
  return genalloc_s(s4_busyplace, places) ;
}

static size_t nplaces (genalloc const *places)
{
  return genalloc_len(s4_busyplace, places) ;
}

int s4_busy_add (genalloc *found, s4_busyplace const *p, enum s4_busy_e kind, char const *name)
{
  s4_busy b = { .target = p->target, .kind = kind } ;
  strncpy(b.part, p->part, sizeof b.part - 1) ;
  strncpy(b.name, name, sizeof b.name - 1) ;
  return genalloc_append(s4_busy, found, &b) ;
}

static int is_named (s4_busyplace const *p, char const *name)
{
  return (p->node && !strcmp(name, p->node)) || (p->alias && !strcmp(name, p->alias)) ;
}

 /* btrfs and its like have device numbers of their own. */

int s4_busy_is_on (s4_busyplace const *p, s4_mount const *m)
{
  if (s4_mount_device(m) == p->device) return 1 ;
  return !p->mount && !m->major && is_named(p, m->source) ;
}

 /* --- mounts --- */

static int find_own (genalloc *found, s4_busyplace const *p, s4_tree const *t)
{
  s4_mounts const *ms = t->ms ;
  for (unsigned int i = 0 ; i < ms->n ; i++)
  {
    s4_mount const *m = ms->m + i ;
    int const carried = p->mount && t->parent[i] != S4_NONE && s4_busy_is_on(p, ms->m + t->parent[i]) ;
    if (carried)
    {
      if (!s4_busy_add(found, p, S4_BUSY_CARRIES, m->dir)) return 0 ;
    }
    else if (m->id != p->mount && s4_busy_is_on(p, m) && !s4_busy_add(found, p, S4_BUSY_MOUNTED, m->dir)) return 0 ;
  }
  return 1 ;
}

static int find_there (genalloc *found, s4_busyplace const *p, s4_mounts const *ms)
{
  for (unsigned int i = 0 ; i < ms->n ; i++)
    if (s4_busy_is_on(p, ms->m + i)) return s4_busy_add(found, p, S4_BUSY_NAMESPACE, ms->m[i].dir) ;
  return 1 ;
}

 /* Whose layers, one at least, lie on it. An overlay of which that isn't known may be on any disk. */

static int find_overlays (genalloc *found, s4_busyplace const *p, s4_storage const *st)
{
  s4_edge const *e = genalloc_s(s4_edge, &st->edges) ;
  size_t const n = genalloc_len(s4_edge, &st->edges) ;
  for (unsigned int i = 0 ; i < st->ms->n ; i++)
  {
    int sure = 0, maybe = 0 ;
    if (strcmp(st->ms->m[i].type, "overlay")) continue ;
    for (size_t k = 0 ; k < n ; k++)
    {
      if (e[k].first != i || !s4_busy_is_on(p, st->ms->m + e[k].then)) continue ;
      if (e[k].kind == S4_EDGE_MAYBE) maybe = 1 ;
      else sure = 1 ;
    }
    if ((sure || maybe)
     && !s4_busy_add(found, p, sure ? S4_BUSY_OVERLAY : S4_BUSY_MAYBE_OVERLAY, st->ms->m[i].dir)) return 0 ;
  }
  return 1 ;
}

 /* Of a device its mounts say enough. */

static int find_all_overlays (genalloc *found, genalloc const *places, s4_storage *st, char const *oldroot)
{
  int ok = s4_overlay_edges(st, oldroot) ;
  for (size_t k = 0 ; ok && k < nplaces(places) ; k++)
    if (places_of(places)[k].mount) ok = find_overlays(found, places_of(places) + k, st) ;
  return ok ;
}

int s4_busy_mounts (genalloc *found, genalloc const *places, s4_mounts const *ms, char const *oldroot)
{
  s4_storage st ;
  int ok = 1 ;
  if (!s4_storage_make(&st, ms)) return 0 ;
  for (size_t k = 0 ; ok && k < nplaces(places) ; k++) ok = find_own(found, places_of(places) + k, &st.tree) ;
  ok = ok && find_all_overlays(found, places, &st, oldroot) ;
  s4_storage_free(&st) ;
  return ok ;
}

int s4_busy_elsewhere (genalloc *found, genalloc const *places, s4_mounts const *ms)
{
  size_t const before = genalloc_len(s4_busy, found) ;
  s4_storage st ;
  int ok = 1 ;
  for (size_t k = 0 ; ok && k < nplaces(places) ; k++) ok = find_there(found, places_of(places) + k, ms) ;
  if (!ok || genalloc_len(s4_busy, found) == before) return ok ;   /* no layer can be there either */
  if (!s4_storage_make(&st, ms)) return 0 ;
  ok = find_all_overlays(found, places, &st, 0) ;
  s4_storage_free(&st) ;
  return ok ;
}

 /* --- swaps and loop devices --- */

unsigned int s4_placed_mount (s4_tree const *t, s4_placed const *placed, char const *path)
{
  unsigned int i = placed->mount ? s4_tree_find(t, placed->mount) : S4_NONE ;
  return i == S4_NONE ? s4_tree_holding(t, path) : i ;
}

static int is_placed_on (s4_busyplace const *p, s4_tree const *t, s4_placed const *placed, char const *path, int isfile)
{
  unsigned int i ;
  if (!p->mount) return !isfile && placed->raw == p->device ;
  if (!isfile) return 0 ;
  i = s4_placed_mount(t, placed, path) ;
  return i != S4_NONE && s4_busy_is_on(p, t->ms->m + i) ;
}

int s4_busy_swaps (genalloc *found, genalloc const *places, s4_tree const *t, genalloc const *swaps,
  s4_placed const *placed)
{
  s4_swap const *sw = genalloc_s(s4_swap, swaps) ;
  for (size_t i = 0 ; i < genalloc_len(s4_swap, swaps) ; i++) for (size_t k = 0 ; k < nplaces(places) ; k++)
  {
    s4_busyplace const *p = places_of(places) + k ;
    if (is_placed_on(p, t, placed + i, sw[i].path, sw[i].isfile) && !s4_busy_add(found, p, S4_BUSY_SWAP, sw[i].path))
      return 0 ;
  }
  return 1 ;
}

 /* Where the device didn't answer, or has another number than its mounts, as on btrfs, the file's name must do. */

static int loop_lies_on (s4_busyplace const *p, s4_tree const *t, s4_loop const *x)
{
  unsigned int i ;
  if (x->backing == S4_NODEVICE && x->file && !strncmp(x->file, "/dev/", 5)) return is_named(p, x->file) ;
  if (!p->mount) return x->raw == p->device ;
  if (x->raw != S4_NODEVICE) return 0 ;
  if (x->backing != S4_NODEVICE && (x->backing == p->device || p->device >> 32)) return x->backing == p->device ;
  i = x->file ? s4_tree_holding(t, x->file) : S4_NONE ;
  return i != S4_NONE && s4_busy_is_on(p, t->ms->m + i) ;
}

int s4_busy_loops (genalloc *found, genalloc const *places, s4_tree const *t, genalloc const *loops)
{
  s4_loop const *x = genalloc_s(s4_loop, loops) ;
  for (size_t i = 0 ; i < genalloc_len(s4_loop, loops) ; i++) for (size_t k = 0 ; k < nplaces(places) ; k++)
  {
    s4_busyplace const *p = places_of(places) + k ;
    char const *name ;
    if (!loop_lies_on(p, t, x + i)) continue ;
    name = x[i].file ? s4_concat(x[i].name, ", file ", x[i].file) : x[i].name ;
    if (!s4_busy_add(found, p, S4_BUSY_LOOP, name)) return 0 ;
  }
  return 1 ;
}

 /* --- words --- */

static char const *how_name (enum s4_busy_e kind)
{
  switch (kind)
  {
    case S4_BUSY_MOUNTED : return "mounted on " ;
    case S4_BUSY_CARRIES : return "carries " ;
    case S4_BUSY_NAMESPACE : return "mount namespace of " ;
    case S4_BUSY_OVERLAY : return "overlay " ;
    case S4_BUSY_MAYBE_OVERLAY : return "maybe overlay " ;
    case S4_BUSY_LOOP : return "loop device " ;
    case S4_BUSY_SWAP : return "swap " ;
    case S4_BUSY_DM : return "dm device " ;
    case S4_BUSY_MD : return "md device " ;
    case S4_BUSY_BLOCK : return "block device " ;
    case S4_BUSY_KERNEL : return "the kernel, no process" ;
    default : return "" ;   /* a process: s4_hold_name() */
  }
}

static int cat_more (stralloc *sa, unsigned int more)
{
  return !more || s4_cat(sa, " and ", S4_NUM(more), " more") ;
}

static int cat_process (stralloc *sa, s4_busy const *b)
{
  stralloc name = STRALLOC_ZERO ;
  int const deleted = s4_undeleted(b->name, &name) ;
  char const *how = s4_hold_name((enum s4_hold_e)b->kind) ;
  int const ok = s4_cat(sa, S4_NUM(b->pid), " ", b->comm, " (", how, " ", deleted ? name.s : b->name,
    deleted ? ", deleted" : "") && (!b->more || s4_cat(sa, ",")) && cat_more(sa, b->more) && s4_cat(sa, ")") ;
  stralloc_free(&name) ;
  return ok ;
}

int s4_busy_cat (stralloc *sa, s4_busy const *b)
{
  if (*b->part && !s4_cat(sa, b->part, ": ")) return 0 ;
  if (b->kind <= S4_BUSY_MAP) return cat_process(sa, b) ;
  if (b->kind == S4_BUSY_NAMESPACE)
    return s4_cat(sa, how_name(b->kind), S4_NUM(b->pid), " ", b->comm) && cat_more(sa, b->more)
     && s4_cat(sa, ", mounted on ", b->name) ;
  if (!s4_cat(sa, how_name(b->kind), b->name)) return 0 ;
  return !b->pid || s4_cat(sa, " in the mount namespace of ", S4_NUM(b->pid), " ", b->comm) ;
}

void s4_busy_names (s4_names *names, genalloc const *found, unsigned int target)
{
  for (size_t k = 0 ; k < genalloc_len(s4_busy, found) ; k++)
  {
    s4_busy const *b = genalloc_s(s4_busy, found) + k ;
    if (b->target == target && s4_names_next(names) && !s4_busy_cat(&names->text, b)) break ;
  }
}
