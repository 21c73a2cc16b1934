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
#include <sys/sysmacros.h>
#include <unistd.h>

#include <linux/dm-ioctl.h>
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

static int open_dm (void)
{
  uint64_t number ;
  int fd = -1 ;
  if (s4_sys_number("/sys/class/misc/", "device-mapper", &number))
    fd = s4_open_own_node((unsigned int)(number >> 32), (unsigned int)number, O_RDWR | O_CLOEXEC) ;
  return fd >= 0 ? fd : s4_open_node("/dev/" DM_DIR "/" DM_CONTROL_NODE, O_RDWR | O_CLOEXEC) ;
}

static int remove_dm (s4_block const *b, int device)
{
  struct dm_ioctl request = { .version = { DM_VERSION_MAJOR, 0, 0 }, .data_size = sizeof request,
    .data_start = sizeof request, .dev = makedev((unsigned int)(b->device >> 32), (unsigned int)b->device) } ;
  s4_ms const limit = s4_now() + PATIENCE ;
  int control = open_dm() ;
  int r ;
  fd_close(device) ;   /* it must not be open */
  if (control == -1) return errno ;
  do r = ioctl(control, DM_DEV_REMOVE, &request) == -1 ? errno : 0 ;
  while (r == EBUSY && wait_until(limit)) ;
  fd_close(control) ;
  return r ;
}

 /* --- md --- */

 /* Written by mdmon, which looks at the state; what the kernel writes by itself it writes when the array stops. */

void s4_wait_clean (s4_block const *b)
{
  static char const *const dirty[] = { "active", "write-pending", "active-idle" } ;
  stralloc state = STRALLOC_ZERO ;
  int is_dirty = b->external ;
  while (is_dirty)
  {
    is_dirty = 0 ;
    if (!s4_sys_read_at(&state, "/sys/block/", b->name, "/md/array_state")) break ;
    for (size_t k = 0 ; k < sizeof dirty / sizeof *dirty ; k++) is_dirty |= !strcmp(state.s, dirty[k]) ;
    if (is_dirty) poll(0, 0, S4_TICK) ;   /* who has given us this job gives it up in time */
  }
  stralloc_free(&state) ;
}

static int stop_md (s4_block const *b, int fd)
{
  int r ;
  s4_wait_clean(b) ;
  r = ioctl(fd, STOP_ARRAY, 0) == -1 ? errno : 0 ;
  fd_close(fd) ;
  return r ;
}

 /* --- loop --- */

static int clear_loop (int fd)
{
  int r = ioctl(fd, LOOP_CLR_FD, 0) == -1 ? errno : 0 ;
  fd_close(fd) ;
  return r == ENXIO ? 0 : r ;   /* it has none any more */
}

 /* --- any --- */

static int take_down (s4_block const *b, int fd)
{
  switch (b->kind)
  {
    case S4_BLOCK_DM : return remove_dm(b, fd) ;
    case S4_BLOCK_MD : return stop_md(b, fd) ;
    default : return clear_loop(fd) ;
  }
}

int s4_detach (s4_block const *b, int flush)
{
  int r ;
  int fd = open_exclusively(b) ;
  if (fd == -1) return errno == ENXIO || errno == ENODEV ? wait_gone(b) : errno ;
   /* what can't be written now never will be: it does not help to keep the rest, and keys, for it */
  if (flush && fsync(fd) == -1) s4_warnsys("unable to flush ", S4_BLOCK(b)) ;
  r = take_down(b, fd) ;
  return r && r != ENXIO ? r : wait_gone(b) ;
}
