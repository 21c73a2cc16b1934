/* ISC license. */

/*
  Which block devices can be taken down, and in which order: not those that a mounted file system or swap stands on, and
  what is made of others before these. Pure.
*/

#include <stdlib.h>
#include <string.h>

#include <skalibs/genalloc.h>
#include <skalibs/stralloc.h>

#include "stage4.h"

struct planning
{
  s4_detachplan *plan ;
  s4_blocks const *blocks ;
  s4_detachpolicy const *policy ;
  genalloc edges ;        /* s4_edge, between devices */
} ;

static void stays (s4_detachplan *p, unsigned int i, enum s4_detach_e verdict, char const *because)
{
  if (p->verdict[i] != S4_DETACHES) return ;
  p->verdict[i] = (unsigned char)verdict ;
  p->because[i] = because ;
}

 /* --- what holds them for itself --- */

 /* A name of len bytes in /dev: of the device, or the one that udev makes for dm. */

static int is_called (s4_blocks const *b, s4_blockpart const *part, char const *name, size_t len)
{
  static char const mapper[] = "/mapper/" ;
  char const *mapped = s4_block_at(b, part->of)->mapped ;
  size_t base = len ;
  while (base && name[base-1] != '/') base-- ;
  if (base >= sizeof mapper - 1 && !memcmp(name + base - (sizeof mapper - 1), mapper, sizeof mapper - 1))
    return mapped && strlen(mapped) == len - base && !memcmp(name + base, mapped, len - base) ;
  return strlen(part->name) == len - base && !memcmp(name + base, part->name, len - base) ;
}

 /* bcachefs has several with a colon between them. */

static int is_named (s4_blocks const *b, s4_blockpart const *part, char const *names)
{
  if (is_called(b, part, names, strlen(names))) return 1 ;
  for (;;)
  {
    size_t const len = strcspn(names, ":") ;
    if (is_called(b, part, names, len)) return 1 ;
    if (!names[len]) return 0 ;
    names += len + 1 ;
  }
}

 /* btrfs and its like have numbers of their own; of more than one device their source is only the first. */

static int is_on (s4_blocks const *b, s4_blockpart const *part, s4_mount const *m)
{
  if (m->major) return s4_mount_device(m) == part->device ;
  return s4_fsclass(m->type) == S4_FS_DISK && !strncmp(m->source, "/dev/", 5) && is_named(b, part, m->source) ;
}

static void keep_mounted (struct planning *x, s4_blockpart const *part)
{
  s4_mounts const *ms = x->policy->ms ;
  for (unsigned int i = 0 ; i < ms->n ; i++)
    if (is_on(x->blocks, part, ms->m + i)) return stays(x->plan, part->of, S4_IS_MOUNTED, ms->m[i].dir) ;
  if (s4_has_device(&ms->devices, part->device)) stays(x->plan, part->of, S4_IS_MOUNTED, 0) ;
}

 /* What ends in " (deleted)" may be the kernel's word for a node that was removed. */

static int is_swap (s4_blocks const *b, s4_blockpart const *part, char const *path)
{
  stralloc name = STRALLOC_ZERO ;
  int const r = is_named(b, part, path) || (s4_undeleted(path, &name) && is_named(b, part, name.s)) ;
  stralloc_free(&name) ;
  return r ;
}

static void keep_swap (struct planning *x, s4_blockpart const *part)
{
  s4_swap const *sw = genalloc_s(s4_swap, x->policy->swaps) ;
  for (size_t k = 0 ; k < genalloc_len(s4_swap, x->policy->swaps) ; k++)
    if (!sw[k].isfile && is_swap(x->blocks, part, sw[k].path)) stays(x->plan, part->of, S4_IS_SWAP, sw[k].path) ;
}

 /* --- what lies on what --- */

static int add_edge (struct planning *x, unsigned int first, unsigned int then)
{
  s4_edge const e = { .first = first, .then = then } ;
  return genalloc_append(s4_edge, &x->edges, &e) ;
}

static int add_holder (struct planning *x, s4_blockholder const *h)
{
  for (unsigned int i = 0 ; i < s4_blocks_count(x->blocks) ; i++)
    if (!strcmp(s4_block_at(x->blocks, i)->name, h->name)) return add_edge(x, i, h->of) ;
  stays(x->plan, h->of, S4_IS_HELD, h->name) ;   /* of a kind that isn't ours */
  return 1 ;
}

 /* A loop device whose file is a block device is no holder for the kernel. */

static int add_loop (struct planning *x, s4_loop const *loop)
{
  s4_blockpart const *part = genalloc_s(s4_blockpart, &x->blocks->parts) ;
  unsigned int i = 0 ;
  if (loop->raw == S4_NODEVICE) return 1 ;
  while (i < s4_blocks_count(x->blocks) && s4_block_at(x->blocks, i)->device != loop->device) i++ ;
  if (i == s4_blocks_count(x->blocks)) return 1 ;
  for (size_t k = 0 ; k < genalloc_len(s4_blockpart, &x->blocks->parts) ; k++)
    if (part[k].device == loop->raw && !add_edge(x, i, part[k].of)) return 0 ;
  return 1 ;
}

