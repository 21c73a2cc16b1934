/* ISC license. */

/*
  Overlays, and what their layers lie on. An overlay holds the superblocks of its layers, not their mounts: these
  can be unmounted below it, and then nobody can make consistent any more what is written through it. Pure.
*/

#include <string.h>

#include <skalibs/genalloc.h>
#include <skalibs/stralloc.h>

#include "stage4.h"

 /* --- the options, as fs/overlayfs/params.c shows them --- */

 /* "a:b\:c", in place: a backslash takes the next byte as it is. */

static int split_lowers (char *s, s4_layer_func *f, void *data)
{
  while (*s)
  {
    char *path = s, *w = s ;
    for (; *s && *s != ':' ; s++)
    {
      if (*s == '\\' && s[1]) s++ ;
      *w++ = *s ;
    }
    if (*s) s++ ;
    *w = 0 ;
    if (*path && !f(path, S4_LAYER_LOWER, data)) return 0 ;   /* "::" goes before data-only layers */
  }
  return 1 ;
}

static void unescape (char *s)
{
  char *w = s ;
  for (; *s ; s++)
  {
    if (*s == '\\' && s[1]) s++ ;
    *w++ = *s ;
  }
  *w = 0 ;
}

static int one_option (char *key, char *value, s4_layer_func *f, void *data)
{
  value[s4_unoctal(value, strlen(value))] = 0 ;
  if (!strcmp(key, "lowerdir")) return split_lowers(value, f, data) ;
  if (!strcmp(key, "lowerdir+") || !strcmp(key, "datadir+")) return !*value || f(value, S4_LAYER_LOWER, data) ;
  unescape(value) ;
  if (!strcmp(key, "upperdir")) return f(value, S4_LAYER_UPPER, data) ;
  return strcmp(key, "workdir") || f(value, S4_LAYER_WORK, data) ;
}

int s4_overlay_layers (char const *superoptions, s4_layer_func *f, void *data)
{
  stralloc sa = STRALLOC_ZERO ;
  int ok = stralloc_cats(&sa, superoptions) && stralloc_0(&sa) ;
  char *s = sa.s ;
  while (ok && *s)
  {
    char *end = s + strcspn(s, ",") ;
    char *next = *end ? end + 1 : end ;
    char *value ;
    *end = 0 ;
    value = strchr(s, '=') ;
    if (value)
    {
      *value++ = 0 ;
      ok = one_option(s, value, f, data) ;
    }
    s = next ;
  }
  stralloc_free(&sa) ;
  return ok ;
}

 /* --- the mounts --- */

struct overlay
{
  s4_storage *st ;
  char const *oldroot ;
  unsigned int mount ;   /* the overlay's */
  int unknown ;          /* a layer is not where its name leads, or may not be */
  genalloc disks ;       /* unsigned int: mounts of those that can lose data */
  stralloc path ;
} ;

static int is_overlay (s4_mount const *m)
{
  return !strcmp(m->type, "overlay") ;
}

static int is_above (s4_tree const *t, unsigned int above, unsigned int i)
{
  for (unsigned int steps = 0 ; i != S4_NONE && steps < t->ms->n ; steps++, i = t->parent[i]) if (i == above) return 1 ;
  return 0 ;
}

 /* Without "//", "." and "..", which names alone can't follow. */

static int is_plain (char const *path)
{
  while (*path == '/')
  {
    size_t len = strcspn(++path, "/") ;
    if ((!len && path[-1] && *path) || (len == 1 && path[0] == '.') || (len == 2 && !strncmp(path, "..", 2))) return 0 ;
    path += len ;
  }
  return !*path ;
}

static int add_edge (s4_storage *st, unsigned int first, unsigned int then, enum s4_edge_e kind)
{
  s4_edge e = { .first = first, .then = then, .kind = kind } ;
  return genalloc_append(s4_edge, &st->edges, &e) ;
}

 /* An initramfs has mounted it, before it moved the disks: where its names lead now, there may be another one. */

static int is_root (struct overlay const *o, s4_mount const *m)
{
  return !strcmp(m->dir, "/") || (o->oldroot && !strcmp(m->dir, o->oldroot)) ;
}

 /*
   The names were right where and when the overlay was mounted. One that leads to a root, and no disk, is one from
   before that root was there.
 */

