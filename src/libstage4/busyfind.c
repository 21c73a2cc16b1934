/* ISC license. */

/* Who keeps file systems or block devices busy, as far as that can be seen. What may block, children ask. */

#include <skalibs/nonposix.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <skalibs/djbunix.h>
#include <skalibs/genalloc.h>
#include <skalibs/stralloc.h>
#include <skalibs/types.h>

#include "stage4.h"

#define PLACE_TIMEOUT 1000   /* for where names lead, and then for loop devices; at most a quarter of all */

struct find
{
  genalloc *found ;            /* s4_busy */
  genalloc places ;            /* s4_busyplace */
  char const *const *names ;
  unsigned int n ;
  s4_mounts ms ;
  s4_tree tree ;
  stralloc swaptext ;
  genalloc swaps ;             /* s4_swap */
  s4_placed *placed ;          /* of the names, then of the swaps */
  int *missing ;               /* of the names: errno */
  s4_ms limit ;
  int err ;
} ;

static s4_ms left (struct find const *f)
{
  s4_ms const now = s4_now() ;
  return now < f->limit ? f->limit - now : 0 ;
}

static s4_ms short_time (struct find const *f)
{
  s4_ms const quarter = left(f) / 4 ;
  return quarter < PLACE_TIMEOUT ? quarter : PLACE_TIMEOUT ;
}

 /* --- where names lead --- */

static char const *name_of (struct find const *f, unsigned int i)
{
  return i < f->n ? f->names[i] : genalloc_s(s4_swap, &f->swaps)[i - f->n].path ;
}

static int open_named (char const *path)
{
  stralloc name = STRALLOC_ZERO ;
  int fd = open(path, O_PATH | O_CLOEXEC) ;
  if (fd == -1 && errno == ENOENT && s4_undeleted(path, &name)) fd = open(name.s, O_PATH | O_CLOEXEC) ;
  stralloc_free(&name) ;
  return fd ;
}

static void tell_place (unsigned int i, stralloc *answer, void *data)
{
  char const *name = name_of(data, i) ;
  s4_placed p = { .raw = S4_NODEVICE, .device = S4_NODEVICE } ;
  int id, fd ;
  if (*name != '/') return ;   /* a dm device */
  fd = open_named(name) ;
  if (fd == -1)
  {
    s4_cat(answer, "error ", S4_NUM(errno)) ;
    return ;
  }
  id = s4_mount_id(fd) ;
  if (id > 0) p.mount = (unsigned int)id ;
  s4_file_device(fd, "", &p.device, &p.raw) ;
  s4_cat(answer, S4_NUM(p.mount), " ", S4_NUM((int64_t)p.device), " ", S4_NUM((int64_t)p.raw)) ;   /* -1: none */
}

static void hear_place (struct find *f, unsigned int i, char const *answer)
{
  s4_placed *p = f->placed + i ;
  unsigned int u ;
  *p = (s4_placed){ .raw = S4_NODEVICE, .device = S4_NODEVICE } ;
  if (!strncmp(answer, "error ", 6))
  {
    if (i < f->n && uint_scan(answer + 6, &u) && (u == ENOENT || u == ENOTDIR)) f->missing[i] = (int)u ;
    return ;
  }
  answer += uint_scan(answer, &p->mount) ;
  if (*answer == ' ') uint64_scan(answer + 1, &p->device) ;
  answer = *answer ? strchr(answer + 1, ' ') : 0 ;
  if (answer) uint64_scan(answer + 1, &p->raw) ;
}

static int place_all (struct find *f)
{
  unsigned int const n = f->n + (unsigned int)genalloc_len(s4_swap, &f->swaps) ;
  char (*answers)[S4_ANSWER_MAX] ;
  f->placed = calloc(n + 1, sizeof *f->placed) ;
  f->missing = calloc(f->n + 1, sizeof *f->missing) ;
  answers = f->placed && f->missing ? calloc(n + 1, sizeof *answers) : 0 ;
  if (!answers) return 0 ;
  s4_ask_each(n, &tell_place, f, s4_limit(short_time(f)), answers) ;
  for (unsigned int i = 0 ; i < n ; i++) hear_place(f, i, answers[i]) ;
  free(answers) ;
  return 1 ;
}

 /* --- what /sys says of a device --- */

static int dm_name (char const *kernelname, stralloc *name)
{
  return s4_sys_read_at(name, "/sys/block/", kernelname, "/dm/name") ;
}

