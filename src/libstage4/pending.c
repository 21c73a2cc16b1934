/* ISC license. */

/*
  Unmounts that were given up. The kernel goes on with them; a mount leaves the table before its file system is
  flushed, so the table alone doesn't say that all is well.
*/

#include <string.h>

#include <skalibs/genalloc.h>
#include <skalibs/stralloc.h>

#include "stage4.h"

int s4_unmount_may_flush (s4_unmount const *u, unsigned int i)
{
  return u->st.at_risk[i] || s4_is_namespace(u->ms.m + i) ;
}

int s4_unmount_note_given_up (s4_unmount *u, unsigned int i, pid_t worker)
{
  s4_mount const *m = u->ms.m + i ;
  s4_stuck *x = s4_stuck_note(u, m->id) ;
  s4_pending a = { .id = m->id, .worker = worker, .device = s4_mount_device(m) } ;
  if (!x) return 0 ;
  x->hung = x->given_up = 1 ;
  if (!s4_unmount_may_flush(u, i)) return 1 ;
  a.what = s4_concat(S4_MOUNT(m)) ;
  a.dirlen = strlen(m->dir) ;
  return genalloc_append(s4_pending, &u->pending, &a) ;
}

static int is_in_table (s4_unmount const *u, s4_pending const *a)
{
  unsigned int i = s4_tree_find(&u->st.tree, a->id) ;
  return i != S4_NONE && strlen(u->ms.m[i].dir) == a->dirlen && !strncmp(u->ms.m[i].dir, a->what, a->dirlen) ;
}

 /* The same mount may have been given up more than once: the last of the living counts, else the first. */

static void see_each_once (s4_unmount *u)
{
  s4_pending *a = genalloc_s(s4_pending, &u->pending) ;
  size_t n = 0 ;
  for (size_t k = 0 ; k < genalloc_len(s4_pending, &u->pending) ; k++)
  {
    size_t same = 0 ;
    while (same < n && a[same].id != a[k].id) same++ ;
    if (same == n) a[n++] = a[k] ;
    else if (a[k].alive) a[same] = a[k] ;
  }
  genalloc_setlen(s4_pending, &u->pending, n) ;
}

 /* Not ours: counted before it is known which of ours have ended, so that none of these is taken for another's. */

static unsigned int count_earlier (s4_unmount const *u)
{
  s4_pending const *x = genalloc_s(s4_pending, &u->pending) ;
  genalloc ours = GENALLOC_ZERO ;
  unsigned int n ;
  for (size_t k = 0 ; k < genalloc_len(s4_pending, &u->pending) ; k++)
    if (!genalloc_append(pid_t, &ours, &x[k].worker)) break ;
  n = s4_unmounts_count(0, &ours) ;
  genalloc_free(pid_t, &ours) ;
  return n ;
}

void s4_unmount_check_pending (s4_unmount *u)
{
  s4_pending *x = genalloc_s(s4_pending, &u->pending) ;
  size_t n = 0 ;
  u->earlier = count_earlier(u) ;
  for (size_t k = 0 ; k < genalloc_len(s4_pending, &u->pending) ; k++)
  {
    int wstat ;
    x[k].alive = !s4_wait(x[k].worker, 0, &wstat) ;
  }
  see_each_once(u) ;
  for (size_t k = 0 ; k < genalloc_len(s4_pending, &u->pending) ; k++)
  {
    if (is_in_table(u, x + k)) continue ;   /* named as any other */
    if (x[k].alive) x[n++] = x[k] ;
    else
    {
      u->unmounted++ ;
      s4_verbose("unmounted ", x[k].what, " after all") ;
    }
  }
  genalloc_setlen(s4_pending, &u->pending, n) ;
}
