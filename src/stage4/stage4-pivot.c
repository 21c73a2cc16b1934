/* ISC license. */

/*
  stage4-pivot: into the shutdown ramfs, so that nothing of ours holds the old root any more. Up to
  pivot_root(2) every failure is undone; from there on there is only forward.
*/

#include <skalibs/nonposix.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
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

#define USAGE "stage4-pivot [ -v verbosity ] [ -f ] [ -n ] [ -R newroot ] [ -o oldroot ] [ -m path ]... prog..."
#define LOOK_TIMEOUT 3000

struct pivot
{
  char const *newroot ;
  char const *oldroot ;      /* its name in the new root, without slash */
  genalloc moves ;           /* char const *: /dev and so on */
  s4_mounts ms ;             /* before */
  stralloc made_private ;    /* mount points to make shared again if it fails, each 0-terminated */
  int bound ;                /* newroot was bound on itself */
  int rootfs ;               /* the old root is the initramfs: MS_MOVE instead of pivot_root */
} ;

 /* --- mounts by name --- */

static char const *joined (char const *dir, char const *name)
{
  stralloc sa = STRALLOC_ZERO ;
  if (!stralloc_cats(&sa, dir) || (*name != '/' && !stralloc_cats(&sa, "/")) || !stralloc_cats(&sa, name) || !stralloc_0(&sa)) return name ;
  return sa.s ;
}

static int mount_on (s4_mounts const *ms, char const *dir)
{
  int i = s4_mounts_holding(ms, dir) ;
  return i >= 0 && !strcmp(ms->m[i].dir, dir) ? i : -1 ;
}

 /* --- what can be undone --- */

static int make_private (struct pivot *p, int i)
{
  if (i < 0 || !p->ms.m[i].shared) return 1 ;
  if (mount(0, p->ms.m[i].dir, 0, MS_PRIVATE, 0) == -1) return 0 ;
  p->ms.m[i].shared = 0 ;
  return stralloc_catb(&p->made_private, p->ms.m[i].dir, strlen(p->ms.m[i].dir) + 1) ;
}

static void undo (struct pivot *p)
{
  if (p->bound && umount2(p->newroot, MNT_DETACH) == -1) s4_warnsys("unable to undo the bind of ", p->newroot) ;
  for (size_t i = 0 ; i < p->made_private.len ; i += strlen(p->made_private.s + i) + 1)
    if (mount(0, p->made_private.s + i, 0, MS_SHARED, 0) == -1) s4_warnsys("unable to make shared again: ", p->made_private.s + i) ;
}

 /* Each step of the preparation that fails is named here, undone by the caller. */

static int failed (char const *what, char const *arg)
{
  s4_warnsys("no pivot: unable to ", what, arg) ;
  return 0 ;
}

static int make_mountpoint (struct pivot *p)
{
  if (mount_on(&p->ms, p->newroot) >= 0) return 1 ;
  if (mount(p->newroot, p->newroot, 0, MS_BIND | MS_REC, 0) == -1) return failed("bind on itself ", p->newroot) ;
  p->bound = 1 ;
  return s4_mounts_load(&p->ms) || failed("read mountinfo", "") ;
}

 /* pivot_root(2) wants these private: the mount of the new root, its parent, and the one of the old root. */

static int prepare (struct pivot *p)
{
  int root, new ;
  if (!s4_mounts_load(&p->ms)) return failed("read mountinfo", "") ;
  root = mount_on(&p->ms, "/") ;
  if (root == -1) return (errno = ENOENT, failed("find the mount of ", "/")) ;
  if (!make_private(p, s4_mounts_holding(&p->ms, p->newroot)) || !make_private(p, root)) return failed("make private ", p->newroot) ;
  if (!make_mountpoint(p)) return 0 ;
  root = mount_on(&p->ms, "/") ;
  new = mount_on(&p->ms, p->newroot) ;
  if (!make_private(p, new) || !make_private(p, s4_mounts_parent(&p->ms, new)) || !make_private(p, root)) return failed("make private ", p->newroot) ;
  p->rootfs = !strcmp(p->ms.m[root].type, "rootfs") ;
  if (mkdir(joined(p->newroot, p->oldroot), 0700) == -1 && errno != EEXIST) return failed("make the directory ", joined(p->newroot, p->oldroot)) ;
  return 1 ;
}

 /* --- over --- */

 /* An initramfs can't be pivoted away from. What is mounted on it would vanish from sight with it: it moves below oldroot first. */