struct dm { char const *name ; uint64_t device ; int found ; } ;

static int is_that_dm (char const *kernelname, void *data)
{
  struct dm *x = data ;
  stralloc text = STRALLOC_ZERO ;
  x->found = !strncmp(kernelname, "dm-", 3) && dm_name(kernelname, &text) && !strcmp(text.s, x->name)
   && s4_sys_number("/sys/block/", kernelname, &x->device) ;
  stralloc_free(&text) ;
  return !x->found ;
}

struct device { struct find *f ; s4_busyplace place ; } ;

static int note_holder (char const *name, void *data)
{
  struct device const *x = data ;
  stralloc text = STRALLOC_ZERO ;
  int ok ;
  if (dm_name(name, &text))
    ok = s4_cat(&text, " (", name, ")") && s4_busy_add(x->f->found, &x->place, S4_BUSY_DM, text.s) ;
  else ok = s4_busy_add(x->f->found, &x->place, strncmp(name, "md", 2) ? S4_BUSY_BLOCK : S4_BUSY_MD, name) ;
  stralloc_free(&text) ;
  return ok ;
}

 /* Sources of mounts have the names that udev makes. */

static int note_device (struct device *x)
{
  unsigned int const major = (unsigned int)(x->place.device >> 32), minor = (unsigned int)x->place.device ;
  stralloc path = STRALLOC_ZERO, name = STRALLOC_ZERO ;
  int ok = 1 ;
  x->place.node = x->place.alias = 0 ;
  if (s4_dev_name(major, minor, &name)) x->place.node = s4_concat(name.s) ;
  if (x->place.node && !strncmp(x->place.node, "/dev/dm-", 8) && dm_name(x->place.node + 5, &name))
    x->place.alias = s4_concat("/dev/mapper/", name.s) ;
  ok = genalloc_append(s4_busyplace, &x->f->places, &x->place) && s4_sys_device(&path, major, minor, "/holders")
   && s4_sys_each(path.s, &note_holder, x) == 1 ;
  stralloc_free(&path) ;
  stralloc_free(&name) ;
  return ok ;
}

static int note_partition (char const *dir, char const *name, uint64_t device, void *data)
{
  struct device part = *(struct device const *)data ;
  (void)dir ;
  if (device == S4_NODEVICE) return 1 ;
  part.place.part = s4_concat(name) ;
  part.place.device = device ;
  return note_device(&part) ;
}

static int note_disk (struct device *x)
{
  stralloc dir = STRALLOC_ZERO ;
  int const ok = note_device(x)
   && s4_sys_device(&dir, (unsigned int)(x->place.device >> 32), (unsigned int)x->place.device, "/")
   && s4_dev_partitions(dir.s, &note_partition, x) == 1 ;
  stralloc_free(&dir) ;
  return ok ;
}

 /* --- targets --- */

static int note_path (struct find *f, unsigned int i)
{
  s4_placed const *placed = f->placed + i ;
  s4_busyplace p = { .target = i, .part = "", .device = placed->device, .mount = placed->mount } ;
  int const elsewhere = p.mount && p.device != S4_NODEVICE && s4_tree_find(&f->tree, p.mount) == S4_NONE ;
  if (!elsewhere)
  {
    unsigned int const k = s4_placed_mount(&f->tree, placed, f->names[i]) ;
    if (k == S4_NONE) return (f->missing[i] = ENOENT, 0) ;
    p.device = s4_mount_device(f->ms.m + k) ;
    p.mount = f->ms.m[k].id ;
  }
  return genalloc_append(s4_busyplace, &f->places, &p) ;
}

static int find_dm (char const *name, uint64_t *device)
{
  struct dm dm = { .name = name } ;
  s4_sys_each("/sys/block", &is_that_dm, &dm) ;
  if (dm.found) *device = dm.device ;
  return dm.found ;
}

 /* When nobody has answered. */

static void find_by_name (char const *name, uint64_t *device)
{
  if (!strncmp(name, "/dev/mapper/", 12)) find_dm(name + 12, device) ;
  else if (!strncmp(name, "/dev/", 5) && !strchr(name + 5, '/')) s4_sys_number("/sys/class/block/", name + 5, device) ;
}

