/* ISC license. */

/*
  stage4-umountall: unmounts everything it may. What stays although it should go is made read-only if it
  can lose data, and named with those who hold it.
*/

#include <errno.h>
#include <string.h>

#include <skalibs/genalloc.h>
#include <skalibs/sgetopt.h>

#include "stage4.h"

#define USAGE "stage4-umountall [ -v verbosity ] [ -f ] [ -n ] [ -T types ] [ -k path ]... [ -t timeout ] prog..."

static int shows_root (s4_mounts const *ms)
{
  for (unsigned int i = 0 ; i < ms->n ; i++) if (!strcmp(ms->m[i].dir, "/")) return 1 ;
  s4_warn("/proc/self/mountinfo shows no mount for /: this can't be all there is") ;
  return 0 ;
}

static void report (s4_unmount const *u, s4_ms start)
{
  s4_info("unmounted ", S4_NUM(u->unmounted), u->detached ? ", detached " : "", u->detached ? S4_NUM(u->detached) : "",
    ", left ", S4_NUM(u->ms.n), ", after ", S4_MS(s4_now() - start)) ;
}

static int umountall (s4_unmount *u)
{
  s4_ms const start = s4_now() ;
  s4_left left ;
  int failed = 0 ;
  if (s4.container && !s4_part_from_host())
  {
    s4_warnsys("unable to keep from the host what is unmounted here") ;
    u->shares = 1 ;
  }
  if (!s4_unmount_all(u) || !s4_unmount_force(u))
  {
    s4_warnsys("unable to go on unmounting") ;
    failed = 1 ;
    if (!s4_unmount_plan(u)) return u->unmounted ? S4_LEFT : S4_NOTSTARTED ;
  }
  if (!s4_unmount_readonly_elsewhere(u))
  {
    s4_mounts_warn_unseen(errno) ;
    failed = 1 ;
  }
  if (!s4_unmount_readonly(u))
  {
    s4_warnsys("unable to make anything read-only") ;
    failed = 1 ;
    if (!s4_unmount_plan(u)) return S4_LEFT ;
  }
  s4_unmount_check_pending(u) ;
  failed |= !shows_root(&u->ms) ;
  if (!s4_unmount_name_left(u, &left)) failed = 1 ;
  report(u, start) ;
  if (s4.container) left.at_risk = left.late = 0 ;
  return left.late ? S4_LATE : failed || left.at_risk ? S4_LEFT : S4_DONE ;
}

 /* --- -n --- */

static void show_elsewhere (s4_unmount const *u)
{
  s4_mounts ms = S4_MOUNTS_ZERO ;
  s4_storage st ;
  if (s4.container) return ;
  if (!s4_storage_load_all(&st, &ms))
  {
    s4_mounts_warn_unseen(errno) ;
    return ;
  }
  if (ms.unseen) s4_mounts_warn_unseen(ms.unseen) ;
  for (unsigned int k = 0 ; k < st.nsb ; k++)
  {
    s4_mount const *m = ms.m + st.first[k] ;
    if (st.first[k] < ms.nown) continue ;
    if (s4_type_wanted(u->types, m->type))
      s4_planline("make read-only ", S4_MOUNT(m), ": only another mount namespace has it") ;
    else s4_planline("leave ", m->dir, ": ", m->type, " was not asked for") ;
  }
}

static void show_stay (s4_unmount const *u, unsigned int i)
{
  s4_mount const *m = u->ms.m + i ;
  char const *because = u->ms.m[u->plan.because[i]].dir ;
  int path = s4_kept_find(&u->kept, m->id) ;
  switch (u->plan.verdict[i])
  {
    case S4_KEPT :
      if (path == -1) s4_planline("keep ", m->dir, ": something kept is mounted on it") ;
      else s4_planline("keep ", m->dir, ": ", u->keep[path], " is there, or reached through it") ;
      break ;
    case S4_NOT_WANTED : s4_planline("leave ", m->dir, ": ", m->type, " was not asked for") ; break ;
    case S4_CARRIES :
      if (s4_unmount_may_be_layer(u, i))
        s4_planline("leave ", m->dir, " until it is read-only: it may be a layer of ", because) ;
      else s4_planline("leave ", m->dir, ": carries ", because) ;
      break ;
    case S4_HIDDEN : s4_planline("leave ", m->dir, ": hidden under ", because) ; break ;
    default : break ;
  }
}

static int show_plan (s4_unmount *u)
{
  if (!s4_unmount_plan(u))
  {
    s4_fatalsys("unable to read /proc/self/mountinfo") ;
    return S4_NOTSTARTED ;
  }
  for (unsigned int t = 0 ; t < u->plan.n ; t++)
  {
    s4_mount const *m = u->ms.m + u->plan.order[t] ;
    s4_planline("unmount ", m->dir, ": ", m->type, " on ", m->source) ;
  }
  for (unsigned int i = 0 ; i < u->ms.n ; i++) show_stay(u, i) ;
  show_elsewhere(u) ;
  return S4_DONE ;
}

static void add_path (genalloc *paths, char const *path)
{
  if (path && !genalloc_append(char const *, paths, &path)) s4_step_nomem() ;
}

int main (int argc, char const **argv, char const *const *envp)
{
  static char const *const always[] = { "/", "/dev", "/proc", "/sys", "/run" } ;
  genalloc keep = GENALLOC_ZERO ;   /* char const * */
  s4_unmount u = { .timeout = 10000 } ;
  s4_step_init("stage4-umountall", USAGE, S4_DESTROYS | S4_FINISHES, argv, envp) ;
  {
    subgetopt l = SUBGETOPT_ZERO ;
    for (;;)
    {
      int opt = s4_step_getopt(argc, argv, "T:k:t:", &l) ;
      if (opt == -1) break ;
      switch (opt)
      {
        case 'T' : if (!*l.arg) s4_step_badarg("types", l.arg) ; u.types = l.arg ; break ;
        case 'k' : add_path(&keep, s4_step_path("path (must begin with /)", l.arg)) ; break ;
        case 't' : u.timeout = s4_step_time(l.arg, 0) ; break ;
      }
    }
    argv += l.ind ;
  }
  s4_step_checked(argv, 0) ;

  u.nasked = (unsigned int)genalloc_len(char const *, &keep) ;
  add_path(&keep, s4_getenv("STAGE4_RAMFS")) ;
  for (unsigned int i = 0 ; i < sizeof always / sizeof *always ; i++) add_path(&keep, always[i]) ;
  u.keep = genalloc_s(char const *, &keep) ;
  u.nkeep = (unsigned int)genalloc_len(char const *, &keep) ;
  s4_step_next(argv, s4.dryrun ? show_plan(&u) : umountall(&u)) ;
}
