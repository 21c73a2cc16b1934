/* ISC license. */

/*
  stage4-pivot: into the shutdown ramfs, so that nothing of ours holds the old root any more. Up to
  pivot_root(2) every failure is undone; from there on there is only forward.
*/

#include <skalibs/nonposix.h>

#include <errno.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <skalibs/genalloc.h>
#include <skalibs/sgetopt.h>
#include <skalibs/stralloc.h>

#include "stage4.h"

#define USAGE "stage4-pivot [ -v verbosity ] [ -f ] [ -n ] [ -R newroot ] [ -o oldroot ] [ -m path ]... prog..."
#define LOOK_TIMEOUT 3000

struct pivot
{
  char const *newroot ;
  char const *oldroot ;      /* its name in the new root, without slash */
  genalloc moves ;           /* char const *: /dev and so on */
  s4_mounts ms ;             /* before */
  stralloc made_private ;    /* mount points to make shared again if it fails, each 0-terminated */
  int root, new ;            /* indices of the mounts on / and newroot */
  int bound ;                /* newroot was bound on itself */
} ;

 /* Where the old root will be, while the new one is not yet it. */

static char const *oldroot_outside (struct pivot const *p)
{
  return s4_concat(p->newroot, "/", p->oldroot) ;
}

 /* --- what can be undone --- */

static int note_shared (struct pivot *p, int i)
{
  p->ms.m[i].shared = 0 ;
  return stralloc_catb(&p->made_private, p->ms.m[i].dir, strlen(p->ms.m[i].dir) + 1) ;
}

static int make_private (struct pivot *p, int i)
{
  if (i < 0 || !p->ms.m[i].shared) return 1 ;
  return mount(0, p->ms.m[i].dir, 0, MS_PRIVATE, 0) == 0 && note_shared(p, i) ;
}

 /*
   The kernel moves nothing that is mounted on a shared mount. One that is covered can't even be named: it becomes
   private with all others, and only those in sight can be made shared again.
 */

static int make_all_private (struct pivot *p)
{
  s4_tree t ;
  int ok = s4_tree_make(&t, &p->ms) && mount(0, "/", 0, MS_PRIVATE | MS_REC, 0) == 0 ;
  for (unsigned int i = 0 ; ok && i < p->ms.n ; i++)
    if (p->ms.m[i].shared && s4_tree_holding(&t, p->ms.m[i].dir) == i) ok = note_shared(p, (int)i) ;
  s4_tree_free(&t) ;
  return ok ;
}

static void undo (struct pivot *p)
{
  if (p->bound && umount2(p->newroot, MNT_DETACH) == -1) s4_warnsys("unable to undo the bind of ", p->newroot) ;
  for (size_t i = 0 ; i < p->made_private.len ; i += strlen(p->made_private.s + i) + 1)
    if (mount(0, p->made_private.s + i, 0, MS_SHARED, 0) == -1)
      s4_warnsys("unable to make shared again: ", p->made_private.s + i) ;
}

 /* Each step of the preparation that fails is named here, undone by the caller. */

static int failed (char const *what, char const *arg)
{
  s4_warnsys("no pivot: unable to ", what, arg) ;
  return 0 ;
}

static int make_mountpoint (struct pivot *p)
{
  if (s4_mounts_on(&p->ms, p->newroot) >= 0) return 1 ;
  if (mount(p->newroot, p->newroot, 0, MS_BIND | MS_REC, 0) == -1) return failed("bind on itself ", p->newroot) ;
  p->bound = 1 ;
   /* what was mounted below is there twice now: what happens to the one must not happen to the other */
  if (mount(0, p->newroot, 0, MS_PRIVATE | MS_REC, 0) == -1) return failed("make private ", p->newroot) ;
  return s4_mounts_load(&p->ms) || failed("read mountinfo", "") ;
}

static int is_rootfs (struct pivot const *p)
{
  return !strcmp(p->ms.m[p->root].type, "rootfs") ;
}

 /* pivot_root(2) wants these private: the mount of the new root, its parent, and the one of the old root. */

static int prepare (struct pivot *p)
{
  if (!s4_mounts_load(&p->ms)) return failed("read mountinfo", "") ;
  p->root = s4_mounts_on(&p->ms, "/") ;
  if (p->root == -1) return (errno = ENOENT, failed("find the mount of ", "/")) ;
  if (is_rootfs(p) ? !make_all_private(p)
   : !make_private(p, s4_mounts_holding(&p->ms, p->newroot)) || !make_private(p, p->root))
    return failed("make private ", p->newroot) ;
  if (!make_mountpoint(p)) return 0 ;
  p->root = s4_mounts_on(&p->ms, "/") ;
  p->new = s4_mounts_on(&p->ms, p->newroot) ;
  if (p->root == -1 || p->new == -1) return (errno = ENOENT, failed("find the mount of ", p->newroot)) ;
  if (!make_private(p, p->new) || !make_private(p, s4_mounts_parent(&p->ms, p->new)) || !make_private(p, p->root))
    return failed("make private ", p->newroot) ;
  if (mkdir(oldroot_outside(p), 0700) == -1 && errno != EEXIST)
    return failed("make the directory ", oldroot_outside(p)) ;
  return 1 ;
}

 /* --- over --- */

static int pivot_root (struct pivot *p)
{
  if (!syscall(SYS_pivot_root, p->newroot, oldroot_outside(p))) return 1 ;
  return failed("pivot_root to ", p->newroot) ;
}

