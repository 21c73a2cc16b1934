/* ISC license. */

/*
  stage4-umountall: unmounts everything it may. What stays although it should go is made read-only if it
  can lose data, and named with those who hold it.
*/

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <skalibs/genalloc.h>
#include <skalibs/sgetopt.h>
#include <skalibs/stralloc.h>

#include "stage4.h"

#define USAGE "stage4-umountall [ -v verbosity ] [ -f ] [ -n ] [ -T types ] [ -k path ]... [ -t timeout ] prog..."
#define LOOK_TIMEOUT 2000

struct paths
{
  genalloc keep ;          /* char const *: those of -k first */
  unsigned int ngiven ;
} ;

static char const *const *names (struct paths const *p)
{
  return genalloc_s(char const *, &p->keep) ;
}

 /* --- read-only: what can't be unmounted --- */

struct readonly
{
  s4_unmount const *u ;
  unsigned char *needed ;   /* of each superblock */
} ;

 /*
   A kept mount needs its superblock, and those that this lies on, but for the one that / is: nothing will be written
   there any more.
 */

static int find_needed (struct readonly *r)
{
  s4_unmount const *u = r->u ;
  r->needed = calloc(u->st.nsb + 1, 1) ;
  if (!r->needed) return 0 ;
  for (unsigned int i = 0 ; i < u->ms.n ; i++)
    if (u->plan.verdict[i] == S4_KEPT && strcmp(u->ms.m[i].dir, "/")) r->needed[u->st.sb[i]] = 1 ;
  s4_storage_spread(&u->st, r->needed) ;
  return 1 ;
}

static int may_be_readonly (s4_storage const *st, unsigned int k, void *data)
{
  struct readonly const *r = data ;
  return !r->needed[k] && s4_type_wanted(r->u->types, st->ms->m[st->first[k]].type) ;
}

 /* Then looks at what has become of it: what had to wait for that may go now. */

static int make_readonly (s4_unmount *u)
{
  struct readonly r = { .u = u } ;
  s4_superblocks sb ;
  unsigned int n ;
  if (s4.container)
  {
    s4_verbose("a container: the file systems are the host's, none is made read-only") ;
    return 1 ;
  }
  if (!find_needed(&r) || !s4_superblocks_find(&sb, &u->st, &may_be_readonly, &r)) return 0 ;
  n = sb.n ;
  if (n) s4_readonly_these(&u->st, &sb, u->timeout) ;
  s4_superblocks_free(&sb) ;
  free(r.needed) ;
  if (!n) return 1 ;
  return s4_unmount_plan(u) && (!s4_unmount_has_new(u) || s4_unmount_all(u)) && (!u->put_off || s4_unmount_force(u)) ;
}

 /* --- what other mount namespaces have --- */

struct elsewhere
{
  s4_mounts ms ;
  s4_storage st ;
  char const *types ;
} ;

static int is_elsewhere (s4_storage const *st, unsigned int k, void *data)
{
  struct elsewhere const *x = data ;
  return st->first[k] >= x->ms.nown && s4_type_wanted(x->types, st->ms->m[st->first[k]].type) ;
}

static int see_elsewhere (struct elsewhere *x)
{
  return s4_mounts_load_all(&x->ms) && s4_storage_find(&x->st, &x->ms) ;
}

static int make_elsewhere_readonly (s4_unmount const *u)
{
  struct elsewhere x = { .ms = S4_MOUNTS_ZERO, .types = u->types } ;
  s4_superblocks sb ;
  if (!see_elsewhere(&x) || !s4_superblocks_find(&sb, &x.st, &is_elsewhere, &x)) return 0 ;
  if (sb.n) s4_readonly_these(&x.st, &sb, u->timeout) ;
  s4_superblocks_free(&sb) ;
  s4_storage_free(&x.st) ;
  return 1 ;
}

 /* --- what is left after all --- */

 /* What was kept by request, and what that lies on, is no failure. */

static unsigned char *find_requested (s4_unmount const *u, struct paths const *p)
{
  unsigned char *requested = calloc(u->st.nsb + 1, 1) ;
  for (unsigned int i = 0 ; requested && i < u->ms.n ; i++)
  {
    int path = s4_kept_find(&u->kept, u->ms.m[i].id) ;
    if (path >= 0 && (unsigned int)path < p->ngiven) requested[u->st.sb[i]] = 1 ;
  }
  if (requested) s4_storage_spread(&u->st, requested) ;
  return requested ;
}

static void name_leftover (s4_unmount const *u, unsigned int i, char const *holders, int all_known)
{
  s4_mount const *m = u->ms.m + i ;
  char const *state = m->readonly ? ", read-only)" : ", writable)" ;
  unsigned int need = u->plan.needs_at[i] ;
  int carries = need < u->plan.needs_at[i+1] ;
  char const *why = holders ? ", held by " : carries ? ", carries "
   : all_known ? ", no process holds it" : ", not known who holds it" ;
  char const *who = holders ? holders : carries ? u->ms.m[u->plan.needs[need]].dir : 0 ;
  s4_warn("left: ", m->dir, " (", m->type, " on ", m->source, state, why, who) ;
}