static int move_over_rootfs (struct pivot *p)
{
  int root = mount_on(&p->ms, "/") ;
  for (unsigned int i = 0 ; i < p->ms.n ; i++)
  {
    char const *to = joined(joined(p->newroot, p->oldroot), p->ms.m[i].dir) ;
    if (p->ms.m[i].parent != p->ms.m[root].id || !strcmp(p->ms.m[i].dir, p->newroot) || (int)i == root) continue ;
    if (!strncmp(p->newroot, p->ms.m[i].dir, strlen(p->ms.m[i].dir)) && p->newroot[strlen(p->ms.m[i].dir)] == '/') continue ;
    if (!s4_make_path(to, &p->ms.m[i]) || mount(p->ms.m[i].dir, to, 0, MS_MOVE, 0) == -1)
      s4_warnsys("unable to move ", p->ms.m[i].dir, " to ", to) ;
  }
  if (chdir(p->newroot) == -1) return failed("enter ", p->newroot) ;
  if (mount(".", "/", 0, MS_MOVE, 0) == -1) return failed("move to / ", p->newroot) ;
  return !chroot(".") || failed("chroot into ", p->newroot) ;
}

static int change_root (struct pivot *p)
{
  if (p->rootfs ? !move_over_rootfs(p) : syscall(SYS_pivot_root, p->newroot, joined(p->newroot, p->oldroot)) && !failed("pivot_root to ", p->newroot)) return 0 ;
  if (chdir("/") == -1) s4_warnsys("unable to enter the new root") ;
  return 1 ;
}

 /* --- afterwards: /dev and so on, and the file descriptors --- */

 /* Where a path of the old root is now, without its links: an absolute one would lead into the new root. */

static char const *resolve_in (char const *old, char const *path)
{
  stralloc sa = STRALLOC_ZERO ;
  stralloc link = STRALLOC_ZERO ;
  char const *at = joined(old, path) ;
  for (unsigned int links = 0 ; links < 10 ; links++)
  {
    link.len = 0 ;
    if (sareadlink(&link, at) == -1 || !stralloc_0(&link)) return at ;
    if (link.s[0] == '/') at = joined(old, link.s) ;
    else
    {
      sa.len = 0 ;
      if (!sadirname(&sa, at, strlen(at)) || !stralloc_0(&sa)) return at ;
      at = joined(sa.s, link.s) ;
    }
  }
  return at ;
}

struct fresh { char const *path ; char const *type ; } ;
static struct fresh const fresh[] = { { "/dev", "devtmpfs" }, { "/proc", "proc" }, { "/sys", "sysfs" }, { "/run", "tmpfs" } } ;

static void mount_fresh (char const *path)
{
  for (unsigned int k = 0 ; k < sizeof fresh / sizeof *fresh ; k++)
    if (!strcmp(path, fresh[k].path))
    {
      if (mount(fresh[k].type, path, fresh[k].type, MS_NOSUID | (k ? MS_NODEV : 0), 0) == -1) s4_warnsys("unable to mount a fresh ", path) ;
      else s4_verbose("mounted a fresh ", path) ;
      return ;
    }
  s4_warn("nothing is mounted on ", path, ", not moved") ;
}

