/* ISC license. */

/* What sysfs says of block devices. */

#include <skalibs/nonposix.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <skalibs/genalloc.h>
#include <skalibs/stralloc.h>
#include <skalibs/types.h>

#include "stage4.h"

#define DEPTH_MAX 32      /* of a storage stack; only there to end a walk through a broken sysfs */

 /* btrfs and its like have device numbers of their own: then by the name of the source. */

static int device_of (stralloc *sa, unsigned int major, unsigned int minor, char const *source, char const *file)
{
  if (major) return s4_sys_device(sa, major, minor, file) ;
  sa->len = 0 ;
  return !strncmp(source, "/dev/", 5) && s4_cat(sa, "/sys/class/block/", strrchr(source, '/') + 1, file) ;
}

 /* Only what has been done counts; the fields about waiting grow while a dead device does nothing. */

uint64_t s4_dev_progress (unsigned int major, unsigned int minor, char const *source)
{
   /* Documentation/block/stat.rst */
  static unsigned char const counts[] = { 1, 0, 1, 0, 1, 0, 1, 0, 0, 0, 0, 1, 0, 1, 0, 1 } ;
  static stralloc path = STRALLOC_ZERO, text = STRALLOC_ZERO ;
  uint64_t sum = 0 ;
  char const *s ;
  if (!device_of(&path, major, minor, source, "/stat") || !s4_sys_read(path.s, &text)) return 0 ;
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

 /* Where each device is made of two others there are more ways down than anybody could walk: each is walked once. */

static int is_seen (genalloc *seen, uint64_t device)
{
  for (size_t k = 0 ; k < genalloc_len(uint64_t, seen) ; k++) if (genalloc_s(uint64_t, seen)[k] == device) return 1 ;
  genalloc_append(uint64_t, seen, &device) ;
  return 0 ;
}

struct sum
{
  uint64_t progress ;
  genalloc seen ;        /* uint64_t: devices that are in it */
  unsigned int depth ;
} ;

 /* What the file of a loop device is on is not known. */

static int add_progress (char const *name, void *data)
{
  struct sum *sum = data ;
  stralloc slaves = STRALLOC_ZERO ;
  uint64_t device ;
  if (s4_sys_number("/sys/class/block/", name, &device))
  {
    if (is_seen(&sum->seen, device)) return 1 ;
    sum->progress += s4_dev_progress((unsigned int)(device >> 32), (unsigned int)device, "") ;
  }
  if (!strncmp(name, "loop", 4)) sum->progress += s4_pages_written() ;
  if (sum->depth++ < DEPTH_MAX && s4_cat(&slaves, "/sys/class/block/", name, "/slaves"))
    s4_sys_each(slaves.s, &add_progress, sum) ;
  sum->depth-- ;
  stralloc_free(&slaves) ;
  return 1 ;
}

uint64_t s4_dev_progress_below (char const *name)
{
  struct sum sum = { .seen = GENALLOC_ZERO } ;
  add_progress(name, &sum) ;
  genalloc_free(uint64_t, &sum.seen) ;
  return sum.progress ;
}

int s4_dev_name (unsigned int major, unsigned int minor, stralloc *name)
{
  static stralloc path = STRALLOC_ZERO, text = STRALLOC_ZERO ;
  char const *s ;
  if (!s4_sys_device(&path, major, minor, "/uevent") || !s4_sys_read(path.s, &text)) return 0 ;
  s = strstr(text.s, "DEVNAME=") ;
  if (!s) return (errno = ENODEV, 0) ;
  name->len = 0 ;
  return stralloc_cats(name, "/dev/") && stralloc_catb(name, s + 8, strcspn(s + 8, "\n")) && stralloc_0(name) ;
}

 /* --- partitions --- */

struct partitions
{
  char const *dir ;
  s4_partition_func *f ;
  void *data ;
} ;

static int tell_partition (char const *name, void *data)
{
  struct partitions const *x = data ;
  stralloc text = STRALLOC_ZERO ;
  uint64_t device ;
  int r = 1 ;
  if (s4_sys_read_at(&text, x->dir, name, "/partition"))
    r = x->f(x->dir, name, s4_sys_number(x->dir, name, &device) ? device : S4_NODEVICE, x->data) ;
  stralloc_free(&text) ;
  return r ;
}

int s4_dev_partitions (char const *dir, s4_partition_func *f, void *data)
{
  struct partitions x = { .dir = dir, .f = f, .data = data } ;
  return s4_sys_each(dir, &tell_partition, &x) ;
}

 /* --- files under loop devices --- */

struct dig
{
  s4_tree const *tree ;
  unsigned int sb ;        /* whose devices these are */
  genalloc *files ;        /* s4_edge: superblock, and mount that a file under it lies on */
  genalloc *loops ;        /* uint64_t: the devices that have them; or null */
  genalloc seen ;          /* uint64_t: devices below it */
  unsigned int depth ;
  stralloc path ;          /* the sysfs directory of a device below it */
} ;

static int dig (struct dig *) ;

static int read_here (struct dig *d, char const *name, stralloc *text)
{
  size_t len = d->path.len ;
  int r = stralloc_cats(&d->path, name) && stralloc_0(&d->path) && s4_sys_read(d->path.s, text) ;
  d->path.len = len ;
  return r ;
}

static int dig_into (struct dig *d, char const *slash, char const *name)
{
  size_t len = d->path.len ;
  int ok = stralloc_cats(&d->path, slash) && stralloc_cats(&d->path, name) && dig(d) ;
  d->path.len = len ;
  return ok ;
}

static int dig_slave (char const *name, void *data)
{
  return dig_into(data, "/slaves/", name) ;
}

static int dig_slaves (struct dig *d)
{
  size_t len = d->path.len ;
  stralloc dir = STRALLOC_ZERO ;
  int ok = stralloc_catb(&dir, d->path.s, len) && stralloc_cats(&dir, "/slaves") && stralloc_0(&dir)
   && s4_sys_each(dir.s, &dig_slave, d) ;
  stralloc_free(&dir) ;
  return ok ;
}

static int note_loop (struct dig *d)
{
  stralloc text = STRALLOC_ZERO ;
  uint64_t device ;
  int ok = !read_here(d, "/dev", &text) || !s4_device_scan(text.s, &device)
   || genalloc_append(uint64_t, d->loops, &device) ;
  stralloc_free(&text) ;
  return ok ;
}

static int note_file (struct dig *d, char const *file)
{
  s4_edge e = { .first = d->sb } ;
  if (d->loops) return note_loop(d) ;
  e.then = s4_tree_holding(d->tree, file) ;
  return e.then == S4_NONE || genalloc_append(s4_edge, d->files, &e) ;
}

static int is_dug (struct dig *d, stralloc *text)
{
  uint64_t device ;
  return read_here(d, "/dev", text) && s4_device_scan(text->s, &device) && is_seen(&d->seen, device) ;
}

static int dig (struct dig *d)
{
  stralloc text = STRALLOC_ZERO ;
  int ok = 1 ;
  if (d->depth++ < DEPTH_MAX && !is_dug(d, &text))
  {
    if (read_here(d, "/loop/backing_file", &text)) ok = note_file(d, text.s) ;
    else if (read_here(d, "/partition", &text)) ok = dig_into(d, "", "/..") ;
    ok = ok && dig_slaves(d) ;
  }
  d->depth-- ;
  stralloc_free(&text) ;
  return ok ;
}

 /* Each superblock is looked at once, for all of its mounts. */

static int dig_all (s4_storage const *st, genalloc *files, unsigned int *at)
{
  struct dig d = { .tree = &st->tree, .files = files, .seen = GENALLOC_ZERO, .path = STRALLOC_ZERO } ;
  int ok = 1 ;
  for (d.sb = 0 ; ok && d.sb < st->nsb ; d.sb++)
  {
    s4_mount const *m = st->ms->m + st->first[d.sb] ;
    genalloc_setlen(uint64_t, &d.seen, 0) ;
    at[d.sb] = (unsigned int)genalloc_len(s4_edge, files) ;
    if (s4_fsclass(m->type) == S4_FS_DISK && device_of(&d.path, m->major, m->minor, m->source, "")) ok = dig(&d) ;
  }
  at[st->nsb] = (unsigned int)genalloc_len(s4_edge, files) ;
  genalloc_free(uint64_t, &d.seen) ;
  stralloc_free(&d.path) ;
  return ok ;
}

int s4_dev_loops (s4_mount const *m, genalloc *loops)
{
  struct dig d = { .loops = loops, .seen = GENALLOC_ZERO, .path = STRALLOC_ZERO } ;
  int ok = !device_of(&d.path, m->major, m->minor, m->source, "") || dig(&d) ;
  genalloc_free(uint64_t, &d.seen) ;
  stralloc_free(&d.path) ;
  return ok ;
}

static int is_unused (char const *name, void *data)
{
  (void)data ;
  return s4_block_kind(name) != S4_BLOCK_LOOP ;
}

int s4_loop_edges (s4_storage *st)
{
  genalloc files = GENALLOC_ZERO ;
  unsigned int *at ;
  int ok ;
  if (s4_sys_each("/sys/block", &is_unused, 0) == 1) return 1 ;   /* no loop device, no file below anything */
  at = s4_numbers(st->nsb) ;
  ok = at && dig_all(st, &files, at) ;
  for (unsigned int i = 0 ; ok && i < st->ms->n ; i++)
    for (unsigned int k = at[st->sb[i]] ; ok && k < at[st->sb[i]+1] ; k++)
    {
      s4_edge const e = { .first = i, .then = genalloc_s(s4_edge, &files)[k].then } ;
      ok = e.then == i || genalloc_append(s4_edge, &st->edges, &e) ;
    }
  free(at) ;
  genalloc_free(s4_edge, &files) ;
  return ok ;
}
