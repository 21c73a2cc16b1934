/* ISC license. */

/* Which mounts of another mount namespace count as only there. */

#include "stage4.h"
#include "tap.h"

#define HERE \
  "20 1 254:0 / / rw - ext4 /dev/vda rw\n" \
  "21 20 254:1 / /home rw - ext4 /dev/vdb rw\n" \
  "22 20 254:2 / /ro ro - ext4 /dev/vdc ro\n" \
  "23 20 0:30 / /run rw - tmpfs run rw\n"

static struct { char const *what, *there, *picked ; } const tables[] =
{
  { "nothing", "", "" },
  { "a copy of this one", HERE, "" },
  { "a disk", HERE "30 20 254:3 / /data rw - xfs /dev/vdd rw\n", "/proc/7/root/data|" },
  { "its root", "30 1 254:3 / / rw - ext4 /dev/vdd rw\n", "/proc/7/root/|" },
  { "one that is read-only", "30 20 254:3 / /data rw - ext4 /dev/vdd ro\n", "" },
  { "one whose mount is read-only: the superblock counts", "30 20 254:3 / /data ro - ext4 /dev/vdd rw\n", "/proc/7/root/data|" },
  { "one that is here at another place", "30 20 254:1 / /elsewhere rw - ext4 /dev/vdb rw\n", "" },
  { "one of which a part is here", "30 20 254:1 /deep /elsewhere rw - ext4 /dev/vdb rw\n", "" },
  { "what can lose nothing",
    "30 20 0:40 / /tmp rw - tmpfs tmp rw\n31 20 0:41 / /net rw - nfs4 srv:/x rw\n32 20 0:42 / /f rw - fuse.sshfs x rw\n", "" },
  { "fuseblk can", "30 20 254:3 / /f rw - fuseblk /dev/vdd rw\n", "/proc/7/root/f|" },
  { "btrfs, by a number of its own", "30 20 0:50 / /b rw - btrfs /dev/vdd rw\n", "/proc/7/root/b|" },
  { "one that is there twice: each way to it", "30 20 254:3 / /a rw - ext4 /dev/vdd rw\n31 20 254:3 / /b rw - ext4 /dev/vdd rw\n",
    "/proc/7/root/a|/proc/7/root/b|" },
  { "below FUSE", "30 20 0:60 / /f rw - fuse.x x rw\n31 30 254:3 / /f/d/a rw - ext4 /dev/vdd rw\n32 31 254:4 / /f/d/a/b rw - ext4 /dev/vde rw\n33 20 254:5 / /c rw - ext4 /dev/vdf rw\n",
    "~/proc/7/root/f/d/a|~/proc/7/root/f/d/a/b|/proc/7/root/c|" },
  { "odd names", "30 20 254:3 / /a\\040b\\012c rw - ext4 /dev/vdd rw\n", "/proc/7/root/a b\nc|" },
  { "lines that make no sense", "x\n30 20\n31 20 254:3 / /a rw - ext4 /dev/vdd rw\n", "/proc/7/root/a|" },
} ;

static void parse (char const *s, stralloc *text, genalloc *mounts)
{
  if (!stralloc_copys(text, s) || !stralloc_0(text)) bail_out("no memory", "") ;
  text->len-- ;
  if (!s4_mountinfo_parse(text, mounts)) bail_out("no memory", "") ;
}

static void picking (void)
{
  stralloc here = STRALLOC_ZERO ;
  genalloc own = GENALLOC_ZERO, devices = GENALLOC_ZERO ;
  s4_mounts ms = S4_MOUNTS_ZERO ;
  parse(HERE, &here, &own) ;
  ms.m = genalloc_s(s4_mount, &own) ;
  ms.n = ms.nown = (unsigned int)genalloc_len(s4_mount, &own) ;
  if (!s4_mounts_devices(&ms, &devices)) bail_out("no memory", "") ;
  for (size_t i = 0 ; i < sizeof tables / sizeof *tables ; i++)
  {
    stralloc text = STRALLOC_ZERO, names = STRALLOC_ZERO ;
    genalloc there = GENALLOC_ZERO, found = GENALLOC_ZERO ;
    parse(tables[i].there, &text, &there) ;
    ok(s4_mounts_pick_elsewhere(&devices, genalloc_s(s4_mount, &there), genalloc_len(s4_mount, &there), 7, &found), "%s", tables[i].what) ;
    for (size_t k = 0 ; k < genalloc_len(s4_mount, &found) ; k++)
    {
      s4_mount const *m = genalloc_s(s4_mount, &found) + k ;
      s4_cat(&names, m->remote ? "~" : "", m->dir, "|") ;
    }
    is_string(names.len ? names.s : "", tables[i].picked, tables[i].what) ;
    genalloc_free(s4_mount, &there) ;
    genalloc_free(s4_mount, &found) ;
    stralloc_free(&text) ;
    stralloc_free(&names) ;
  }
}

 /* What was found before stays; nothing here means all of them. */

static void adding (void)
{
  stralloc text = STRALLOC_ZERO ;
  genalloc there = GENALLOC_ZERO, found = GENALLOC_ZERO ;
  genalloc const nothing = GENALLOC_ZERO ;
  parse("30 20 254:3 / /a rw - ext4 /dev/vdd rw\n", &text, &there) ;
  for (pid_t pid = 7 ; pid < 9 ; pid++) s4_mounts_pick_elsewhere(&nothing, genalloc_s(s4_mount, &there), 1, pid, &found) ;
  ok(genalloc_len(s4_mount, &found) == 2, "two processes") ;
  is_string(genalloc_s(s4_mount, &found)[0].dir, "/proc/7/root/a", "the first one") ;
  is_string(genalloc_s(s4_mount, &found)[1].dir, "/proc/8/root/a", "the second one") ;
}

int main (void)
{
  picking() ;
  adding() ;
  return done() ;
}
