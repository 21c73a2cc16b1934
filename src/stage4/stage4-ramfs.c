/* ISC license. */

/*
  stage4-ramfs: makes the shutdown ramfs, or says whether the one that is there can be used. It is filled
  while it is mounted nowhere, checked from inside, and only then put in place, at once.
*/

#include <skalibs/nonposix.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>   /* rename */
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <skalibs/djbunix.h>
#include <skalibs/genalloc.h>
#include <skalibs/sgetopt.h>
#include <skalibs/stralloc.h>
#include <skalibs/types.h>

#include "stage4.h"

#define USAGE "stage4-ramfs [ -v verbosity ] [ -s size ] [ -d ] [ -n ] dir file..."
#define CHECK_TIMEOUT 30000
#define EXCHANGE (1u << 1)   /* RENAME_EXCHANGE of linux/fs.h, which older libcs neither have nor go together with */

 /* --- what goes in: mount points, the toolkit that lies beside this program, what was asked for --- */

static char const *const toolkit[] =
{
#define S4_PROGRAM(name) "/stage4-" #name,
#include "programs.h"
} ;

static int add_tool (s4_ramfill *r, char const *dir, char const *name)
{
  char const *file = s4_concat(dir, name) ;
  char const *multicall = s4_concat(dir, "/stage4") ;
  if (access(file, X_OK) == -1 && access(multicall, X_OK) == 0)
    return s4_ramfill_path(r, multicall) && s4_ramfill_link(r, file + 1, "stage4") ;
  return access(file, X_OK) == -1 ? s4_unable("find the toolkit's ", file) : s4_ramfill_path(r, file) ;
}

static int add_toolkit (s4_ramfill *r)
{
  stralloc self = STRALLOC_ZERO, dir = STRALLOC_ZERO ;
  if (sareadlink(&self, "/proc/self/exe") == -1 || !stralloc_0(&self)
   || !sadirname(&dir, self.s, strlen(self.s)) || !stralloc_0(&dir)) return s4_unable("find the toolkit by ",
     "/proc/self/exe") ;
  for (unsigned int i = 0 ; i < sizeof toolkit / sizeof *toolkit ; i++) if (!add_tool(r, dir.s, toolkit[i])) return 0 ;
  return 1 ;
}

static int add_argument (s4_ramfill *r, char const *arg)
{
  char const *equals = strchr(arg, '=') ;
  char *src ;
  int ok ;
  if (!equals) return s4_ramfill_path(r, arg) ;
  src = strdup(arg) ;
  if (!src) return s4_unable("copy ", arg) ;
  src[equals - arg] = 0 ;
  ok = s4_ramfill_as(r, src, equals + 1) ;
  free(src) ;
  return ok ;
}

static int fill (s4_ramfill *r, char const *const *files)
{
  static char const *const mountpoints[] = { "dev", "proc", "sys", "run", S4_OLDROOT } ;
  for (unsigned int i = 0 ; i < sizeof mountpoints / sizeof *mountpoints ; i++)
    if (!s4_ramfill_directory(r, mountpoints[i], 0755)) return 0 ;
  if (!add_toolkit(r)) return 0 ;
  for (; *files ; files++) if (!add_argument(r, *files)) return 0 ;
  return s4_ramfill_finish(r) ;
}

static int may_replace (char const *dir)
{
  if (!access(s4_concat(dir, "/" S4_MANIFEST), F_OK)) return 1 ;
  errno = EEXIST ;
  return s4_unable("replace what stage4-ramfs did not make: ", dir) ;
}

 /* What has become of dir. Whatever is not made has been reported where it failed. */

enum outcome { AS_IT_WAS, MADE, COVERED, LOST } ;

static char const *const failures[] =
{
  [AS_IT_WAS] = " was not made; what was there is as it was",
  [COVERED] = " was made, but the old one still covers it",
  [LOST] = " was not made, and what was there is gone"
} ;

 /* --- a mount of its own --- */

static int new_filesystem (char const *size)
{
  char const *tmpfs[] = { "mode=0700", "noswap", size ? s4_concat("size=", size) : 0, 0 } ;
  char const *ramfs[] = { "mode=0700", 0 } ;
  int fd = s4_newfs("tmpfs", tmpfs) ;
  return fd >= 0 ? fd : s4_newfs("ramfs", ramfs) ;   /* tmpfs can't do without swap before Linux 6.4 */
}

static int detach (char const *dir)
{
  return umount2(dir, MNT_DETACH) == 0 || s4_unable("take away the old ", dir) ;
}

 /*
   Below the old one, which is then taken away: there is always one. Where the kernel can't do that, the old one
   comes back if the new one can't be mounted.
 */

static enum outcome replace (int root, char const *dir)
{
  int old ;
  if (s4_mount_attach_beneath(root, dir)) return detach(dir) ? MADE : COVERED ;
  old = s4_mount_clone(dir) ;
  if (old == -1) s4_unable("hold on to the old ", dir) ;
  if (old == -1 || !detach(dir)) return AS_IT_WAS ;
  if (s4_mount_attach(root, dir)) return MADE ;
  s4_unable("mount ", dir) ;
  if (s4_mount_attach(old, dir)) return AS_IT_WAS ;
  s4_unable("mount again the old ", dir) ;
  return LOST ;
}

static enum outcome attach (int root, char const *dir)
{
  s4_mounts ms = S4_MOUNTS_ZERO ;
  int there = s4_mounts_load(&ms) && s4_mounts_on(&ms, dir) >= 0 ;
  if (there && !may_replace(dir)) return AS_IT_WAS ;
  if (there) return replace(root, dir) ;
  if (s4_mount_attach(root, dir)) return MADE ;
  s4_unable("mount ", dir) ;
  return AS_IT_WAS ;
}

