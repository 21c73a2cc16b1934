/* ISC license. */

 /*
  * All programs in one binary. Each main() has been compiled a second time, as stage4_<name>_main();
  * here is only the choice: by the name of the link (stage4-nuke -> stage4), else by the first argument.
  */

#include <string.h>

#include "stage4.h"

#define PREFIX "stage4-"
#define PREFIXLEN (sizeof(PREFIX) - 1)

static char const usage[] = "stage4 program [ options ] [ arguments ] [ prog... ], where program is one of"
#define S4_PROGRAM(x) " " #x
#include "programs.h"
 ;

#define S4_PROGRAM(x) extern s4_main_func stage4_##x##_main ;
#include "programs.h"

static struct program_s
{
  char const *name ;
  s4_main_func *main ;
} const programs[] =
{
#define S4_PROGRAM(x) { .name = PREFIX #x, .main = &stage4_##x##_main },
#include "programs.h"
} ;

 /* With or without the prefix. */

static struct program_s const *find (char const *name)
{
  size_t skip = strncmp(name, PREFIX, PREFIXLEN) ? PREFIXLEN : 0 ;
  for (size_t i = 0 ; i < sizeof(programs) / sizeof(*programs) ; i++)
    if (!strcmp(programs[i].name + skip, name)) return programs + i ;
  return 0 ;
}

static s4_main_func *find_main (char const *name)
{
  struct program_s const *p = strncmp(name, PREFIX, PREFIXLEN) ? 0 : find(name) ;
  return p ? p->main : 0 ;
}

 /* An unknown name ends it all: running anything else instead would be fatal. */

static struct program_s const *need (char const *name)
{
  struct program_s const *p = find(name) ;
  if (!p) s4_step_badarg("program", name) ;
  return p ;
}

 /*
  * argv[0] stays in its place, because workers mark its first byte for others to see in /proc/<pid>/cmdline.
  * The new name is put over argv[1] too, which the kernel has laid out behind it and nobody needs any more.
  */

static void rename_argv0 (char *argv0, char const *argv1, char const *name)
{
  char const *end = argv1 + strlen(argv1) + 1 ;
  size_t len = strlen(name) + 1 ;
  if (argv1 < argv0 || (size_t)(end - argv0) < len) return ;
  memcpy(argv0, name, len) ;
  memset(argv0 + len, 0, end - argv0 - len) ;
}

int main (int argc, char const **argv, char const *const *envp)
{
  struct program_s const *p ;
  char const *base ;
  if (!argc) return 100 ;
  base = strrchr(argv[0], '/') ;
  base = base ? base + 1 : argv[0] ;
  p = strncmp(base, PREFIX, PREFIXLEN) ? 0 : find(base) ;
  if (!p)
  {
    s4_step_init("stage4", usage, 0, argv, envp) ;   /* so that a wrong word is no end for pid 1 */
    if (!strncmp(base, PREFIX, PREFIXLEN)) need(base) ;
    if (argc < 2) s4_step_usage() ;
    p = need(argv[1]) ;
    rename_argv0((char *)argv[0], argv[1], p->name) ;
    argv[1] = argv[0] ;
    argc-- ; argv++ ;
  }
  s4_multicall = &find_main ;
  return (*p->main)(argc, argv, envp) ;
}