static void bring (char const *old, char const *path)
{
  s4_mounts ms = S4_MOUNTS_ZERO ;
  char const *from = resolve_in(old, path) ;
  int i, parent ;
  if (!s4_make_path(path, 0)) s4_warnsys("unable to make the directory ", path) ;
  i = s4_mounts_load(&ms) ? mount_on(&ms, from) : -1 ;
  if (i == -1)
  {
    mount_fresh(path) ;
    return ;
  }
  parent = s4_mounts_parent(&ms, i) ;
  if (parent >= 0 && ms.m[parent].shared && mount(0, ms.m[parent].dir, 0, MS_PRIVATE, 0) == -1) s4_warnsys("unable to make private ", ms.m[parent].dir) ;
  if (mount(from, path, 0, MS_MOVE, 0) == 0) s4_verbose("moved ", from, " to ", path) ;
  else
  {
    s4_warnsys("unable to move ", from, " to ", path) ;
    mount_fresh(path) ;
  }
}

static void reopen (int fd)
{
  int new = fd ? open("/dev/console", O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC) : -1 ;
  if (new >= 0) ndelay_off(new) ;
  else new = open("/dev/null", (fd ? O_WRONLY : O_RDONLY) | O_CLOEXEC) ;
  if (new == -1) close(fd) ;
  else if (new != fd)
  {
    dup2(new, fd) ;
    close(new) ;
  }
  else uncoe(fd) ;
}

static int is_below (char const *path, char const *dir)
{
  size_t len = strlen(dir) ;
  return !strncmp(path, dir, len) && (!path[len] || path[len] == '/') ;
}

