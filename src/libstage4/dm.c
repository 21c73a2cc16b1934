/* ISC license. */

/* dm devices, by the kernel's own interface: removed; asked if they wait for what won't come, and told not to. */

#include <skalibs/nonposix.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

#include <linux/dm-ioctl.h>

#include "stage4.h"

#define ROOM 16384   /* for what the kernel says of a device */

union request
{
  struct dm_ioctl head ;
  char room[ROOM] ;
} ;

int s4_dm_open (void)
{
  uint64_t number ;
  int fd = -1 ;
  if (s4_sys_number("/sys/class/misc/", "device-mapper", &number))
    fd = s4_open_own_node((unsigned int)(number >> 32), (unsigned int)number, O_RDWR | O_CLOEXEC) ;
  return fd >= 0 ? fd : s4_open_node("/dev/" DM_DIR "/" DM_CONTROL_NODE, O_RDWR | O_CLOEXEC) ;
}

static void prepare (struct dm_ioctl *head, size_t size, uint64_t device, uint32_t flags)
{
  *head = (struct dm_ioctl){ .version = { DM_VERSION_MAJOR, 0, 0 }, .data_size = (uint32_t)size,
    .data_start = sizeof *head, .flags = flags, .dev = makedev((unsigned int)(device >> 32), (unsigned int)device) } ;
}

int s4_dm_remove (int control, uint64_t device)
{
  struct dm_ioctl head ;
  prepare(&head, sizeof head, device, 0) ;
  return ioctl(control, DM_DEV_REMOVE, &head) == -1 ? errno : 0 ;
}

 /* --- multipath --- */

 /* The words of its one target; null: it has another kind, or can't be asked. */

static char const *multipath_says (int control, uint64_t device, uint32_t flags, union request *r)
{
  struct dm_target_spec target ;
  memset(r, 0, sizeof *r) ;
  prepare(&r->head, sizeof *r, device, flags | DM_NOFLUSH_FLAG) ;
  if (ioctl(control, DM_TABLE_STATUS, &r->head) == -1 || r->head.flags & DM_BUFFER_FULL_FLAG) return 0 ;
  if (r->head.target_count != 1 || r->head.data_start > sizeof *r - sizeof target) return 0 ;
  memcpy(&target, r->room + r->head.data_start, sizeof target) ;
  r->room[sizeof *r - 1] = 0 ;
  return strcmp(target.target_type, "multipath") ? 0 : r->room + r->head.data_start + sizeof target ;
}

int s4_dm_waits_for_path (int control, uint64_t device)
{
  union request r ;
  char const *says = multipath_says(control, device, DM_STATUS_TABLE_FLAG, &r) ;
  if (!says || !strstr(says, "queue_if_no_path")) return 0 ;
  says = multipath_says(control, device, 0, &r) ;
  return says && s4_multipath_is_lost(says) ;
}

int s4_dm_fail_if_no_path (int control, uint64_t device)
{
  static char const message[] = "fail_if_no_path" ;
  union request r ;
  memset(&r, 0, sizeof r) ;
  prepare(&r.head, sizeof r, device, 0) ;
  memcpy(r.room + sizeof r.head + sizeof(struct dm_target_msg), message, sizeof message) ;   /* to sector 0 */
  return ioctl(control, DM_TARGET_MSG, &r.head) == -1 ? errno : 0 ;
}