static int note_target (struct find *f, unsigned int i)
{
  struct device x = { .f = f, .place = { .target = i, .part = "", .device = f->placed[i].raw } } ;
  if (f->missing[i]) return 0 ;
  if (f->names[i][0] != '/')
  {
    if (!find_dm(f->names[i], &x.place.device)) return (f->missing[i] = ENOENT, 0) ;
  }
  else
  {
    if (!f->placed[i].mount && x.place.device == S4_NODEVICE) find_by_name(f->names[i], &x.place.device) ;
    if (x.place.device == S4_NODEVICE) return note_path(f, i) ;
  }
  if (!note_disk(&x)) f->err = errno ;
  return 1 ;
}

 /* --- who else: the kernel --- */

static void tell_exclusive (unsigned int i, stralloc *answer, void *data)
{
  s4_busyplace const *p = data ;
  int fd = s4_open_block(p->device, p->node + strlen("/dev/"), O_RDONLY | O_EXCL | O_NONBLOCK) ;
  (void)i ;
  if (fd >= 0) fd_close(fd) ;
  else if (errno == EBUSY) s4_cat(answer, "b") ;
}

static int is_found (struct find const *f, unsigned int target)
{
  for (size_t k = 0 ; k < genalloc_len(s4_busy, f->found) ; k++)
    if (genalloc_s(s4_busy, f->found)[k].target == target) return 1 ;
  return 0 ;
}

 /* One after the other: a disk and its partition, or one device by two names, would be in each other's way. */

static void find_kernel (struct find *f)
{
  for (size_t k = 0 ; k < genalloc_len(s4_busyplace, &f->places) ; k++)
  {
    s4_busyplace *p = genalloc_s(s4_busyplace, &f->places) + k ;
    char answer[1][S4_ANSWER_MAX] ;
    if (p->mount || *p->part || !p->node || is_found(f, p->target)) continue ;
    s4_ask_each(1, &tell_exclusive, p, s4_limit(short_time(f)), answer) ;
    if (*answer[0]) s4_busy_add(f->found, p, S4_BUSY_KERNEL, "") ;
  }
}

 /* --- all --- */

static int look (struct find *f)
{
  genalloc loops = GENALLOC_ZERO ;
  int ok ;
  if (!s4.container && !s4_sys_is_there()) f->err = errno ;
  ok = s4_busy_mounts(f->found, &f->places, &f->ms, s4_getenv("STAGE4_OLDROOT"))
   && s4_busy_swaps(f->found, &f->places, &f->tree, &f->swaps, f->placed + f->n)
   && s4_loops_find(&loops, 1, short_time(f)) && s4_busy_loops(f->found, &f->places, &f->tree, &loops) ;
  if (!ok) f->err = errno ;
  genalloc_free(s4_loop, &loops) ;
  if (!s4_busy_processes(f->found, &f->places, &f->tree, f->n, left(f) - left(f) / 8)) f->err = errno ;
  find_kernel(f) ;
  return !f->err ;
}

static enum s4_sought_e find_all (struct find *f, unsigned int *which)
{
  if (!s4_swaps_load(&f->swaptext, &f->swaps)) f->err = errno ;
  if (!place_all(f)) return S4_NO_TABLE ;
  for (unsigned int i = 0 ; i < f->n ; i++)
  {
    if (note_target(f, i)) continue ;
    *which = i ;
    return f->missing[i] ? S4_NOT_THERE : S4_NO_TABLE ;
  }
  look(f) ;
  return (errno = f->err, S4_SOUGHT) ;
}

static void forget (struct find *f)
{
  s4_tree_free(&f->tree) ;
  s4_mounts_free(&f->ms) ;
  stralloc_free(&f->swaptext) ;
  genalloc_free(s4_swap, &f->swaps) ;
  genalloc_free(s4_busyplace, &f->places) ;
  free(f->placed) ;
  free(f->missing) ;
}

enum s4_sought_e s4_busy_find (genalloc *found, char const *const *names, unsigned int n, s4_ms timeout,
  unsigned int *which)
{
  struct find f = { .found = found, .places = GENALLOC_ZERO, .names = names, .n = n, .ms = S4_MOUNTS_ZERO,
    .swaptext = STRALLOC_ZERO, .swaps = GENALLOC_ZERO, .limit = s4_now() + timeout } ;
  enum s4_sought_e sought ;
  int e ;
  genalloc_setlen(s4_busy, found, 0) ;
  if (!s4_mounts_load(&f.ms) || !s4_tree_make(&f.tree, &f.ms)) return S4_NO_TABLE ;
  sought = find_all(&f, which) ;
  e = errno ;
  forget(&f) ;
  return (errno = e, sought) ;
}
