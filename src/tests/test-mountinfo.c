/* ISC license. */

/* /proc/self/mountinfo and its escapes. */

#include "stage4.h"
#include "tap.h"

static struct { char const *name ; char const *in ; size_t inlen ; char const *out ; size_t outlen ; } const escapes[] =
{
#define E(name, in, out) { name, in, sizeof in - 1, out, sizeof out - 1 }
  E("nothing", "", ""),
  E("no escape", "/mnt/a", "/mnt/a"),
  E("a space", "/a\\040b", "/a b"),
  E("a tab", "\\011", "\t"),
  E("a newline", "\\012", "\n"),
  E("a backslash", "\\134", "\\"),
  E("a hash", "\\043", "#"),
  E("the last byte", "\\377", "\377"),
  E("a zero", "a\\000b", "a\0b"),
  E("one after the other", "\\040\\040\\134\\134", "  \\\\"),
  E("decoded once", "\\134040", "\\040"),
  E("decoded once, twice", "\\134134040", "\\134040"),
  E("beyond a byte", "\\400", "\\400"),
  E("far beyond a byte", "\\777", "\\777"),
  E("not octal, first", "\\840", "\\840"),
  E("not octal, second", "\\080", "\\080"),
  E("not octal, third", "\\008", "\\008"),
  E("not digits", "\\x41\\n\\e", "\\x41\\n\\e"),
  E("a backslash at the end", "a\\", "a\\"),
  E("one digit at the end", "a\\0", "a\\0"),
  E("two digits at the end", "a\\04", "a\\04"),
  E("three digits at the end", "a\\040", "a "),
  E("more digits", "\\0400", " 0"),
  E("a backslash before an escape", "\\\\040", "\\ "),
  E("a zero byte in it", "a\0\\040", "a\0 "),
  E("bytes that are not ASCII", "\303\251\\040\377", "\303\251 \377"),
#undef E
} ;

static void unoctal (void)
{
  char s[64] ;
  int good = 1 ;
  for (size_t i = 0 ; i < sizeof escapes / sizeof *escapes ; i++)
  {
    size_t len ;
    memset(s, '~', sizeof s) ;
    memcpy(s, escapes[i].in, escapes[i].inlen) ;
    len = s4_unoctal(s, escapes[i].inlen) ;
    is_bytes(s, len, escapes[i].out, escapes[i].outlen, escapes[i].name) ;
    ok(s[escapes[i].inlen] == '~', "%s: stays where it is", escapes[i].name) ;
  }
  memcpy(s, "a\\040", 5) ;
  is_number((int64_t)s4_unoctal(s, 4), 4, "doesn't look beyond the end for more digits") ;
  for (unsigned int c = 0 ; c < 512 ; c++)
  {
    snprintf(s, sizeof s, "\\%03o", c) ;
    if (c < 256 ? s4_unoctal(s, 4) != 1 || (unsigned char)s[0] != c : s4_unoctal(s, 4) != 4) good = 0 ;
  }
  ok(good, "all three-digit escapes") ;
}

struct expected
{
  unsigned int id, parent, major, minor ;
  char const *root, *dir, *type, *source, *superoptions ;
  unsigned int readonly, shared ;
} ;

static struct expected const debian[] =
{
  { 21, 26, 0, 20, "/", "/sys", "sysfs", "sysfs", "rw", 0, 1 },
  { 22, 26, 0, 21, "/", "/proc", "proc", "proc", "rw", 0, 1 },
  { 23, 26, 0, 5, "/", "/dev", "devtmpfs", "udev", "rw,size=1992544k,nr_inodes=498136,mode=755,inode64", 0, 1 },
  { 24, 23, 0, 22, "/", "/dev/pts", "devpts", "devpts", "rw,gid=5,mode=620,ptmxmode=000", 0, 1 },
  { 25, 26, 0, 23, "/", "/run", "tmpfs", "tmpfs", "rw,size=402852k,mode=755,inode64", 0, 1 },
  { 26, 1, 254, 1, "/", "/", "ext4", "/dev/vda1", "rw,errors=remount-ro", 0, 1 },
  { 27, 21, 0, 6, "/", "/sys/kernel/security", "securityfs", "securityfs", "rw", 0, 1 },
  { 28, 23, 0, 24, "/", "/dev/shm", "tmpfs", "tmpfs", "rw,inode64", 0, 1 },
  { 29, 25, 0, 25, "/", "/run/lock", "tmpfs", "tmpfs", "rw,size=5120k,inode64", 0, 1 },
  { 30, 21, 0, 26, "/", "/sys/fs/cgroup", "cgroup2", "cgroup2", "rw,nsdelegate,memory_recursiveprot", 0, 1 },
  { 31, 22, 0, 30, "/", "/proc/sys/fs/binfmt_misc", "autofs", "systemd-1", "rw,fd=30,pgrp=1,timeout=0,minproto=5,maxproto=5,direct,pipe_ino=13131", 0, 1 },
  { 60, 26, 254, 2, "/", "/boot", "ext2", "/dev/vda2", "rw", 0, 1 },
  { 63, 26, 0, 39, "/@home", "/home", "btrfs", "/dev/vdb", "rw,space_cache=v2,subvolid=256,subvol=/@home", 0, 1 },
  { 66, 26, 7, 0, "/", "/snap/core/1", "squashfs", "/dev/loop0", "ro,errors=continue", 1, 1 },
  { 68, 63, 0, 41, "/", "/home/nfs", "nfs4", "server:/export", "rw,vers=4.2,rsize=1048576,hard,proto=tcp,addr=10.0.0.1", 0, 1 }
} ;

