/* ISC license. */

/*
  Takes one block device down, as losetup -d, dmsetup remove and mdadm --stop do. It is opened exclusively, which the
  kernel refuses as long as a file system, swap or another device has it, seen or not. That it is gone is what /sys
  says: LOOP_CLR_FD succeeds on a device that is still open elsewhere, too, and only makes it go after that.
*/

#include <skalibs/nonposix.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/loop.h>
#include <linux/major.h>
#include <linux/raid/md_u.h>

#include <skalibs/djbunix.h>
#include <skalibs/stralloc.h>

#include "stage4.h"

#define PATIENCE 300   /* ms: what processes had open goes a moment after them, and so do device numbers */

static int wait_until (s4_ms limit)
{
  if (s4_now() >= limit) return 0 ;
  poll(0, 0, S4_TICK) ;
  return 1 ;
}

static int open_exclusively (s4_block const *b)
{
  s4_ms const limit = s4_now() + PATIENCE ;
  for (;;)
  {
    int fd = s4_open_block(b->device, b->name, O_RDONLY | O_EXCL | O_NONBLOCK) ;
    if (fd >= 0 || errno != EBUSY || !wait_until(limit)) return fd ;
  }
}

static int wait_gone (s4_block const *b)
{
  s4_ms const limit = s4_now() + PATIENCE ;
  while (s4_block_kind(b->name) != S4_NO_BLOCK) if (!wait_until(limit)) return EBUSY ;
  return 0 ;
}

 /* --- dm --- */

static int remove_dm (s4_block const *b, int device)
{
  s4_ms const limit = s4_now() + PATIENCE ;
  int control = s4_dm_open() ;
  int r ;
  fd_close(device) ;   /* it must not be open */
  if (control == -1) return errno ;
  do r = s4_dm_remove(control, b->device) ;
  while (r == EBUSY && wait_until(limit)) ;
  fd_close(control) ;
  return r ;
}

 /* --- md --- */

 /* mdmon has the kernel wait for some seconds before it calls an array idle. */

static void call_it_idle (s4_block const *b)
{
  stralloc path = STRALLOC_ZERO ;
  if (s4_cat(&path, "/sys/block/", b->name, "/md/safe_mode_delay")) s4_sys_write(path.s, "0.001") ;
  stralloc_free(&path) ;
}

 /* Written by mdmon, which looks at the state; what the kernel writes by itself it writes when the array stops. */

int s4_wait_clean (s4_block const *b, s4_ms limit)
{
  static char const *const dirty[] = { "active", "write-pending", "active-idle" } ;
  stralloc state = STRALLOC_ZERO ;
  int is_dirty = b->external ;
  if (is_dirty) call_it_idle(b) ;
  while (is_dirty)
  {
    is_dirty = 0 ;
    if (!s4_sys_read_at(&state, "/sys/block/", b->name, "/md/array_state")) break ;
    for (size_t k = 0 ; k < sizeof dirty / sizeof *dirty ; k++) is_dirty |= !strcmp(state.s, dirty[k]) ;
    if (is_dirty && !wait_until(limit)) break ;
  }
  stralloc_free(&state) ;
  return !is_dirty ;
}

 /*
   Without a living mdmon the array is resynced when it is started again, stopped or not; its data are on the disks, and
   what it is made of can only go after it.
 */

static int stop_md (s4_block const *b, int fd, s4_ms patience)
{
  int const is_clean = s4_wait_clean(b, s4_now() + patience) ;
  int r = ioctl(fd, STOP_ARRAY, 0) == -1 ? errno : 0 ;
  fd_close(fd) ;
  return r ? r : is_clean ? 0 : S4_DETACHED_DIRTY ;
}

 /* --- loop --- */

static int clear_loop (int fd)
{
  int r = ioctl(fd, LOOP_CLR_FD, 0) == -1 ? errno : 0 ;
  fd_close(fd) ;
  return r == ENXIO ? 0 : r ;   /* it has none any more */
}

static int is_autoclear (s4_block const *b)
{
  return s4_sys_says("1", "/sys/block/", b->name, "/loop/autoclear") ;
}

 /* Somebody has it open, and it would go with him. In a chain that is welcome; elsewhere it was only a try. */

static void undo_autoclear (s4_block const *b)
{
  struct loop_info64 info ;
  int fd = s4_open_block(b->device, b->name, O_RDONLY | O_NONBLOCK) ;
  if (fd == -1) return ;
  if (ioctl(fd, LOOP_GET_STATUS64, &info) == -1) goto end ;
  info.lo_flags &= ~(uint32_t)LO_FLAGS_AUTOCLEAR ;
  if (ioctl(fd, LOOP_SET_STATUS64, &info) == -1)
    s4_warnsys("unable to undo that it goes with its last user: ", S4_BLOCK(b)) ;
 end:
  fd_close(fd) ;
}

 /* --- any --- */

static int take_down (s4_block const *b, int fd, s4_ms patience)
{
  switch (b->kind)
  {
    case S4_BLOCK_DM : return remove_dm(b, fd) ;
    case S4_BLOCK_MD : return stop_md(b, fd, patience) ;
    default : return clear_loop(fd) ;
  }
}

int s4_detach (s4_block const *b, int flush, s4_ms patience)
{
  int r, e ;
  int const stays_if_open = !s4.pid && b->kind == S4_BLOCK_LOOP && !is_autoclear(b) ;
  int fd = open_exclusively(b) ;
  if (fd == -1) return errno == ENXIO || errno == ENODEV ? wait_gone(b) : errno ;
   /* what can't be written now never will be: it does not help to keep the rest, and keys, for it */
  if (flush && fsync(fd) == -1) s4_warnsys("unable to flush ", S4_BLOCK(b)) ;
  r = take_down(b, fd, patience) ;
  if (r && r != ENXIO && r != S4_DETACHED_DIRTY) return r ;
  e = wait_gone(b) ;
  if (e && stays_if_open) undo_autoclear(b) ;
  return e ? e : r == ENXIO ? 0 : r ;
}