static enum outcome make_mounted (s4_ramfill *r, char const *dir, char const *size, char const *const *files)
{
  enum outcome end = AS_IT_WAS ;
  int made = !mkdir(dir, 0700) ;
  if (!made && errno != EEXIST) s4_unable("make the directory ", dir) ;
  else
  {
    r->root = new_filesystem(size) ;
    if (r->root == -1) s4_unable("make a file system for ", dir) ;
    else if (fill(r, files)) end = attach(r->root, dir) ;
  }
  if (made && end == AS_IT_WAS) rmdir(dir) ;
  return end ;
}

 /* --- a plain directory --- */

static int exchange (char const *new, char const *dir)
{
  if (!rename(new, dir)) return 1 ;   /* also onto an empty directory */
  if (errno != EEXIST && errno != ENOTEMPTY) return s4_unable("put in place ", dir) ;
  if (!may_replace(dir)) return 0 ;
  if (syscall(SYS_renameat2, AT_FDCWD, new, AT_FDCWD, dir, EXCHANGE) == -1)
    return s4_unable("exchange for the old one ", dir) ;
  if (rm_rf(new) == -1) s4_warnsys("unable to remove the old one, now at ", new) ;
  return 1 ;
}

static int make_plain (s4_ramfill *r, char const *dir, char const *const *files)
{
  char const *new = s4_concat(dir, ".stage4-new") ;
  if (rm_rf(new) == -1 && errno != ENOENT) return s4_unable("remove ", new) ;
  if (mkdir(new, 0700) == -1) return s4_unable("make the directory ", new) ;
  r->root = open(new, O_RDONLY | O_DIRECTORY | O_CLOEXEC) ;
  if (r->root == -1) s4_unable("open ", new) ;
  else if (fill(r, files) && exchange(new, dir)) return 1 ;
  rm_rf(new) ;
  return 0 ;
}

 /* --- the whole --- */

struct options
{
  char const *size ;   /* as tmpfs(5) takes it, or 0 */
  uint64_t bytes ;
  int plain ;
} ;

static int make (struct options const *o, char const *dir, char const *const *files)
{
  s4_ramfill r = { .left = o->bytes } ;
  enum outcome end ;
  umask(0) ;
  if (!o->plain) end = make_mounted(&r, dir, o->size, files) ;
  else end = make_plain(&r, dir, files) ? MADE : AS_IT_WAS ;
  if (end != MADE)
  {
    s4_fatal(dir, failures[end]) ;
    return S4_NOTSTARTED ;
  }
  s4_info(dir, " is ready: ", S4_NUM((int64_t)genalloc_len(s4_entry, &r.entries)), " names, ",
    S4_NUM((int64_t)((o->bytes - r.left) >> 10)), " KiB") ;
  return S4_DONE ;
}

static int verify (char const *dir)
{
  s4_ramfs r ;
  if (!s4_ramfs_check(&r, dir, 0, CHECK_TIMEOUT, 1)) s4_planline("unusable ", dir, ": ", r.why) ;
  else if (r.stale == S4_NOBODY_KNOWS)
    s4_planline("usable ", dir, ", but the files it was made of can't be looked at") ;
  else if (r.stale) s4_planline("stale ", dir, ": ", S4_NUM(r.stale), " files have changed since it was made") ;
  else
  {
    s4_planline("usable ", dir) ;
    return S4_DONE ;
  }
  return S4_LEFT ;
}

static int has_dots (char const *path)
{
  for (; path ; path = strchr(path, '/'))
  {
    path += strspn(path, "/") ;
    if (!strncmp(path, "..", 2) && (!path[2] || path[2] == '/')) return 1 ;
    if (*path == '.' && (!path[1] || path[1] == '/')) return 1 ;
  }
  return 0 ;
}

 /* "file" or "src=dst" */

static void check_argument (char const *arg)
{
  char const *equals = strchr(arg, '=') ;
  if (*arg != '/' || (equals && equals[1] != '/')) s4_step_badarg("file (must begin with /)", arg) ;
  if (equals && has_dots(equals + 1)) s4_step_badarg("file (no . or .. in its place inside)", arg) ;
}

static uint64_t scan_size (char const *s)
{
  static char const units[] = "kmg" ;
  uint64_t u ;
  size_t len = uint64_scan(s, &u) ;
  char const *unit = len && s[len] ? strchr(units, s[len] | 32) : 0 ;
  if (!len || !u || u > UINT32_MAX || (s[len] && (!unit || s[len+1])))
    s4_step_badarg("size (like 4096, 800k or 16m)", s) ;
  return unit ? u << (10 * (unit - units + 1)) : u ;
}

int main (int argc, char const **argv, char const *const *envp)
{
  struct options o = { .bytes = INT64_MAX } ;
  s4_step_init("stage4-ramfs", USAGE, S4_PLANS, argv, envp) ;
  {
    subgetopt l = SUBGETOPT_ZERO ;
    for (;;)
    {
      int opt = s4_step_getopt(argc, argv, "s:d", &l) ;
      if (opt == -1) break ;
      switch (opt)
      {
        case 's' : o.bytes = scan_size(l.arg) ; o.size = l.arg ; break ;
        case 'd' : o.plain = 1 ; break ;
      }
    }
    argc -= l.ind ; argv += l.ind ;
  }
  if (!argc) s4_step_usage() ;
  argv[0] = s4_step_place("directory (must begin with /)", argv[0]) ;
  for (int i = 1 ; i < argc ; i++) check_argument(argv[i]) ;
  if (s4.walking) return S4_DONE ;
  return s4.dryrun ? verify(argv[0]) : make(&o, argv[0], argv + 1) ;
}