static void release_fds (char const *old)
{
  s4_mounts ms = S4_MOUNTS_ZERO ;
  int listing = openat(s4_proc(), "self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC) ;
  DIR *dir = listing == -1 ? 0 : fdopendir(listing) ;
  struct dirent *d ;
  if (!dir || !s4_mounts_load(&ms))
  {
    s4_warnsys("unable to look for file descriptors that point into the old root") ;
    return ;
  }
  while ((d = readdir(dir)))
  {
    unsigned int fd ;
    int id, i ;
    if (!uint0_scan(d->d_name, &fd) || (int)fd == listing || (int)fd == s4_proc()) continue ;
    id = s4_mount_id((int)fd) ;
    i = id > 0 ? s4_mounts_find(&ms, (unsigned int)id) : -1 ;
    if (i == -1 || !is_below(ms.m[i].dir, old)) continue ;
    if (fd < 3) reopen((int)fd) ;
    else close((int)fd) ;
    s4_verbose("let go of fd ", S4_NUM(fd)) ;
  }
  closedir(dir) ;
}

static void set_environment (struct pivot *p, char const *old)
{
  stralloc path = STRALLOC_ZERO ;
  if (!s4_path_pivoted(&path, s4_nextpath(), p->newroot) || !s4_setenv("PATH", path.s)
   || !s4_setenv("STAGE4_OLDROOT", old) || !s4_setenv("STAGE4_RAMFS", 0)) s4_warnsys("unable to set the environment") ;
}

static int pivot (struct pivot *p)
{
  char const *old = joined("", p->oldroot) ;
  if (!prepare(p) || !change_root(p))
  {
    undo(p) ;
    return S4_LEFT ;
  }
  for (size_t i = 0 ; i < genalloc_len(char const *, &p->moves) ; i++) bring(old, genalloc_s(char const *, &p->moves)[i]) ;
  release_fds(old) ;
  set_environment(p, old) ;
  s4_info("pivoted to ", p->newroot, ", the old root is at ", old) ;
  if (getpid() != 1) s4_info("this is not pid 1: pid 1 keeps the old root busy") ;
  return S4_DONE ;
}

 /* Goes on along the line as it will be found after the pivot: inside. The walking child may chroot. */

static void walk_inside (struct pivot *p, char const *const *next)
{
  if (!p->newroot || !*next) return ;
  set_environment(p, joined("", p->oldroot)) ;
  s4_proc() ;   /* opened before it is out of reach */
  if (chdir(p->newroot) == -1 || chroot(".") == -1) s4_warnsys("unable to look into ", p->newroot, ", what follows is looked for outside") ;
}

static int look_inside (int fd, void *data)
{
  stralloc path = STRALLOC_ZERO ;
  char const *word = data ;
  (void)fd ;
  return chroot(".") == -1 || !s4_find_program(word, &path) ? errno : 0 ;
}

static int has_inside (struct pivot *p, char const *word)
{
  stralloc none = STRALLOC_ZERO, path = STRALLOC_ZERO ;
  stralloc const modifs = s4.modifs ;
  int r ;
  s4.modifs = (stralloc)STRALLOC_ZERO ;
  r = s4_path_pivoted(&path, s4_nextpath(), p->newroot) && s4_setenv("PATH", path.s)
   && chdir(p->newroot) == 0 && s4_ask(&look_inside, (void *)word, LOOK_TIMEOUT, &none) ;
  s4.modifs = modifs ;
  return r ;
}

static int is_usable (struct pivot *p, char const *const *next)
{
  stralloc why = STRALLOC_ZERO ;
  unsigned int stale ;
  if (s4_getenv("STAGE4_OLDROOT")) return (s4_warn("no pivot: this chain has pivoted already"), 0) ;
  if (!p->newroot) return (s4_warn("no pivot: no shutdown ramfs, neither -R nor STAGE4_RAMFS"), 0) ;
  if (!s4_ramfs_check(p->newroot, LOOK_TIMEOUT, &why, &stale)) return (s4_warn("no pivot: ", p->newroot, " can't be used: ", why.s), 0) ;
  if (*next && !has_inside(p, next[0])) return (s4_warnsys("no pivot: unable to find ", next[0], " in ", p->newroot), 0) ;
  return 1 ;
}

static int show_plan (struct pivot *p)
{
  s4_planline("pivot to ", p->newroot, ": the old root will be at /", p->oldroot) ;
  for (size_t i = 0 ; i < genalloc_len(char const *, &p->moves) ; i++) s4_planline("move ", genalloc_s(char const *, &p->moves)[i]) ;
  return S4_DONE ;
}

static void add_move (struct pivot *p, char const *path)
{
  if (!genalloc_append(char const *, &p->moves, &path)) s4_step_giveup(S4_NOTSTARTED) ;
}

int main (int argc, char const **argv, char const *const *envp)
{
  struct pivot p = { .oldroot = S4_OLDROOT, .moves = GENALLOC_ZERO, .ms = S4_MOUNTS_ZERO, .made_private = STRALLOC_ZERO } ;
  s4_step_init("stage4-pivot", USAGE, S4_DESTROYS, argv, envp) ;
  for (unsigned int k = 0 ; k < sizeof fresh / sizeof *fresh ; k++) add_move(&p, fresh[k].path) ;
  {
    subgetopt l = SUBGETOPT_ZERO ;
    for (;;)
    {
      int opt = s4_step_getopt(argc, argv, "R:o:m:", &l) ;
      if (opt == -1) break ;
      switch (opt)
      {
        case 'R' : if (*l.arg != '/' || !l.arg[1]) s4_step_badarg("new root (must begin with /)", l.arg) ; p.newroot = l.arg ; break ;
        case 'o' : if (!*l.arg || strchr(l.arg + (*l.arg == '/'), '/')) s4_step_badarg("old root (a name in the new root)", l.arg) ; p.oldroot = l.arg + (*l.arg == '/') ; break ;
        case 'm' : if (*l.arg != '/') s4_step_badarg("path (must begin with /)", l.arg) ; add_move(&p, l.arg) ; break ;
      }
    }
    argv += l.ind ;
  }
  if (!p.newroot) p.newroot = s4_getenv("STAGE4_RAMFS") ;
  if (s4.walking) walk_inside(&p, argv) ;
  s4_step_checked(argv, 0) ;
  if (s4.action == S4_RETURN) s4_step_refuse("after stage4-begin -A return the old root is still needed") ;

  if (!is_usable(&p, argv)) s4_step_next(argv, S4_LEFT) ;
  s4_step_next(argv, s4.dryrun ? show_plan(&p) : pivot(&p)) ;
}
