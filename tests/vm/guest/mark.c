/*
   mark [-d device] text: writes the text into the first kilobyte of the device, which an ext4
   does not use. The exclusive open fails as long as the file system is mounted anywhere, even
   where nobody sees it; so the text, read from the image later, proves that it was not.

   It also says where pid 1 lives. As a teardown hook it gets the action as its text.
*/

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#define BLOCK 1024          /* a whole block, so that nothing beside it is touched */

static char const *fstype (char const *path, int *readonly)
{
  struct statfs st ;
  if (statfs(path, &st) < 0) return strerror(errno) ;
  *readonly = !!(st.f_flags & ST_RDONLY) ;
  switch ((unsigned long)st.f_type)
  {
    case 0xef53 : return "ext4" ;
    case 0x01021994 : return "tmpfs" ;
    case 0x858458f6 : return "ramfs" ;
    default : return "something else" ;
  }
}

int main (int argc, char *const *argv)
{
  char const *device = "/dev/vda" ;
  char buf[BLOCK] = "stage4-mark: " ;
  char exe[256] = "" ;
  int readonly = 0 ;
  int fd ;
  if (argc > 2 && !strcmp(argv[1], "-d")) { device = argv[2] ; argc -= 2 ; argv += 2 ; }
  if (argc != 2 || strlen(argv[1]) > BLOCK / 2)
  {
    fputs("usage: mark [-d device] text\n", stderr) ;
    return 100 ;
  }
  strcat(strcat(buf, argv[1]), "\n") ;

  (void)!readlink("/proc/1/exe", exe, sizeof exe - 1) ;
  printf("mark: pid 1 runs %s from %s", exe, fstype("/proc/1/exe", &readonly)) ;
  printf(", its root is %s%s\n", fstype("/proc/1/root", &readonly), readonly ? ", read-only" : "") ;
  fflush(stdout) ;

  fd = open(device, O_RDWR | O_EXCL | O_CLOEXEC) ;
  if (fd < 0)
  {
    fprintf(stderr, "mark: %s: %s\n", device, errno == EBUSY ? "still in use" : strerror(errno)) ;
    return 1 ;
  }
  if (pwrite(fd, buf, BLOCK, 0) != BLOCK || fsync(fd) < 0)
  {
    fprintf(stderr, "mark: %s: %s\n", device, strerror(errno)) ;
    return 111 ;
  }
  printf("mark: %s is free, marked\n", device) ;
  return 0 ;
}
