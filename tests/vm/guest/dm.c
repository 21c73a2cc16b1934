/*
   dm create NAME DEVICE: /dev/mapper/NAME, which passes everything on to DEVICE
   dm suspend NAME: from now on it takes what is written, and does nothing with it: a dead disk, on demand
   dm resume NAME: does all of that now
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

static int create (char const *name, char const *device)
{
  struct dm_target_spec *target = (void *)(buf.room + sizeof buf.h) ;
  unsigned long long size ;
  char node[128] ;
  int fd = open(device, O_RDONLY | O_CLOEXEC) ;
  if (fd == -1 || ioctl(fd, BLKGETSIZE64, &size) == -1 || call(DM_DEV_CREATE, name, 0) == -1) return 0 ;
  memset(&buf, 0, sizeof buf) ;
  buf.h.target_count = 1 ;
  target->length = size / 512 ;
  strcpy(target->target_type, "linear") ;
  snprintf((char *)(target + 1), 128, "%s 0", device) ;
  target->next = sizeof *target + 128 ;
  if (call(DM_TABLE_LOAD, name, 0) == -1) return 0 ;
  memset(&buf, 0, sizeof buf) ;
  if (call(DM_DEV_SUSPEND, name, 0) == -1) return 0 ;   /* without the flag: resume */
  snprintf(node, sizeof node, "/dev/mapper/%s", name) ;
  return !mknod(node, S_IFBLK | 0600, (dev_t)buf.h.dev) ;
}

int main (int argc, char const *const *argv)
{
  int r = 0 ;
  control = open("/dev/mapper/control", O_RDWR | O_CLOEXEC) ;
  if (argc == 4 && !strcmp(argv[1], "create")) r = create(argv[2], argv[3]) ;
  else if (argc == 3 && !strcmp(argv[1], "suspend"))
    r = !call(DM_DEV_SUSPEND, argv[2], DM_SUSPEND_FLAG | DM_SKIP_LOCKFS_FLAG | DM_NOFLUSH_FLAG) ;
  else if (argc == 3 && !strcmp(argv[1], "resume")) r = !call(DM_DEV_SUSPEND, argv[2], 0) ;
  else if (argc == 3 && !strcmp(argv[1], "remove")) r = !call(DM_DEV_REMOVE, argv[2], 0) ;
  if (!r) perror("dm") ;
  return !r ;
}
