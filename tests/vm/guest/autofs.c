/*
   autofs direct|indirect DIR [DEVICE]: an autofs on DIR whose daemon, this process, mounts nothing that is asked for:
   who walks into it waits until it ends. DEVICE: an ext4 that it has mounted already, on DIR/dir (indirect).
   Says "ready" when all is mounted.
*/

#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

int main (int argc, char const *const *argv)
{
  char options[128], dir[256] ;
  int p[2] ;
  if (argc < 3) return 100 ;
  snprintf(dir, sizeof dir, "%s/dir", argv[2]) ;
  if (setpgid(0, 0) < 0 || pipe2(p, O_CLOEXEC) < 0) goto err ;
  snprintf(options, sizeof options, "fd=%d,pgrp=%d,minproto=5,maxproto=5,%s", p[1], getpgrp(), argv[1]) ;
  if (mount("autofs", argv[2], "autofs", 0, options) < 0) goto err ;
  if (argc > 3 && (mkdir(dir, 0755) < 0 || mount(argv[3], dir, "ext4", 0, 0) < 0)) goto err ;
  puts("ready") ;
  fflush(stdout) ;
  for (;;) pause() ;
 err:
  perror("autofs") ;
  return 111 ;
}
