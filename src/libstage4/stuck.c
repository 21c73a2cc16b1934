/* ISC license. */

/* What is known of mounts that did not go, from pass to pass: by their ids, as indices change with the table. */

#include <stdlib.h>

#include <skalibs/genalloc.h>

#include "stage4.h"

static int compare_stuck (void const *a, void const *b)
{
  unsigned int x = ((s4_stuck const *)a)->id, y = ((s4_stuck const *)b)->id ;
  return x < y ? -1 : x > y ;
}

s4_stuck *s4_stuck_find (s4_unmount const *u, unsigned int id)
{
  s4_stuck const key = { .id = id } ;
  return u->nstuck ? bsearch(&key, u->stuck.s, u->nstuck, sizeof key, &compare_stuck) : 0 ;
}

 /* New ones stand at the end until the pass is over. */

s4_stuck *s4_stuck_note (s4_unmount *u, unsigned int id)
{
  s4_stuck const fresh = { .id = id } ;
  s4_stuck *x = s4_stuck_find(u, id) ;
  if (x) return x ;
  if (!genalloc_append(s4_stuck, &u->stuck, &fresh)) return 0 ;
  return genalloc_s(s4_stuck, &u->stuck) + genalloc_len(s4_stuck, &u->stuck) - 1 ;
}

void s4_stuck_sort (s4_unmount *u)
{
  u->nstuck = genalloc_len(s4_stuck, &u->stuck) ;
  if (u->nstuck) qsort(u->stuck.s, u->nstuck, sizeof(s4_stuck), &compare_stuck) ;
}

int s4_unmount_hangs (s4_unmount const *u, unsigned int id)
{
  s4_stuck const *x = s4_stuck_find(u, id) ;
  return x && x->hung ;
}

int s4_unmount_some_hang (s4_unmount const *u)
{
  for (size_t k = 0 ; k < u->nstuck ; k++) if (genalloc_s(s4_stuck, &u->stuck)[k].hung) return 1 ;
  return 0 ;
}