struct left { int lossy, late ; } ;   /* something can be lost; it can because the time was up */

static struct left name_leftovers (s4_unmount const *u, struct paths const *p)
{
  genalloc which = GENALLOC_ZERO, holders = GENALLOC_ZERO ;
  unsigned char const *requested = find_requested(u, p) ;
  struct left left = { 0, 0 } ;
  int all_known ;
  unsigned int n, unnamed = 0 ;
  for (unsigned int i = 0 ; i < u->ms.n ; i++)
  {
    int hangs = s4_unmount_hangs(u, u->ms.m[i].id) ;
    int lossy = u->st.lossy[i] && s4_type_wanted(u->types, u->ms.m[i].type) && !(requested && requested[u->st.sb[i]]) ;
    left.lossy |= lossy ;
    left.late |= lossy && hangs ;
    if ((lossy || hangs || u->plan.verdict[i] == S4_GOES) && !genalloc_append(unsigned int, &which, &i)) unnamed++ ;
  }
  if (unnamed) s4_warnsys("left, and not named: ", S4_NUM(unnamed)) ;
  n = (unsigned int)genalloc_len(unsigned int, &which) ;
  all_known = n && s4_holders_find(&u->st.tree, genalloc_s(unsigned int, &which), n, LOOK_TIMEOUT, &holders) ;
  for (unsigned int k = 0 ; k < n ; k++)
  {
    unsigned int i = genalloc_s(unsigned int, &which)[k] ;
    name_leftover(u, i, s4_holders_name(&holders, i), all_known) ;
  }
  for (size_t k = 0 ; k < genalloc_len(s4_adrift, &u->adrift) ; k++)
  {
    left.lossy = left.late = 1 ;
    s4_warn("left: ", genalloc_s(s4_adrift, &u->adrift)[k].what, ", still being unmounted") ;
  }
  if (u->earlier)
  {
    left.lossy = left.late = 1 ;
    s4_unmounts_name(u->earlier) ;
  }
  return left ;
}

static int name_elsewhere (s4_unmount const *u, struct left *left)
{
  struct elsewhere x = { .ms = S4_MOUNTS_ZERO } ;
  genalloc which = GENALLOC_ZERO, holders = GENALLOC_ZERO ;
  if (!see_elsewhere(&x)) return 0 ;
  for (unsigned int i = x.ms.nown ; i < x.ms.n ; i++)
    if (s4_type_wanted(u->types, x.ms.m[i].type) && !genalloc_append(unsigned int, &which, &i)) return 0 ;
  if (!which.len) return 1 ;
  left->lossy = 1 ;
  s4_holders_find(&x.st.tree, genalloc_s(unsigned int, &which), (unsigned int)genalloc_len(unsigned int, &which),
    LOOK_TIMEOUT, &holders) ;
  for (size_t k = 0 ; k < genalloc_len(unsigned int, &which) ; k++)
  {
    unsigned int i = genalloc_s(unsigned int, &which)[k] ;
    char const *who = s4_holders_name(&holders, i) ;
    s4_warn("left: ", S4_MOUNT(x.ms.m + i), ", writable in another mount namespace", who ? ", held by " : "", who) ;
  }
  return 1 ;
}

static void name_hidden (s4_unmount const *u)
{
  for (unsigned int i = 0 ; i < u->ms.n ; i++)
  {
    s4_mount const *m = u->ms.m + i ;
    if (u->plan.verdict[i] == S4_HIDDEN)
      s4_warn("can't reach ", S4_MOUNT(m), ", hidden under ",
        u->ms.m[u->plan.because[i]].dir) ;
  }
}

static int shows_root (s4_mounts const *ms)
{
  for (unsigned int i = 0 ; i < ms->n ; i++) if (!strcmp(ms->m[i].dir, "/")) return 1 ;
  s4_warn("/proc/self/mountinfo shows no mount for /: this can't be all there is") ;
  return 0 ;
}

static int not_seen (void)
{
  s4_warnsys("unable to see what other mount namespaces have") ;
  return 1 ;
}