static struct expected const container[] =
{
  { 1206, 1090, 0, 155, "/", "/", "overlay", "overlay", "rw,lowerdir=/var/lib/docker/overlay2/l/A:/var/lib/docker/overlay2/l/B,"
    "upperdir=/var/lib/docker/overlay2/x/diff,workdir=/var/lib/docker/overlay2/x/work", 0, 0 },
  { 1207, 1206, 0, 158, "/", "/proc", "proc", "proc", "rw", 0, 0 },
  { 1208, 1206, 0, 159, "/", "/dev", "tmpfs", "tmpfs", "rw,size=65536k,mode=755", 0, 0 },
  { 1209, 1208, 0, 160, "/", "/dev/pts", "devpts", "devpts", "rw,gid=5,mode=620,ptmxmode=666", 0, 0 },
  { 1210, 1206, 0, 161, "/", "/sys", "sysfs", "sysfs", "ro", 1, 0 },
  { 1213, 1206, 254, 1, "/var/lib/docker/containers/x/resolv.conf", "/etc/resolv.conf", "ext4", "/dev/vda1", "rw,errors=remount-ro", 0, 0 },
  { 1091, 1207, 0, 158, "/bus", "/proc/bus", "proc", "proc", "rw", 0, 0 },
  { 1097, 1207, 0, 159, "/null", "/proc/kcore", "tmpfs", "tmpfs", "rw,size=65536k,mode=755", 0, 0 }
} ;

static struct expected const optional[] =
{
  { 1, 0, 8, 1, "/", "/", "ext4", "/dev/sda1", "rw", 0, 0 },
  { 2, 1, 8, 2, "/", "/none", "ext4", "/dev/sda2", "rw", 0, 0 },
  { 3, 1, 8, 3, "/", "/one", "ext4", "/dev/sda3", "rw", 0, 0 },
  { 4, 1, 8, 4, "/", "/shared", "ext4", "/dev/sda4", "rw", 0, 1 },
  { 5, 1, 8, 5, "/", "/many", "ext4", "/dev/sda5", "rw", 0, 1 },
  { 6, 1, 8, 6, "/", "/new", "ext4", "/dev/sda6", "rw", 0, 1 },
  { 7, 1, 8, 7, "/", "/notshared", "ext4", "/dev/sda7", "rw", 0, 0 },
  { 12, 1, 8, 8, "/", "/alike", "ext4", "/dev/sda8", "rw", 0, 0 },
  { 8, 1, 0, 33, "/", "/nosource", "tmpfs", "", "rw,size=5120k", 0, 0 },
  { 9, 1, 0, 34, "/", "/nooptions", "tmpfs", "none", "", 0, 0 },
  { 10, 1, 0, 35, "/", "/moreinfields", "fuse.odd", "\\ odd", "rw,a b c", 0, 0 },
  { 11, 1, 0, 36, "/", "/dash", "-", "-", "rw", 0, 1 }
} ;

static struct expected const readonly[] =
{
  { 1, 0, 8, 1, "/", "/", "ext4", "/dev/sda1", "rw,errors=remount-ro", 0, 0 },
  { 2, 1, 8, 2, "/", "/mount-is-ro", "ext4", "/dev/sda2", "rw", 0, 0 },
  { 3, 1, 8, 3, "/", "/super-is-ro", "ext4", "/dev/sda3", "ro", 1, 0 },
  { 4, 1, 8, 4, "/", "/both", "ext4", "/dev/sda4", "ro,errors=remount-ro", 1, 0 },
  { 5, 1, 8, 5, "/", "/last", "ext4", "/dev/sda5", "errors=remount-ro,ro", 1, 0 },
  { 6, 1, 8, 6, "/", "/middle", "ext4", "/dev/sda6", "seclabel,ro,data=ordered", 1, 0 },
  { 7, 1, 8, 7, "/", "/like-it", "ext4", "/dev/sda7", "rw,rock,norock,roo,xro,ro=1,r,o", 0, 0 },
  { 8, 1, 8, 8, "/", "/commas", "ext4", "/dev/sda8", ",,rw,,", 0, 0 },
  { 9, 1, 8, 9, "/", "/capital", "ext4", "/dev/sda9", "RO", 0, 0 }
} ;

