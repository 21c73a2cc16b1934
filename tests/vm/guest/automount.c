/*
   automount DIR DEVICE TYPE SECONDS: an automounter. Mounts the device on DIR when somebody wants to go in there, and tries
   four times a second to unmount it, when nobody has used it for so long. Says "ready", then "mounted", "kept" (an
   attempt, it is in use, or not unused for long enough) and "expired". With a file /run/slow it takes 2 seconds to mount; with
   /run/liar it says that it has, and hasn't.
*/

#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <linux/auto_fs.h>

static void say (char const *what)
{
  puts(what) ;
  fflush(stdout) ;
}

 /* The kernel asks the daemon to unmount it, which answers, and so the ioctl comes back. */

static void expire (int fd)
{
  int const flags = 0 ;
  for (;;)
  {
    usleep(250000) ;
    say(ioctl(fd, AUTOFS_IOC_EXPIRE_MULTI, &flags) < 0 ? "kept" : "expired") ;
  }
}

static int mount_it (char const *dir, char const *device, char const *type)
{
  if (!access("/run/liar", F_OK)) return 1 ;
  if (!access("/run/slow", F_OK)) sleep(2) ;
  if (mount(device, dir, type, 0, 0) < 0) return 0 ;
  say("mounted") ;
  return 1 ;
}

int main (int argc, char const *const *argv)
{
  char options[128] ;
  struct autofs_v5_packet x ;
  unsigned long timeout ;
  int fd, p[2] ;
  if (argc < 5) return 100 ;
  timeout = strtoul(argv[4], 0, 10) ;
  if (setpgid(0, 0) < 0 || pipe2(p, O_CLOEXEC) < 0) goto err ;
  snprintf(options, sizeof options, "fd=%d,pgrp=%d,minproto=5,maxproto=5,direct", p[1], getpgrp()) ;
  if (mount("autofs", argv[1], "autofs", 0, options) < 0) goto err ;
  fd = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC) ;
  if (fd < 0 || ioctl(fd, AUTOFS_IOC_SETTIMEOUT, &timeout) < 0) goto err ;
  if (!fork()) expire(fd) ;
  say("ready") ;
  while (read(p[0], &x, sizeof x) == sizeof x)
  {
    int const done = x.hdr.type == autofs_ptype_missing_direct ? mount_it(argv[1], argv[2], argv[3]) : !umount(argv[1]) ;
    if (ioctl(fd, done ? AUTOFS_IOC_READY : AUTOFS_IOC_FAIL, x.wait_queue_token) < 0) goto err ;
  }
 err:
  perror("automount") ;
  return 111 ;
}
