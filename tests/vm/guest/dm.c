/*
   dm create NAME DEVICE: a device-mapper device over all of DEVICE, as /dev/mapper/NAME.
   dm suspend NAME: without a flush; whoever needs it waits for ever.
*/

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/dm-ioctl.h>
#include <linux/fs.h>

static union { struct dm_ioctl h ; char buf[16384] ; } u ;

static int dm (unsigned long request, char const *name, unsigned int flags)
{
  static int fd = -1 ;
  if (fd < 0) fd = open("/dev/mapper/control", O_RDWR) ;
  u.h.version[0] = 4 ;
  u.h.data_size = sizeof u ;
  u.h.data_start = sizeof u.h ;
  u.h.flags = flags ;
  strncpy(u.h.name, name, sizeof u.h.name - 1) ;
  if (ioctl(fd, request, &u) >= 0) return 1 ;
  perror("dm") ;
  return 0 ;
}

static int load (char const *name, char const *device)
{
  struct dm_target_spec *s = (struct dm_target_spec *)(u.buf + sizeof u.h) ;
  unsigned long long size ;
  int fd = open(device, O_RDONLY) ;
  if (fd < 0 || ioctl(fd, BLKGETSIZE64, &size) < 0) return 0 ;
  close(fd) ;
  memset(&u, 0, sizeof u) ;
  u.h.target_count = 1 ;
  s->length = size / 512 ;
  s->next = sizeof *s + 128 ;
  strcpy(s->target_type, "linear") ;
  sprintf((char *)(s + 1), "%.100s 0", device) ;
  return dm(DM_TABLE_LOAD, name, 0) ;
}

int main (int argc, char const *const *argv)
{
  char path[160] ;
  if (argc == 3 && !strcmp(argv[1], "suspend"))
    return dm(DM_DEV_SUSPEND, argv[2], DM_SUSPEND_FLAG | DM_SKIP_LOCKFS_FLAG | DM_NOFLUSH_FLAG) ? 0 : 111 ;
  if (argc != 4 || strcmp(argv[1], "create")) return 100 ;
  if (!dm(DM_DEV_CREATE, argv[2], 0) || !load(argv[2], argv[3])) return 111 ;
  memset(&u, 0, sizeof u) ;
  if (!dm(DM_DEV_SUSPEND, argv[2], 0)) return 111 ;   /* without the flag: resumes */
  snprintf(path, sizeof path, "/dev/mapper/%.120s", argv[2]) ;
  if (!mknod(path, S_IFBLK | 0600, (dev_t)u.h.dev)) return 0 ;
  perror(path) ;
  return 111 ;
}