static struct expected const names[] =
{
  { 1, 0, 8, 1, "/", "/", "ext4", "/dev/sda1", "rw", 0, 0 },
  { 2, 1, 8, 1, "/a b", "/a b", "ext4", "/dev/sda1", "rw", 0, 0 },
  { 3, 1, 8, 1, "/", "/tab\there", "ext4", "/dev/sda1", "rw", 0, 0 },
  { 4, 1, 8, 1, "/", "/new\nline", "ext4", "/dev/sda1", "rw", 0, 0 },
  { 5, 1, 8, 1, "/", "/back\\slash", "ext4", "/dev/sda1", "rw", 0, 0 },
  { 6, 1, 8, 1, "/", "/#hash", "ext4", "# source", "rw", 0, 0 },
  { 7, 1, 8, 1, "/", "/twice\\040", "ext4", "/dev/sda1", "rw", 0, 0 },
  { 8, 1, 8, 1, "/old//deleted", "/bind", "ext4", "/dev/sda1", "rw", 0, 0 },
  { 9, 1, 8, 1, "/", "/gone (deleted)", "ext4", "/dev/sda1", "rw", 0, 0 },
  { 10, 1, 8, 1, "/", "/\377\376\200caf\303\251", "ext4", "/dev/\351", "rw", 0, 0 },
  { 11, 1, 0, 50, "/", "/fuse", "fuse.a b", "\\400\\08\\9\\", "rw", 0, 0 }
} ;

static struct expected const garbled[] =
{
  { 26, 1, 254, 1, "/", "/", "ext4", "/dev/vda1", "rw,errors=remount-ro", 0, 1 },
  { 4294967295u, 26, 4294967295u, 4294967295u, "/", "/max", "ext4", "/dev/vda9", "rw", 0, 0 }
} ;

static struct { char const *file ; struct expected const *e ; size_t n ; } const fixtures[] =
{
#define F(name) { #name ".mountinfo", name, sizeof name / sizeof *name }
  F(debian), F(container), F(optional), F(readonly), F(names), F(garbled), { "empty", 0, 0 }
#undef F
} ;

static int same (s4_mount const *m, struct expected const *e)
{
  return m->id == e->id && m->parent == e->parent && m->major == e->major && m->minor == e->minor && m->readonly == e->readonly
   && m->shared == e->shared && !strcmp(m->root, e->root) && !strcmp(m->dir, e->dir) && !strcmp(m->type, e->type)
   && !strcmp(m->source, e->source) && !strcmp(m->superoptions, e->superoptions) ;
}

static void compare (s4_mounts const *ms, char const *file, struct expected const *e, size_t n)
{
  is_number(ms->n, (int64_t)n, file) ;
  for (size_t i = 0 ; i < n && i < ms->n ; i++)
  {
    s4_mount const *m = ms->m + i ;
    if (!ok(same(m, e + i), "%s: %s", file, e[i].dir))
      note("got %u %u %u:%u %s %s type %s source %s %s%s%s", m->id, m->parent, m->major, m->minor, m->root, m->dir, m->type,
           m->source, m->superoptions, m->readonly ? " readonly" : "", m->shared ? " shared" : "") ;
  }
}

 /* The text is copied to where every byte beyond it is poison for ASan. */

static void parse (s4_mounts *ms, stralloc const *text)
{
  genalloc g = GENALLOC_ZERO ;
  stralloc_free(&ms->text) ;
  text_of(&ms->text, text->s, text->len) ;
  stralloc_shrink(&ms->text) ;
  if (!s4_mountinfo_parse(&ms->text, &g)) bail_out("out of memory", "") ;
  ms->m = genalloc_s(s4_mount, &g) ;
  ms->n = (unsigned int)genalloc_len(s4_mount, &g) ;
}

