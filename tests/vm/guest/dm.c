/*
   dm create NAME DEVICE: /dev/mapper/NAME, which passes everything on to DEVICE
   dm suspend NAME: from now on it takes what is written, and does nothing with it: a dead disk, on demand
   dm resume NAME: does all of that now
   dm error NAME: from now on whatever is read or written fails
   dm remove NAME: fails as long as somebody has it open
*/

#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/dm-ioctl.h>
#include <linux/fs.h>

static union { struct dm_ioctl h ; char room[16384] ; } buf ;
static int control ;

static int call (unsigned long request, char const *name, unsigned int flags)
{
  buf.h.version[0] = DM_VERSION_MAJOR ;
  buf.h.data_size = sizeof buf ;
  buf.h.data_start = sizeof buf.h ;
  buf.h.flags = flags ;
  snprintf(buf.h.name, sizeof buf.h.name, "%s", name) ;
  return ioctl(control, request, &buf) ;
}

static unsigned long long size_of (char const *device)
{
  unsigned long long size = 0 ;
  int fd = open(device, O_RDONLY | O_CLOEXEC) ;
  if (fd == -1 || ioctl(fd, BLKGETSIZE64, &size) == -1) size = 0 ;
  if (fd != -1) close(fd) ;
  return size ;
}

static int load (char const *name, unsigned long long size, char const *type, char const *args)
{
  struct dm_target_spec *target = (void *)(buf.room + sizeof buf.h) ;
  memset(&buf, 0, sizeof buf) ;
  buf.h.target_count = 1 ;
  target->length = size / 512 ;
  snprintf(target->target_type, sizeof target->target_type, "%s", type) ;
  snprintf((char *)(target + 1), 128, "%s", args) ;
  target->next = sizeof *target + 128 ;
  return call(DM_TABLE_LOAD, name, 0) != -1 ;
}

/* The table that was loaded, and what has waited for it. */
static int resume (char const *name)
{
  memset(&buf, 0, sizeof buf) ;
  return call(DM_DEV_SUSPEND, name, 0) != -1 ;
}

static int create (char const *name, char const *device)
{
  unsigned long long const size = size_of(device) ;
  char args[128], node[128] ;
  snprintf(args, sizeof args, "%s 0", device) ;
  if (!size || call(DM_DEV_CREATE, name, 0) == -1 || !load(name, size, "linear", args) || !resume(name)) return 0 ;
  snprintf(node, sizeof node, "/dev/mapper/%s", name) ;
  return !mknod(node, S_IFBLK | 0600, (dev_t)buf.h.dev) ;
}

static int suspend (char const *name)
{
  memset(&buf, 0, sizeof buf) ;
  return call(DM_DEV_SUSPEND, name, DM_SUSPEND_FLAG | DM_SKIP_LOCKFS_FLAG | DM_NOFLUSH_FLAG) != -1 ;
}

static int fail (char const *name)
{
  char node[128] ;
  snprintf(node, sizeof node, "/dev/mapper/%s", name) ;
  return load(name, size_of(node), "error", "") && suspend(name) && resume(name) ;
}

int main (int argc, char const *const *argv)
{
  int r = 0 ;
  control = open("/dev/mapper/control", O_RDWR | O_CLOEXEC) ;
  if (argc == 4 && !strcmp(argv[1], "create")) r = create(argv[2], argv[3]) ;
  else if (argc == 3 && !strcmp(argv[1], "suspend")) r = suspend(argv[2]) ;
  else if (argc == 3 && !strcmp(argv[1], "resume")) r = resume(argv[2]) ;
  else if (argc == 3 && !strcmp(argv[1], "error")) r = fail(argv[2]) ;
  else if (argc == 3 && !strcmp(argv[1], "remove")) r = !call(DM_DEV_REMOVE, argv[2], 0) ;
  if (!r) perror("dm") ;
  return !r ;
}