static int find_edges (struct planning *x)
{
  genalloc const *loops = x->policy->loops ;
  for (size_t k = 0 ; k < genalloc_len(s4_blockholder, &x->blocks->holders) ; k++)
    if (!add_holder(x, genalloc_s(s4_blockholder, &x->blocks->holders) + k)) return 0 ;
  for (size_t k = 0 ; k < genalloc_len(s4_loop, loops) ; k++)
    if (!add_loop(x, genalloc_s(s4_loop, loops) + k)) return 0 ;
  return 1 ;
}

 /* What something that stays is made of is held by it. */

static int stays_below (s4_edge const *e, void *data)
{
  struct planning const *x = data ;
  if (x->plan->verdict[e->first] == S4_DETACHES || x->plan->verdict[e->then] != S4_DETACHES) return 0 ;
  stays(x->plan, e->then, S4_IS_HELD, s4_block_at(x->blocks, e->first)->name) ;
  return 1 ;
}

 /* What is written to it would wait in the suspended one. */

static int stuck_above (s4_edge const *e, void *data)
{
  struct planning const *x = data ;
  unsigned char *stuck = x->plan->stuck ;
  if (stuck[e->first] || !(stuck[e->then] || s4_block_at(x->blocks, e->then)->suspended)) return 0 ;
  return stuck[e->first] = 1 ;
}

 /* --- all --- */

static int was_given_up (struct planning const *x, unsigned int i)
{
  for (size_t k = 0 ; k < genalloc_len(uint64_t, x->policy->hung) ; k++)
    if (genalloc_s(uint64_t, x->policy->hung)[k] == s4_block_at(x->blocks, i)->device) return 1 ;
  return 0 ;
}

static void judge (struct planning *x)
{
  for (size_t k = 0 ; k < genalloc_len(s4_blockpart, &x->blocks->parts) ; k++)
  {
    s4_blockpart const *part = genalloc_s(s4_blockpart, &x->blocks->parts) + k ;
    keep_mounted(x, part) ;
    keep_swap(x, part) ;
  }
  for (unsigned int i = 0 ; i < s4_blocks_count(x->blocks) ; i++)
  {
    if (s4_block_at(x->blocks, i)->suspended) stays(x->plan, i, S4_IS_SUSPENDED, 0) ;
    if (s4_block_at(x->blocks, i)->container) stays(x->plan, i, S4_IS_CONTAINER, 0) ;
    if (was_given_up(x, i)) stays(x->plan, i, S4_IS_HUNG, 0) ;
  }
}

 /* Whatever is on it. */

static int stays_dirty (struct planning const *x, unsigned int i)
{
  s4_block const *b = s4_block_at(x->blocks, i) ;
  return x->plan->verdict[i] != S4_DETACHES && b->external && !b->container && !was_given_up(x, i) ;
}

static int put_in_order (struct planning *x)
{
  s4_detachplan *p = x->plan ;
  unsigned int const n = s4_blocks_count(x->blocks) ;
  s4_edge const *e = genalloc_s(s4_edge, &x->edges) ;
  unsigned int const ne = (unsigned int)genalloc_len(s4_edge, &x->edges) ;
  if (!s4_order(n, e, ne, p->order) || !s4_needs(n, e, ne, &p->needs, &p->needs_at)) return 0 ;
  for (unsigned int k = 0 ; k < n ; k++)
    if (p->verdict[p->order[k]] == S4_DETACHES) p->order[p->n++] = p->order[k] ;
  for (unsigned int i = 0 ; i < n ; i++) if (stays_dirty(x, i)) p->order[p->n + p->nwait++] = i ;
  return 1 ;
}

int s4_detachplan_make (s4_detachplan *p, s4_blocks const *blocks, s4_detachpolicy const *policy)
{
  struct planning x = { .plan = p, .blocks = blocks, .policy = policy, .edges = GENALLOC_ZERO } ;
  unsigned int const n = s4_blocks_count(blocks) ;
  int ok ;
  *p = (s4_detachplan){ .verdict = calloc(n + 1, 1), .because = calloc(n + 1, sizeof(char const *)),
    .stuck = calloc(n + 1, 1), .order = s4_numbers(n) } ;
  ok = p->verdict && p->because && p->stuck && p->order ;
  if (ok)
  {
    judge(&x) ;
    ok = find_edges(&x) ;
    s4_edges_follow(&x.edges, &stays_below, &x) ;
    s4_edges_follow(&x.edges, &stuck_above, &x) ;
    ok = ok && put_in_order(&x) ;
  }
  genalloc_free(s4_edge, &x.edges) ;
  if (!ok) s4_detachplan_free(p) ;
  return ok ;
}

void s4_detachplan_free (s4_detachplan *p)
{
  free(p->verdict) ;
  free(p->because) ;
  free(p->stuck) ;
  free(p->order) ;
  free(p->needs) ;
  free(p->needs_at) ;
  *p = (s4_detachplan){ .n = 0 } ;
}