static unsigned int layer_mount (struct overlay const *o, char const *path)
{
  s4_tree const *t = &o->st->tree ;
  unsigned int i = s4_tree_holding(t, path) ;
  s4_mount const *m ;
  if (i == o->mount) i = t->parent[i] ;   /* mounted over its own layer */
  if (i == S4_NONE || i == o->mount) return S4_NONE ;
  m = t->ms->m + i ;
  if (s4_fsclass(m->type) == S4_FS_DISK) return i ;
  return is_root(o, m) ? S4_NONE : i ;
}

 /*
   The tree says that what is mounted on the overlay goes first, even if it is a layer. Only if something can be lost
   there it must wait nevertheless, and so neither goes before it is read-only.
 */

static int add_layer (struct overlay *o, unsigned int i)
{
  s4_storage *st = o->st ;
  return add_edge(st, o->mount, i,
    st->at_risk[i] || !is_above(&st->tree, o->mount, i) ? S4_EDGE_ALWAYS : S4_EDGE_IF_KEPT) ;
}

static int see_layer (char const *path, enum s4_layer_e kind, void *data)
{
  struct overlay *o = data ;
  unsigned int here, there = S4_NONE ;
  if (path[0] != '/')
  {
    o->unknown = 1 ;   /* to a directory that nobody knows any more, as container engines do for length */
    return 1 ;
  }
  here = is_plain(path) ? layer_mount(o, path) : S4_NONE ;
  if (o->oldroot && is_plain(path))
  {
    o->path.len = 0 ;
    if (!stralloc_cats(&o->path, o->oldroot) || !stralloc_cats(&o->path, path) || !stralloc_0(&o->path)) return 0 ;
    there = layer_mount(o, o->path.s) ;
  }
  if (here == S4_NONE && there == S4_NONE) o->unknown = 1 ;
  if (kind == S4_LAYER_UPPER) o->st->upper[o->mount] = there != S4_NONE ? there : here ;
  return (here == S4_NONE || add_layer(o, here)) && (there == S4_NONE || add_layer(o, there)) ;
}

 /* One mount of each disk. */

static int find_disks (s4_storage const *st, genalloc *disks)
{
  for (unsigned int k = 0 ; k < st->nsb ; k++)
    if (st->at_risk[st->first[k]] && !is_overlay(st->ms->m + st->first[k])
     && !genalloc_append(unsigned int, disks, &st->first[k])) return 0 ;
  return 1 ;
}

 /* Its layers may lie on any disk: none is unmounted before it unless it is read-only. */

static int add_maybes (struct overlay const *o)
{
  for (size_t k = 0 ; k < genalloc_len(unsigned int, &o->disks) ; k++)
    if (!add_edge(o->st, o->mount, genalloc_s(unsigned int, &o->disks)[k], S4_EDGE_MAYBE)) return 0 ;
  return 1 ;
}

int s4_overlay_edges (s4_storage *st, char const *oldroot)
{
  struct overlay o = { .st = st, .oldroot = oldroot, .disks = GENALLOC_ZERO, .path = STRALLOC_ZERO } ;
  int ok = find_disks(st, &o.disks) ;
  for (unsigned int i = 0 ; ok && i < st->ms->n ; i++)
  {
    if (!is_overlay(st->ms->m + i)) continue ;
    o.mount = i ;
    o.unknown = is_root(&o, st->ms->m + i) ;
    ok = s4_overlay_layers(st->ms->m[i].superoptions, &see_layer, &o) && (!o.unknown || add_maybes(&o)) ;
  }
   /* what is written through it is lost where its upper layer is, or not */
  for (unsigned int i = 0 ; i < st->ms->n ; i++)
    if (st->upper[i] != S4_NONE && !is_overlay(st->ms->m + st->upper[i]))
      st->at_risk[i] = st->at_risk[i] && st->at_risk[st->upper[i]] ;
  genalloc_free(unsigned int, &o.disks) ;
  stralloc_free(&o.path) ;
  return ok ;
}
