/* ISC license. */

/* What there is to tear down, counted. */

#include <skalibs/nonposix.h>

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <skalibs/genalloc.h>
#include <skalibs/stralloc.h>

#include "stage4.h"

static int count_if_used (char const *name, void *data)
{
  unsigned int *n = data ;
  *n += s4_block_kind(name) != S4_NO_BLOCK ;
  return 1 ;
}

static int devices_count (unsigned int *n)
{
  return s4_sys_each("/sys/block", &count_if_used, n) == 1 ;
}

static int swaps_count (unsigned int *n)
{
  stralloc text = STRALLOC_ZERO ;
  genalloc swaps = GENALLOC_ZERO ;
  int known = s4_swaps_load(&text, &swaps) ;
  *n = (unsigned int)genalloc_len(s4_swap, &swaps) ;
  stralloc_free(&text) ;
  genalloc_free(s4_swap, &swaps) ;
  return known ;
}

 /*
   A worker that was given up is still in its system call, and the mount has left the table before the flush begins.
 */

struct unmounting
{
  genalloc const *but ;    /* pid_t */
  unsigned int n ;
} ;

static int count_if_unmounting (pid_t pid, void *data)
{
  struct unmounting *x = data ;
  s4_process p ;
  if (pid != getpid() && !s4_pids_have(x->but, pid) && s4_process_read(pid, &p) && !p.dead && !p.uid)
    x->n += !strncmp(p.comm, S4_UNMOUNTING, strlen(S4_UNMOUNTING)) ;
  return 1 ;
}

static int has_children (void)
{
  siginfo_t si ;
  return !waitid(P_ALL, 0, &si, WEXITED | WNOHANG | WNOWAIT) || errno != ECHILD ;
}

 /* In a block of stage4-settle earlier rounds had other pids; what they have left behind belongs to it. */

static int has_siblings (void)
{
  genalloc pids = GENALLOC_ZERO ;   /* pid_t */
  pid_t parent = getppid() ;
  int r = parent > 0 && (!s4_proc_children(parent, &pids) || genalloc_len(pid_t, &pids) > 1) ;
  genalloc_free(pid_t, &pids) ;
  return r ;
}

 /* The children are those of earlier programs, too: it is the same process. Pid 1 has the orphans as well. */

unsigned int s4_unmounts_count (int all, genalloc const *but)
{
  static genalloc const none = GENALLOC_ZERO ;
  struct unmounting x = { .but = but ? but : &none } ;
  if ((!all || getpid() == 1) && !has_children() && (getpid() == 1 || !has_siblings())) return 0 ;
  s4_processes(&count_if_unmounting, &x) ;
  return x.n ;
}

void s4_unmounts_name (unsigned int n)
{
  s4_warn("left: ", S4_NUM(n), " unmounts of an earlier step, still under way") ;
}

int s4_leftovers_count (s4_leftovers *l)
{
  s4_mounts ms = S4_MOUNTS_ZERO ;
  s4_storage st ;
  int known, unknown ;
  *l = (s4_leftovers){ .mounts = 0 } ;
  if (!devices_count(&l->devices) || !swaps_count(&l->swaps)) return 0 ;
  known = s4_storage_load_whole(&st, &ms, 0) ;
  if (!known) return 0 ;
  unknown = known == -1 ? errno : ms.unseen ;
  l->mounts = ms.nown ;
  for (unsigned int k = 0 ; k < st.nsb ; k++)
    if (ms.m[st.first[k]].in_no_table) l->unseen++ ;
    else l->writable += st.at_risk[st.first[k]] ;
  s4_storage_free(&st) ;
  s4_mounts_free(&ms) ;
  return unknown ? (errno = unknown, -1) : 1 ;
}
