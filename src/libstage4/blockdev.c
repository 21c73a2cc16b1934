/* ISC license. */

/* What sysfs says of block devices. Reading it doesn't touch the devices. */

#include <skalibs/nonposix.h>

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <skalibs/djbunix.h>
#include <skalibs/genalloc.h>
#include <skalibs/stralloc.h>
#include <skalibs/types.h>

#include "stage4.h"

#define DEPTH_MAX 32   /* of a storage stack; only there to end a walk through a broken sysfs */

int s4_sys_read (char const *path, stralloc *sa)
{
  sa->len = 0 ;
  if (!openslurpclose(sa, path)) return 0 ;
  if (sa->len && sa->s[sa->len - 1] == '\n') sa->len-- ;
  return stralloc_0(sa) && (sa->len--, 1) ;
}

static int sysdir_of (unsigned int major, unsigned int minor, char const *source, stralloc *sa)
{
  sa->len = 0 ;
  if (major)
    return stralloc_cats(sa, "/sys/dev/block/") && stralloc_cats(sa, S4_NUM(major)) && stralloc_cats(sa, ":")
     && stralloc_cats(sa, S4_NUM(minor)) && stralloc_0(sa) && (sa->len--, 1) ;
  if (strncmp(source, "/dev/", 5)) return 0 ;   /* btrfs and its like have device numbers of their own */
  return stralloc_cats(sa, "/sys/class/block/") && stralloc_cats(sa, strrchr(source, '/') + 1) && stralloc_0(sa)
   && (sa->len--, 1) ;
}

 /* Only what has been done counts; the fields about waiting grow while a dead device does nothing. */

uint64_t s4_dev_progress (unsigned int major, unsigned int minor, char const *source)
{
   /* Documentation/block/stat.rst */
  static unsigned char const counts[] = { 1, 0, 1, 0, 1, 0, 1, 0, 0, 0, 0, 1, 0, 1, 0, 1 } ;
  static stralloc path = STRALLOC_ZERO, text = STRALLOC_ZERO ;
  uint64_t sum = 0 ;
  char const *s ;
  if (!sysdir_of(major, minor, source, &path) || !stralloc_cats(&path, "/stat") || !stralloc_0(&path)) return 0 ;
  if (!s4_sys_read(path.s, &text)) return 0 ;
  s = text.s ;
  for (unsigned int i = 0 ; i < sizeof counts ; i++)
  {
    uint64_t u ;
    size_t len ;
    s += strspn(s, " ") ;
    len = uint64_scan(s, &u) ;
    if (!len) break ;
    if (counts[i]) sum += u ;
    s += len ;
  }
  return sum ;
}

 /* Calls f for each entry of a directory that doesn't begin with a dot; its 0 is a failure. */

static int each_entry (char const *dir, int (*f) (char const *, void *), void *data)
{
  DIR *d = opendir(dir) ;
  struct dirent *e ;
  int ok = 1 ;
  if (!d) return 1 ;
  while (ok && (e = readdir(d))) if (e->d_name[0] != '.') ok = f(e->d_name, data) ;
  closedir(d) ;
  return ok ;
}

struct dig
{
  s4_mounts const *ms ;
  genalloc *edges ;
  unsigned int mount ;
  unsigned int depth ;
  stralloc *path ;     /* the sysfs directory of a device below that mount */
} ;

static int dig (struct dig *) ;

static int dig_slave (char const *name, void *data)
{
  struct dig *d = data ;
  size_t len = d->path->len ;
  int ok = stralloc_cats(d->path, "/slaves/") && stralloc_cats(d->path, name) && dig(d) ;
  d->path->len = len ;
  return ok ;
}

static int read_below (stralloc *dir, char const *name, stralloc *text)
{
  size_t len = dir->len ;
  int r = stralloc_cats(dir, name) && stralloc_0(dir) && s4_sys_read(dir->s, text) ;
  dir->len = len ;
  return r ;
}

static int dig (struct dig *d)
{
  stralloc text = STRALLOC_ZERO ;
  size_t len = d->path->len ;
  int ok = 1 ;
  if (++d->depth > DEPTH_MAX) return 1 ;
  if (read_below(d->path, "/loop/backing_file", &text))
  {
    int under = s4_mounts_holding(d->ms, text.s) ;
    s4_edge e = { .first = d->mount, .then = (unsigned int)under } ;
    if (under >= 0 && e.then != e.first) ok = genalloc_append(s4_edge, d->edges, &e) ;
  }
  else if (read_below(d->path, "/partition", &text)) ok = stralloc_cats(d->path, "/..") && dig(d) ;
  d->path->len = len ;
  if (ok && stralloc_cats(d->path, "/slaves") && stralloc_0(d->path))
  {
    stralloc slaves = *d->path ;
    *d->path = (stralloc)STRALLOC_ZERO ;
    ok = stralloc_catb(d->path, slaves.s, len) && each_entry(slaves.s, &dig_slave, d) ;
    stralloc_free(&slaves) ;
  }
  d->path->len = len ;
  d->depth-- ;
  stralloc_free(&text) ;
  return ok ;
}

int s4_loop_edges (s4_mounts const *ms, genalloc *edges)
{
  stralloc path = STRALLOC_ZERO ;
  struct dig d = { .ms = ms, .edges = edges, .path = &path } ;
  for (unsigned int i = 0 ; i < ms->n ; i++)
  {
    if (s4_fsclass(ms->m[i].type) != S4_FS_DISK || !sysdir_of(ms->m[i].major, ms->m[i].minor, ms->m[i].source, &path))
      continue ;
    d.mount = i ;
    d.depth = 0 ;
    if (!dig(&d)) return 0 ;
  }
  stralloc_free(&path) ;
  return 1 ;
}

static int count_if_used (char const *name, void *data)
{
  stralloc path = STRALLOC_ZERO ;
  unsigned int *n = data ;
  if (!strncmp(name, "dm-", 3) || (!strncmp(name, "md", 2) && name[2] != 0)) ++*n ;
  else if (!strncmp(name, "loop", 4))
  {
    if (!stralloc_cats(&path, "/sys/block/") || !stralloc_cats(&path, name)
     || !stralloc_cats(&path, "/loop/backing_file") || !stralloc_0(&path)) return 0 ;
    if (!access(path.s, F_OK)) ++*n ;
    stralloc_free(&path) ;
  }
  return 1 ;
}

static unsigned int devices_count (void)
{
  unsigned int n = 0 ;
  each_entry("/sys/block", &count_if_used, &n) ;
  return n ;
}

int s4_leftovers_count (s4_leftovers *l)
{
  s4_mounts ms = S4_MOUNTS_ZERO ;
  stralloc text = STRALLOC_ZERO ;
  genalloc swaps = GENALLOC_ZERO ;
  *l = (s4_leftovers){ .devices = devices_count() } ;
  if (s4_swaps_load(&text, &swaps)) l->swaps = (unsigned int)genalloc_len(s4_swap, &swaps) ;
  if (!s4_mounts_load(&ms)) return 0 ;
  l->mounts = ms.n ;
  for (unsigned int i = 0 ; i < ms.n ; i++)
    l->writable += !ms.m[i].readonly && s4_fsclass(ms.m[i].type) == S4_FS_DISK ;
  stralloc_free(&text) ;
  stralloc_free(&ms.text) ;
  genalloc_free(s4_swap, &swaps) ;
  return 1 ;
}
