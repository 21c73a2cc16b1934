/* ISC license. */

/* Names of files: put together, and made to mount something on. */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <skalibs/stralloc.h>

#include "stage4.h"

char const *s4_concat (char const *a, char const *b)
{
  stralloc sa = STRALLOC_ZERO ;
  return stralloc_cats(&sa, a) && stralloc_cats(&sa, b) && stralloc_0(&sa) ? sa.s : "" ;
}

int s4_lies_below (char const *path, char const *dir)
{
  size_t len = strlen(dir) ;
  if (len == 1) return path[0] == '/' ;
  return !strncmp(path, dir, len) && (!path[len] || path[len] == '/') ;
}

 /* A directory, or a file for what is mounted on a file; with all that leads there. */

int s4_make_path (char const *path, s4_mount const *like)
{
  stralloc sa = STRALLOC_ZERO ;
  struct stat st ;
  int isfile = like && !stat(like->dir, &st) && !S_ISDIR(st.st_mode) ;
  int fd ;
  if (!stralloc_cats(&sa, path) || !stralloc_0(&sa)) return 0 ;
  for (char *s = sa.s + 1 ; (s = strchr(s, '/')) ; *s++ = '/')
  {
    *s = 0 ;
    if (mkdir(sa.s, 0755) == -1 && errno != EEXIST) return 0 ;
  }
  if (!isfile) return !mkdir(sa.s, 0755) || errno == EEXIST ;
  fd = open(sa.s, O_WRONLY | O_CREAT | O_CLOEXEC, 0600) ;
  if (fd == -1) return errno == EEXIST ;
  close(fd) ;
  return 1 ;
}