static int umountall (s4_unmount *u, struct paths const *p)
{
  s4_ms const start = s4_now() ;
  struct left left ;
  int failed = 0 ;
  if (!s4_unmount_all(u) || !s4_unmount_force(u))
  {
    s4_warnsys("unable to go on unmounting") ;
    failed = 1 ;
    if (!s4_unmount_plan(u)) return u->unmounted ? S4_LEFT : S4_NOTSTARTED ;
  }
  failed |= !s4.container && !make_elsewhere_readonly(u) && not_seen() ;
  if (!make_readonly(u))
  {
    s4_warnsys("unable to make anything read-only") ;
    failed = 1 ;
    if (!s4_unmount_plan(u)) return S4_LEFT ;
  }
  s4_unmount_see_adrift(u) ;
  failed |= !shows_root(&u->ms) ;
  left = name_leftovers(u, p) ;
  failed |= !name_elsewhere(u, &left) && not_seen() ;
  name_hidden(u) ;
  s4_info("unmounted ", S4_NUM(u->unmounted), u->detached ? ", detached " : "", u->detached ? S4_NUM(u->detached) : "",
    ", left ", S4_NUM(u->ms.n), ", after ", S4_MS(s4_now() - start)) ;
  if (s4.container) left.lossy = left.late = 0 ;
  return left.late ? S4_LATE : failed || left.lossy ? S4_LEFT : S4_DONE ;
}

 /* --- -n --- */

static void show_elsewhere (s4_unmount const *u)
{
  struct elsewhere x = { .ms = S4_MOUNTS_ZERO } ;
  if (s4.container) return ;
  if (!see_elsewhere(&x))
  {
    s4_warnsys("unable to see what other mount namespaces have") ;
    return ;
  }
  for (unsigned int i = x.ms.nown ; i < x.ms.n ; i++)
  {
    s4_mount const *m = x.ms.m + i ;
    if (x.st.first[x.st.sb[i]] != i) continue ;   /* once for all namespaces that have it */
    if (s4_type_wanted(u->types, m->type))
      s4_planline("make read-only ", S4_MOUNT(m), ": only another mount namespace has it") ;
    else s4_planline("leave ", m->dir, ": ", m->type, " was not asked for") ;
  }
}

 /* And it is not known that it is one. */

static int may_be_layer (s4_unmount const *u, unsigned int i)
{
  s4_edge const *e = genalloc_s(s4_edge, &u->st.edges) ;
  int maybe = 0 ;
  for (size_t k = 0 ; k < genalloc_len(s4_edge, &u->st.edges) ; k++)
  {
    if (e[k].then != i || e[k].first != u->plan.because[i]) continue ;
    if (e[k].kind != S4_EDGE_MAYBE) return 0 ;
    maybe = 1 ;
  }
  return maybe ;
}

static void show_stay (s4_unmount const *u, struct paths const *p, unsigned int i)
{
  s4_mount const *m = u->ms.m + i ;
  char const *because = u->ms.m[u->plan.because[i]].dir ;
  int path = s4_kept_find(&u->kept, m->id) ;
  switch (u->plan.verdict[i])
  {
    case S4_KEPT :
      if (path == -1) s4_planline("keep ", m->dir, ": something kept is mounted on it") ;
      else s4_planline("keep ", m->dir, ": ", names(p)[path], " is there, or reached through it") ;
      break ;
    case S4_NOT_WANTED : s4_planline("leave ", m->dir, ": ", m->type, " was not asked for") ; break ;
    case S4_CARRIES :
      if (may_be_layer(u, i)) s4_planline("leave ", m->dir, " until it is read-only: it may be a layer of ", because) ;
      else s4_planline("leave ", m->dir, ": carries ", because) ;
      break ;
    case S4_HIDDEN : s4_planline("leave ", m->dir, ": hidden under ", because) ; break ;
    default : break ;
  }
}

static int show_plan (s4_unmount *u, struct paths const *p)
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
  for (unsigned int i = 0 ; i < u->ms.n ; i++) show_stay(u, p, i) ;
  show_elsewhere(u) ;
  return S4_DONE ;
}

static void keep (struct paths *p, char const *path)
{
  if (path && !genalloc_append(char const *, &p->keep, &path)) s4_step_nomem() ;
}

int main (int argc, char const **argv, char const *const *envp)
{
  static char const *const always[] = { "/", "/dev", "/proc", "/sys", "/run" } ;
  struct paths p = { .keep = GENALLOC_ZERO } ;
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
        case 'k' : keep(&p, s4_step_path("path (must begin with /)", l.arg)) ; break ;
        case 't' : u.timeout = s4_step_time(l.arg, 0) ; break ;
      }
    }
    argv += l.ind ;
  }
  s4_step_checked(argv, 0) ;

  p.ngiven = (unsigned int)genalloc_len(char const *, &p.keep) ;
  keep(&p, s4_getenv("STAGE4_RAMFS")) ;
  for (unsigned int i = 0 ; i < sizeof always / sizeof *always ; i++) keep(&p, always[i]) ;
  u.keep = names(&p) ;
  u.nkeep = (unsigned int)genalloc_len(char const *, &p.keep) ;
  s4_step_next(argv, s4.dryrun ? show_plan(&u, &p) : umountall(&u, &p)) ;
}