static void long_lines (void)
{
  static char const head[] = "5 4 8:1 / /", tail[] = " rw shared:1 - overlay none ro," ;
  stralloc text = STRALLOC_ZERO ;
  s4_mounts ms = S4_MOUNTS_ZERO ;
  for (unsigned int line = 0 ; line < 3 ; line++)
  {
    stralloc_cats(&text, head) ;
    for (unsigned int i = 0 ; i < 4096 ; i++) stralloc_cats(&text, "\\040") ;
    stralloc_cats(&text, tail) ;
    for (unsigned int i = 0 ; i < 16384 ; i++) stralloc_append(&text, 'o') ;
    if (line < 2) stralloc_append(&text, '\n') ;
  }
  parse(&ms, &text) ;
  is_number(ms.n, 3, "three lines of 32 KiB") ;
  for (unsigned int i = 0 ; i < ms.n ; i++)
  {
    is_number((int64_t)strlen(ms.m[i].dir), 4097, "its long name") ;
    is_number((int64_t)strlen(ms.m[i].superoptions), 16387, "its long options") ;
    ok(ms.m[i].readonly && ms.m[i].shared && ms.m[i].id == 5, "what is around them") ;
  }
}

 /* The file may end anywhere, as when it was read in pieces and mounts went meanwhile: no line makes two, no byte is read beyond. */

static void torn (void)
{
  stralloc text = STRALLOC_ZERO ;
  int good = 1 ;
  fixture(&text, "debian.mountinfo") ;
  for (size_t len = 0 ; len <= text.len && good ; len++)
  {
    stralloc part = { .s = text.s, .len = len, .a = 0 } ;
    s4_mounts ms = S4_MOUNTS_ZERO ;
    unsigned int lines = 0 ;
    for (size_t i = 0 ; i < len ; i++) lines += text.s[i] == '\n' ;
    parse(&ms, &part) ;
    if (ms.n < lines || ms.n > lines + 1) good = 0 ;
    for (unsigned int i = 0 ; i < lines && good ; i++) good = same(ms.m + i, debian + i) ;
    if (!good) note("after %zu bytes: %u mounts", len, ms.n) ;
    stralloc_free(&ms.text) ;
    free(ms.m) ;
  }
  ok(good, "torn at every byte: the whole lines are right") ;
}

static void lookups (void)
{
  static struct { char const *name ; unsigned int id ; int parent ; } const parents[] =
  {
    { "the root's is not visible", 1, -1 }, { "an ordinary one", 2, 1 }, { "listed later", 3, 5 },
    { "itself", 4, -1 }, { "not there", 6, -1 }
  } ;
  static char const text[] =
    "3 5 0:1 / /c/d rw - tmpfs t rw\n" "1 0 0:1 / / rw - tmpfs t rw\n" "2 1 0:1 / /b rw - tmpfs t rw\n"
    "4 4 0:1 / / rw - rootfs rootfs rw\n" "6 99 0:1 / /x rw - tmpfs t rw\n" "5 1 0:1 / /c rw - tmpfs t rw" ;
  stralloc sa = STRALLOC_ZERO ;
  s4_mounts ms = S4_MOUNTS_ZERO ;
  text_of(&sa, text, sizeof text - 1) ;
  parse(&ms, &sa) ;
  is_number(ms.n, 6, "no newline at the end") ;
  is_number(s4_mounts_find(&ms, 3), 0, "found first") ;
  is_number(s4_mounts_find(&ms, 5), 5, "found last") ;
  is_number(s4_mounts_find(&ms, 99), -1, "not found") ;
  for (size_t i = 0 ; i < sizeof parents / sizeof *parents ; i++)
  {
    int p = s4_mounts_parent(&ms, s4_mounts_find(&ms, parents[i].id)) ;
    is_number(p == -1 ? -1 : (int64_t)ms.m[p].id, parents[i].parent, parents[i].name) ;
  }
  is_number(s4_mounts_parent(&ms, -1), -1, "the parent of nothing") ;
}

static void the_real_one (void)
{
  s4_mounts ms = S4_MOUNTS_ZERO ;
  if (!ok(s4_mounts_load(&ms) == 1 && ms.n > 0, "this process's own mounts")) return ;
  ok(s4_mounts_load(&ms) == 1 && ms.n > 0, "and once more") ;
  for (unsigned int i = 0 ; i < ms.n ; i++) if (!strcmp(ms.m[i].dir, "/")) return (void)ok(1, "among them /") ;
  ok(1, "no / among them # SKIP in a chroot") ;
}

int main (void)
{
  stralloc text = STRALLOC_ZERO ;
  unoctal() ;
  for (size_t i = 0 ; i < sizeof fixtures / sizeof *fixtures ; i++)
  {
    s4_mounts ms = S4_MOUNTS_ZERO ;
    fixture(&text, fixtures[i].file) ;
    parse(&ms, &text) ;
    compare(&ms, fixtures[i].file, fixtures[i].e, fixtures[i].n) ;
  }
  long_lines() ;
  torn() ;
  lookups() ;
  the_real_one() ;
  return done() ;
}