static int change_root (struct pivot *p)
{
  if (!is_rootfs(p)) return pivot_root(p) ;
  return s4_leave_rootfs(&p->ms, (unsigned int)p->root, (unsigned int)p->new, p->oldroot) ;
}

static void set_environment (struct pivot *p, char const *old)
{
  stralloc path = STRALLOC_ZERO ;
  if (!s4_path_pivoted(&path, s4_nextpath(), p->newroot) || !s4_setenv("PATH", path.s)
   || !s4_setenv("STAGE4_OLDROOT", old) || !s4_setenv("STAGE4_RAMFS", 0)) s4_warnsys("unable to set the environment") ;
}

static int pivot (struct pivot *p)
{
  char const *old = s4_concat("/", p->oldroot) ;
  char const *const *moves = genalloc_s(char const *, &p->moves) ;
  unsigned int n = (unsigned int)genalloc_len(char const *, &p->moves) ;
  genalloc mounts = GENALLOC_ZERO ;   /* s4_kept: by id, because after the pivot the names lead elsewhere */
  if (!s4_keep_resolve(0, moves, n, &mounts)) s4_warnsys("unable to resolve all paths to move") ;
  if (!prepare(p) || !change_root(p))
  {
    undo(p) ;
    return S4_LEFT ;
  }
  if (chdir("/") == -1) s4_warnsys("unable to enter the new root") ;
  s4_bring(&mounts, moves, n) ;
  s4_release_fds(old) ;
  set_environment(p, old) ;
  s4_info("pivoted to ", p->newroot, ", the old root is at ", old) ;
  if (getpid() != 1) s4_info("this is not pid 1: pid 1 keeps the old root busy") ;
  return S4_DONE ;
}

 /* Goes on along the line as it will be found after the pivot: inside. The walking child may chroot. */

static void walk_inside (struct pivot *p, char const *const *next)
{
  if (!p->newroot || !*next) return ;
  set_environment(p, s4_concat("/", p->oldroot)) ;
  s4_proc() ;   /* opened before it is out of reach */
  if (chdir(p->newroot) == -1 || chroot(".") == -1)
    s4_warnsys("unable to look into ", p->newroot, ", what follows is looked for outside") ;
}

static int is_usable (struct pivot *p, char const *const *next)
{
  s4_ramfs r ;
  if (s4_getenv("STAGE4_OLDROOT")) return (s4_warn("no pivot: this chain has pivoted already"), 0) ;
  if (!p->newroot) return (s4_warn("no pivot: no shutdown ramfs, neither -R nor STAGE4_RAMFS"), 0) ;
  if (!s4_ramfs_check(&r, p->newroot, next[0], LOOK_TIMEOUT, 0))
    return (s4_warn("no pivot: ", p->newroot, " can't be used: ", r.why), 0) ;
  p->newroot = r.path ;   /* mount points are compared by name */
  return 1 ;
}

static int show_plan (struct pivot *p)
{
  s4_planline("pivot to ", p->newroot, ": the old root will be at /", p->oldroot) ;
  for (size_t i = 0 ; i < genalloc_len(char const *, &p->moves) ; i++)
    s4_planline("move ", genalloc_s(char const *, &p->moves)[i]) ;
  return S4_DONE ;
}

static char const *oldroot_name (char const *arg)
{
  char const *name = arg + (*arg == '/') ;
  if (!*name || strchr(name, '/') || *name == '.') s4_step_badarg("old root (a name in the new root)", arg) ;
  return name ;
}

static void add_move (struct pivot *p, char const *path)
{
  if (!genalloc_append(char const *, &p->moves, &path)) s4_step_nomem() ;
}

int main (int argc, char const **argv, char const *const *envp)
{
  static char const *const always[] = { "/dev", "/proc", "/sys", "/run" } ;
  struct pivot p = { .oldroot = S4_OLDROOT, .moves = GENALLOC_ZERO, .ms = S4_MOUNTS_ZERO,
    .made_private = STRALLOC_ZERO } ;
  s4_step_init("stage4-pivot", USAGE, S4_DESTROYS, argv, envp) ;
  for (unsigned int k = 0 ; k < sizeof always / sizeof *always ; k++) add_move(&p, always[k]) ;
  {
    subgetopt l = SUBGETOPT_ZERO ;
    for (;;)
    {
      int opt = s4_step_getopt(argc, argv, "R:o:m:", &l) ;
      if (opt == -1) break ;
      switch (opt)
      {
        case 'R' : p.newroot = s4_step_place("new root (must begin with /)", l.arg) ; break ;
        case 'o' : p.oldroot = oldroot_name(l.arg) ; break ;
        case 'm' : add_move(&p, s4_step_path("path (must begin with /)", l.arg)) ; break ;
      }
    }
    argv += l.ind ;
  }
  if (!p.newroot) p.newroot = s4_getenv("STAGE4_RAMFS") ;
  if (s4.walking) walk_inside(&p, argv) ;
  if (s4.action == S4_RETURN) s4_step_refuse("after stage4-begin -A return the old root is still needed") ;
  s4_step_checked(argv, 0) ;

  if (!is_usable(&p, argv)) s4_step_next(argv, S4_LEFT) ;
  s4_step_next(argv, s4.dryrun ? show_plan(&p) : pivot(&p)) ;
}
