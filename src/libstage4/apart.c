/* ISC license. */

/*
  A container's mounts, which may be shared with the host: what is unmounted here must not go there, too. It does so if
  what carries it is shared.
*/

#include <skalibs/nonposix.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>

#include "stage4.h"

#define TIMEOUT 2000

static int make_all_slaves (void)
{
  return mount(0, "/", 0, MS_REC | MS_SLAVE, 0) != -1 ;
}

 /* None of these mounts lies on a shared one. */

static int are_apart (s4_mounts const *own, s4_mounts const *all)
{
  s4_tree t ;
  if (!s4_tree_make(&t, all)) return 0 ;
  for (unsigned int i = 0 ; i < own->n ; i++)
  {
    unsigned int parent = s4_tree_find(&t, own->m[i].parent) ;
    if (strcmp(own->m[i].dir, "/") && (parent == S4_NONE || all->m[parent].shared)) return (errno = EBUSY, 0) ;
  }
  return 1 ;
}

 /* setns(2) to its own mount namespace takes a process from its chroot to the root of that. */

static int make_slaves_from_above (void)
{
  s4_mounts own = S4_MOUNTS_ZERO, all = S4_MOUNTS_ZERO ;
  int ns = openat(s4_proc(), "self/ns/mnt", O_RDONLY | O_CLOEXEC) ;
  return ns != -1 && s4_mounts_load(&own) && setns(ns, CLONE_NEWNS) != -1 && make_all_slaves()
   && s4_mounts_load(&all) && are_apart(&own, &all) ;
}

 /* In a child, because / may lie on what hangs; it has the same mount namespace. */

static int make_slaves (int fd, void *data)
{
  (void)fd ;
  (void)data ;
  return make_all_slaves() || make_slaves_from_above() ? 0 : errno ;
}

 /* In a chroot / may be no mount point, and what carries the mounts here is not in sight. */

int s4_part_from_host (void)
{
  stralloc nothing = STRALLOC_ZERO ;
  return s4_ask(&make_slaves, 0, TIMEOUT, &nothing) ;
}
