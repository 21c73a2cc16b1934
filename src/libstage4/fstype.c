/* ISC license. */

/* What kind of thing a file system type is. What is not known here can lose data. */

#include <stdlib.h>
#include <string.h>

#include "stage4.h"

static char const *const pseudo[] =
{
  "autofs", "binder", "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "cpuset", "debugfs", "devfs", "devpts",
  "devtmpfs", "efivarfs", "functionfs", "fusectl", "gadgetfs", "hugetlbfs", "ipathfs", "mqueue", "nfsd", "nsfs",
  "oprofilefs", "proc", "pstore", "ramfs", "resctrl", "rootfs", "rpc_pipefs", "securityfs", "selinuxfs", "smackfs",
  "spufs", "sysfs", "tmpfs", "tracefs", "usbfs", "xenfs"
} ;

static char const *const network[] =
  { "9p", "acfs", "afs", "beegfs", "ceph", "cifs", "coda", "glusterfs", "lustre", "ncp", "ncpfs", "nfs", "nfs4",
    "orangefs", "pvfs2", "smb3", "smbfs", "virtiofs" } ;

static int compare (void const *type, void const *entry)
{
  return strcmp(type, *(char const *const *)entry) ;
}

static int one_of (char const *const *sorted, size_t n, char const *type)
{
  return !!bsearch(type, sorted, n, sizeof *sorted, &compare) ;
}

enum s4_fsclass_e s4_fsclass (char const *type)
{
  if (one_of(pseudo, sizeof pseudo / sizeof *pseudo, type)) return S4_FS_PSEUDO ;
  if (one_of(network, sizeof network / sizeof *network, type)) return S4_FS_NETWORK ;
  if (!strcmp(type, "fuse") || !strncmp(type, "fuse.", 5)) return S4_FS_FUSE ;   /* fuseblk is a disk */
  return S4_FS_DISK ;
}

int s4_may_hang (char const *type)
{
  enum s4_fsclass_e c = s4_fsclass(type) ;
  return c == S4_FS_NETWORK || c == S4_FS_FUSE ;
}

int s4_is_namespace (s4_mount const *m)
{
  return !strcmp(m->type, "nsfs") ;
}

int s4_type_wanted (char const *list, char const *type)
{
  size_t typelen = strlen(type) ;
  int negative ;
  if (!list) return 1 ;
  negative = !strncmp(list, "no", 2) ;
  for (;;)
  {
    size_t n = strcspn(list, ",") ;
    size_t skip = negative && !strncmp(list, "no", 2) ? 2 : 0 ;
    if (n - skip == typelen && !strncmp(list + skip, type, typelen)) return !negative ;
    if (!list[n]) return negative ;
    list += n + 1 ;
  }
}
