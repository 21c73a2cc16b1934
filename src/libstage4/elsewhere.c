/* ISC license. */

/*
  File systems that are mounted in other mount namespaces only, those of processes that were spared: unmounted here,
  they stay writable there.
*/

#include <skalibs/nonposix.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <skalibs/genalloc.h>
#include <skalibs/stralloc.h>

#include "stage4.h"

#define NSNAME_MAX 64     /* of a namespace: "mnt:[4026531841]" */

struct search
{
  s4_mounts const *own ;
  stralloc seen ;       /* names of namespaces, each with its 0 */
  genalloc found ;      /* s4_mount */
} ;

static int is_new (struct search *x, pid_t pid)
{
  char name[S4_PROCNAME] ;
  char ns[NSNAME_MAX] ;
  ssize_t r = readlinkat(s4_proc(), s4_proc_name(name, pid, "/ns/mnt"), ns, sizeof ns - 1) ;
  if (r <= 0) return 0 ;
  ns[r] = 0 ;
  for (size_t i = 0 ; i < x->seen.len ; i += strlen(x->seen.s + i) + 1) if (!strcmp(x->seen.s + i, ns)) return 0 ;
  return stralloc_catb(&x->seen, ns, (size_t)r + 1) ;
}

static int is_only_there (s4_mounts const *own, s4_mount const *m)
{
  if (m->readonly || s4_fsclass(m->type) != S4_FS_DISK) return 0 ;
  for (unsigned int i = 0 ; i < own->n ; i++) if (s4_same_superblock(own->m + i, m)) return 0 ;
  return 1 ;
}

 /* A mount more than once, by way of several namespaces or places, does no harm: it is one superblock. */

int s4_mounts_pick_elsewhere (s4_mounts const *own, s4_mount const *there, size_t n, pid_t pid, genalloc *found)
{
  for (size_t k = 0 ; k < n ; k++)
  {
    s4_mount m = there[k] ;
    if (!is_only_there(own, &m)) continue ;
    m.dir = s4_concat("/proc/", S4_NUM(pid), "/root", strcmp(m.dir, "/") ? m.dir : "") ;
    if (!*m.dir || !genalloc_append(s4_mount, found, &m)) return 0 ;
  }
  return 1 ;
}

 /* The text stays if something points into it. */

static int look_at_process (pid_t pid, void *data)
{
  struct search *x = data ;
  stralloc text = STRALLOC_ZERO ;
  genalloc mounts = GENALLOC_ZERO ;
  char name[S4_PROCNAME] ;
  size_t const before = genalloc_len(s4_mount, &x->found) ;
  int ok = 1 ;
  if (!is_new(x, pid)) return 1 ;
  if (s4_proc_read(s4_proc_name(name, pid, "/mountinfo"), &text))
    ok = s4_mountinfo_parse(&text, &mounts)
     && s4_mounts_pick_elsewhere(x->own, genalloc_s(s4_mount, &mounts), genalloc_len(s4_mount, &mounts), pid,
      &x->found) ;
  genalloc_free(s4_mount, &mounts) ;
  if (genalloc_len(s4_mount, &x->found) == before) stralloc_free(&text) ;
  return ok ;
}

static int append (s4_mounts *ms, s4_mount const *m, unsigned int n)
{
  s4_mount *all = realloc(ms->m, (ms->n + n) * sizeof(s4_mount)) ;
  if (!all) return 0 ;
  ms->m = all ;
  memcpy(all + ms->n, m, n * sizeof(s4_mount)) ;
  ms->n += n ;
  return 1 ;
}

int s4_mounts_load_all (s4_mounts *ms)
{
  struct search x = { .own = ms, .seen = STRALLOC_ZERO, .found = GENALLOC_ZERO } ;
  int ok = s4_mounts_load(ms) ;
  if (!ok || s4.container) return ok ;
  is_new(&x, getpid()) ;
  ok = s4_processes(&look_at_process, &x) == 1 ;
  if (ok && genalloc_len(s4_mount, &x.found))
    ok = append(ms, genalloc_s(s4_mount, &x.found), (unsigned int)genalloc_len(s4_mount, &x.found)) ;
  stralloc_free(&x.seen) ;
  genalloc_free(s4_mount, &x.found) ;
  return ok ;
}
