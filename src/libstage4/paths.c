/* ISC license. */

/* Names of files: put together, compared, and made to mount something on. */

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

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

int s4_make_path (char const *path)
{
  stralloc sa = STRALLOC_ZERO ;
  int ok ;
  if (!stralloc_cats(&sa, path) || !stralloc_0(&sa)) return 0 ;
  for (char *s = sa.s + 1 ; (s = strchr(s, '/')) ; *s++ = '/')
  {
    *s = 0 ;
    if (mkdir(sa.s, 0755) == -1 && errno != EEXIST) return 0 ;
  }
  ok = !mkdir(sa.s, 0755) || errno == EEXIST ;
  stralloc_free(&sa) ;
  return ok ;
}
