/* ISC license. */

/* Types of file systems: what can lose data, what -T means. */

#include "stage4.h"
#include "tap.h"

static struct { char const *type ; enum s4_fsclass_e class ; } const classes[] =
{
  { "proc", S4_FS_PSEUDO }, { "sysfs", S4_FS_PSEUDO }, { "devtmpfs", S4_FS_PSEUDO }, { "devpts", S4_FS_PSEUDO }, { "tmpfs", S4_FS_PSEUDO },
  { "ramfs", S4_FS_PSEUDO }, { "rootfs", S4_FS_PSEUDO }, { "cgroup", S4_FS_PSEUDO }, { "cgroup2", S4_FS_PSEUDO }, { "autofs", S4_FS_PSEUDO },
  { "fusectl", S4_FS_PSEUDO }, { "nfsd", S4_FS_PSEUDO }, { "rpc_pipefs", S4_FS_PSEUDO }, { "efivarfs", S4_FS_PSEUDO }, { "nsfs", S4_FS_PSEUDO },
  { "binfmt_misc", S4_FS_PSEUDO }, { "bpf", S4_FS_PSEUDO }, { "mqueue", S4_FS_PSEUDO }, { "hugetlbfs", S4_FS_PSEUDO },
  { "nfs", S4_FS_NETWORK }, { "nfs4", S4_FS_NETWORK }, { "cifs", S4_FS_NETWORK }, { "smb3", S4_FS_NETWORK }, { "9p", S4_FS_NETWORK },
  { "ceph", S4_FS_NETWORK }, { "virtiofs", S4_FS_NETWORK }, { "afs", S4_FS_NETWORK },
  { "fuse", S4_FS_FUSE }, { "fuse.sshfs", S4_FS_FUSE }, { "fuse.", S4_FS_FUSE },
  { "fuseblk", S4_FS_DISK }, { "fuseblk.ntfs", S4_FS_DISK }, { "ext2", S4_FS_DISK }, { "ext4", S4_FS_DISK }, { "xfs", S4_FS_DISK }, { "btrfs", S4_FS_DISK },
  { "vfat", S4_FS_DISK }, { "f2fs", S4_FS_DISK }, { "zfs", S4_FS_DISK }, { "overlay", S4_FS_DISK }, { "squashfs", S4_FS_DISK }, { "ubifs", S4_FS_DISK },
  { "ntfs3", S4_FS_DISK }, { "gfs2", S4_FS_DISK }, { "ecryptfs", S4_FS_DISK },
  { "something-new", S4_FS_DISK }, { "", S4_FS_DISK }, { "nfs5", S4_FS_DISK }, { "NFS", S4_FS_DISK }, { "pro", S4_FS_DISK }, { "procfs", S4_FS_DISK }
} ;

static struct { char const *list ; char const *type ; int wanted ; } const wants[] =
{
  { 0, "ext4", 1 }, { 0, "", 1 },
  { "ext4", "ext4", 1 }, { "ext4", "ext3", 0 }, { "ext4", "ext", 0 }, { "ext4", "ext45", 0 }, { "ext4", "", 0 },
  { "ext4,xfs", "ext4", 1 }, { "ext4,xfs", "xfs", 1 }, { "ext4,xfs", "btrfs", 0 }, { "ext4,xfs", "ext4,xfs", 0 }, { "ext4,xfs", "x", 0 },
  { "nfs", "nfs", 1 }, { "nfs", "nfs4", 0 }, { "nilfs2", "nilfs2", 1 }, { "ntfs3", "ext4", 0 },
  { "nonfs", "nfs", 0 }, { "nonfs", "nfs4", 1 }, { "nonfs", "ext4", 1 }, { "nonfs", "", 1 },
  { "nonfs,nocifs", "nfs", 0 }, { "nonfs,nocifs", "cifs", 0 }, { "nonfs,nocifs", "ext4", 1 }, { "nonfs,nocifs", "nocifs", 1 },
  { "nonfs,cifs", "cifs", 0 }, { "nonfs,cifs", "nfs", 0 }, { "nonfs,cifs", "ext4", 1 },   /* as mount(8) has it: the first "no" is for all */
  { "ext4,", "ext4", 1 }, { ",ext4", "ext4", 1 }, { "ext4,,xfs", "xfs", 1 }, { "ext4,", "xfs", 0 },
  { "fuse.sshfs", "fuse.sshfs", 1 }, { "fuse", "fuse.sshfs", 0 }
} ;

int main (void)
{
  for (size_t i = 0 ; i < sizeof classes / sizeof *classes ; i++)
    ok(s4_fsclass(classes[i].type) == classes[i].class, "the class of \"%s\"", classes[i].type) ;
  for (size_t i = 0 ; i < sizeof wants / sizeof *wants ; i++)
    ok(!!s4_type_wanted(wants[i].list, wants[i].type) == wants[i].wanted, "-T %s: \"%s\" is %swanted", wants[i].list ? wants[i].list : "(none)",
       wants[i].type, wants[i].wanted ? "" : "not ") ;
  return done() ;
}
