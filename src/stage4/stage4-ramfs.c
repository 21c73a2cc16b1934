/* ISC license. */

/*
  stage4-ramfs: makes the shutdown ramfs, or says whether the one that is there can be used. It is filled
  while it is mounted nowhere, checked from inside, and only then put in place, at once.
*/

#include <skalibs/nonposix.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>   /* rename */
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <skalibs/allreadwrite.h>
#include <skalibs/djbunix.h>
#include <skalibs/genalloc.h>
#include <skalibs/sgetopt.h>
#include <skalibs/stralloc.h>
#include <skalibs/types.h>
#include <skalibs/unix-transactional.h>

#include "stage4.h"

#define USAGE "stage4-ramfs [ -v verbosity ] [ -s size ] [ -d ] [ -n ] dir file..."
#define CHECK_TIMEOUT 30000
#define LIST_TIMEOUT 10000   /* for the dynamic linker to say what a program needs */

struct ramfs
{
  char const *dir ;
  char const *size ;      /* as tmpfs(5) takes it, or 0 */
  uint64_t left ;         /* bytes that may still be copied */
  int plain ;             /* -d */
  int root ;              /* fd */
  genalloc entries ;      /* s4_entry, one for each name inside */
  genalloc programs ;     /* struct program: to be checked from inside */
} ;

struct program { char const *path ; char const *interpreter ; int dynamic ; } ;

 /* Every problem is named where it is found; all that follows only has to stop. */

static int failed (char const *what, char const *arg)
{
  s4_fatalsys("unable to ", what, arg) ;
  return 0 ;
}

static char *copy_of (char const *s)
{
  char *p = strdup(s) ;
  if (!p) s4_step_giveup(S4_NOTSTARTED) ;
  return p ;
}

static char const *relative (char const *path)
{
  return path + strspn(path, "/") ;
}

static char const *joined (char const *dir, char const *name)
{
  stralloc sa = STRALLOC_ZERO ;
  if (!stralloc_cats(&sa, dir) || !stralloc_append(&sa, '/') || !stralloc_cats(&sa, name) || !stralloc_0(&sa)) s4_step_giveup(S4_NOTSTARTED) ;
  return sa.s ;
}

 /* --- what is inside --- */

static int is_inside (struct ramfs const *r, char const *dst)
{
  s4_entry const *e = genalloc_s(s4_entry, &r->entries) ;
  for (size_t n = genalloc_len(s4_entry, &r->entries) ; n-- ; ) if (!strcmp(e[n].dst, dst)) return 1 ;
  return 0 ;
}

static int enter (struct ramfs *r, char type, struct stat const *st, char const *dst, char const *src)
{
  s4_entry const e = { .type = type, .mode = st->st_mode, .size = type == 'f' ? (uint64_t)st->st_size : 0,
    .mtime = (uint64_t)st->st_mtime, .dst = copy_of(dst), .src = copy_of(src) } ;
  return genalloc_append(s4_entry, &r->entries, &e) ;
}

static int add_directory (struct ramfs *r, char const *dst, mode_t mode)
{
  struct stat const st = { .st_mode = S_IFDIR | mode } ;
  if (!*dst || is_inside(r, dst)) return 1 ;
  if (mkdirat(r->root, dst, mode & 0755) == -1 && errno != EEXIST) return failed("make inside the directory ", dst) ;
  return enter(r, 'd', &st, dst, "-") ;
}

static int add_parents (struct ramfs *r, char const *dst)
{
  char *s = copy_of(dst) ;
  int ok = 1 ;
  for (char *p = s ; ok && (p = strchr(p, '/')) ; *p++ = '/')
  {
    *p = 0 ;
    ok = add_directory(r, s, 0755) ;
  }
  free(s) ;
  return ok ;
}

static int add_link (struct ramfs *r, char const *dst, char const *target)
{
  struct stat const st = { .st_mode = S_IFLNK | 0777 } ;
  if (is_inside(r, dst)) return 1 ;
  if (symlinkat(target, r->root, dst) == -1) return failed("make inside the link ", dst) ;
  return enter(r, 'l', &st, dst, target) ;
}

 /* --- files, with what they need --- */

static int add_path (struct ramfs *, char const *) ;

 /* Each line of the dynamic linker's list: "name => /path (0x...)", "/path (0x...)", "name (0x...)", "name => not found". */

static int add_libraries (struct ramfs *r, char *list, char const *program)
{
  for (char *line = list, *end ; (end = strchr(line, '\n')) ; line = end + 1)
  {
    char *arrow, *path ;
    *end = 0 ;
    arrow = strstr(line, " => ") ;
    path = arrow ? arrow + 4 : line + strspn(line, " \t") ;
    if (arrow && !strncmp(path, "not found", 9)) return (errno = ENOENT, failed("find a library of ", program)) ;
    if (*path != '/') continue ;
    path[strcspn(path, " ")] = 0 ;
    if (!add_path(r, path)) return 0 ;
  }
  return 1 ;
}

struct listing { char const *interpreter ; char const *program ; int root ; } ;

static int run_listing (int fd, void *data)
{
  struct listing const *l = data ;
  char const *argv[] = { l->interpreter, "--list", l->program, 0 } ;
  if (l->root >= 0 && (fchdir(l->root) == -1 || chroot(".") == -1)) return errno ;
  if (dup2(fd, 1) == -1) return errno ;
  fd_close(fd) ;
  execv(argv[0], (char *const *)argv) ;
  return errno ;
}

static int add_needed (struct ramfs *r, char const *program, char const *interpreter)
{
  struct listing l = { .interpreter = interpreter, .program = program, .root = -1 } ;
  stralloc list = STRALLOC_ZERO ;
  int ok = s4_ask(&run_listing, &l, LIST_TIMEOUT, &list) && stralloc_0(&list) ;
  if (!ok) failed("list the libraries of ", program) ;
  else ok = add_libraries(r, list.s, program) ;
  if (ok && !access("/etc/ld.so.cache", F_OK)) ok = add_path(r, "/etc/ld.so.cache") ;   /* libraries in places of their own are found by it */
  stralloc_free(&list) ;
  return ok ;
}

static int add_what_it_needs (struct ramfs *r, char const *dst, char const *src, char const *head, size_t len)
{
  char interpreter[4096] ;
  struct program p ;
  enum s4_exectype_e type = s4_exec_interpreter(head, len, interpreter, sizeof interpreter) ;
  if (type != S4_SCRIPT && type != S4_DYNAMIC) return 1 ;
  p = (struct program){ .path = joined("", dst), .interpreter = copy_of(interpreter), .dynamic = type == S4_DYNAMIC } ;
  return genalloc_append(struct program, &r->programs, &p) && add_path(r, interpreter)
   && (!p.dynamic || add_needed(r, src, interpreter)) ;
}

static int write_inside (struct ramfs *r, char const *dst, stralloc const *content, mode_t mode)
{
  int fd, ok ;
  if (content->len > r->left) return (errno = ENOSPC, failed("stay within the size with ", dst)) ;
  r->left -= content->len ;
  fd = openat(r->root, dst, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600) ;
  if (fd == -1) return failed("make inside ", dst) ;
  ok = allwrite(fd, content->s, content->len) == content->len && !fchmod(fd, mode & 0755) ;
  if (!ok) failed("write inside ", dst) ;
  fd_close(fd) ;
  return ok ;
}

static int add_file (struct ramfs *r, char const *dst, char const *src, struct stat const *st)
{
  stralloc content = STRALLOC_ZERO ;
  struct stat whole = *st ;
  int ok ;
  if (is_inside(r, dst)) return 1 ;
  if (!openslurpclose(&content, src)) return failed("read ", src) ;
  whole.st_size = (off_t)content.len ;
  ok = write_inside(r, dst, &content, st->st_mode) && enter(r, 'f', &whole, dst, src)
   && (!(st->st_mode & 0111) || add_what_it_needs(r, dst, src, content.s, content.len)) ;
  stralloc_free(&content) ;
  return ok ;
}

static int add_tree (struct ramfs *r, char const *dst, char const *src)
{
  DIR *dir = opendir(src) ;
  struct dirent *d ;
  int ok = 1 ;
  if (!dir) return failed("read the directory ", src) ;
  while (ok && (d = readdir(dir)))
  {
    struct stat st ;
    char const *from = joined(src, d->d_name), *to = *dst ? joined(dst, d->d_name) : d->d_name ;
    if (!strcmp(d->d_name, ".") || !strcmp(d->d_name, "..")) continue ;
    if (lstat(from, &st) == -1) ok = failed("look at ", from) ;
    else if (S_ISDIR(st.st_mode)) ok = add_directory(r, to, st.st_mode) && add_tree(r, to, from) ;
    else if (S_ISREG(st.st_mode)) ok = add_file(r, to, from, &st) ;
    else if (S_ISLNK(st.st_mode) && !strcmp(dst, relative(src))) ok = add_path(r, from) ;
    else if (S_ISLNK(st.st_mode))
    {
      stralloc target = STRALLOC_ZERO ;
      ok = (sareadlink(&target, from) != -1 && stralloc_0(&target)) ? add_link(r, to, target.s) : failed("read the link ", from) ;
    }
  }
  closedir(dir) ;
  return ok ;
}

 /* What a path passes, links first, is made inside as it is outside. */

struct passing { struct ramfs *r ; struct stat st ; stralloc last ; } ;

static int pass (int fd, char const *path, struct stat const *st, void *data)
{
  struct passing *p = data ;
  char const *dst = relative(path) ;
  p->st = *st ;
  p->last.len = 0 ;
  if (!stralloc_cats(&p->last, path) || !stralloc_0(&p->last)) return 0 ;
  if (S_ISDIR(st->st_mode)) return add_directory(p->r, dst, st->st_mode) ;
  if (S_ISLNK(st->st_mode))
  {
    char target[4097] ;
    ssize_t len = readlinkat(fd, "", target, sizeof target - 1) ;
    if (len == -1) return failed("read the link ", path) ;
    target[len] = 0 ;
    return add_link(p->r, dst, target) ;
  }
  return 1 ;
}

static int add_path (struct ramfs *r, char const *path)
{
  struct passing p = { .r = r, .last = STRALLOC_ZERO } ;
  int ok = s4_path_walk(path, &pass, &p) ;
  if (!ok && errno) failed("find ", path) ;
  if (ok && S_ISREG(p.st.st_mode)) ok = add_file(r, relative(p.last.s), p.last.s, &p.st) ;
  else if (ok && S_ISDIR(p.st.st_mode)) ok = add_tree(r, relative(p.last.s), p.last.s) ;
  else if (ok) ok = (errno = EINVAL, failed("copy what is neither file nor directory: ", path)) ;
  stralloc_free(&p.last) ;
  return ok ;
}

static int add_renamed (struct ramfs *r, char const *src, char const *dst)
{
  struct stat st ;
  if (stat(src, &st) == -1) return failed("find ", src) ;
  dst = relative(dst) ;
  if (!add_parents(r, dst)) return 0 ;
  return S_ISDIR(st.st_mode) ? add_directory(r, dst, st.st_mode) && add_tree(r, dst, src) : add_file(r, dst, src, &st) ;
}

static int add_argument (struct ramfs *r, char const *arg)
{
  char const *equals = strchr(arg, '=') ;
  char *src ;
  if (!equals) return add_path(r, arg) ;
  src = copy_of(arg) ;
  src[equals - arg] = 0 ;
  return add_renamed(r, src, equals + 1) ;
}

 /* --- the toolkit: all of it that lies beside this program --- */

static char const *const toolkit[] =
{
#define S4_PROGRAM(name) "stage4-" #name,
#include "programs.h"
} ;

static int add_toolkit (struct ramfs *r)
{
  stralloc self = STRALLOC_ZERO, dir = STRALLOC_ZERO ;
  char const *multicall ;
  if (sareadlink(&self, "/proc/self/exe") == -1 || !stralloc_0(&self) || !sadirname(&dir, self.s, strlen(self.s)) || !stralloc_0(&dir))
    return failed("find the toolkit by ", "/proc/self/exe") ;
  multicall = joined(dir.s, "stage4") ;
  for (unsigned int i = 0 ; i < sizeof toolkit / sizeof *toolkit ; i++)
  {
    char const *file = joined(dir.s, toolkit[i]) ;
    if (!access(file, X_OK) ? !add_path(r, file) : !access(multicall, X_OK) && (!add_path(r, multicall) || !add_link(r, relative(file), "stage4"))) return 0 ;
  }
  return 1 ;
}

 /* --- making --- */

static int open_new (struct ramfs *r)
{
  stralloc size = STRALLOC_ZERO ;
  char const *noswap[] = { "mode=0700", "noswap", 0, 0 } ;
  char const *ramfs[] = { "mode=0700", 0 } ;
  if (r->size && stralloc_cats(&size, "size=") && stralloc_cats(&size, r->size) && stralloc_0(&size)) noswap[2] = size.s ;
  r->root = s4_newfs("tmpfs", noswap) ;
  if (r->root == -1) r->root = s4_newfs("ramfs", ramfs) ;   /* tmpfs can't do without swap before Linux 6.4 */
  return r->root >= 0 || failed("make a file system for ", r->dir) ;
}

static int write_manifest (struct ramfs *r)
{
  stralloc text = STRALLOC_ZERO ;
  size_t n = genalloc_len(s4_entry, &r->entries) ;
  for (size_t i = 0 ; i < n ; i++)
    if (!s4_manifest_add(&text, genalloc_s(s4_entry, &r->entries) + i)) return failed("list ", r->dir) ;
  return (s4_manifest_end(&text, n) && write_inside(r, S4_MANIFEST, &text, 0400)) || failed("write the manifest of ", r->dir) ;
}

 /* From inside: every interpreter is there, and finds all libraries. */

static int works_inside (struct ramfs *r, struct program const *p)
{
  struct listing l = { .interpreter = p->interpreter, .program = p->path, .root = r->root } ;
  stralloc list = STRALLOC_ZERO ;
  int ok ;
  if (!p->dynamic) return is_inside(r, relative(p->interpreter)) || faccessat(r->root, relative(p->interpreter), X_OK, 0) == 0
   || failed("find inside the interpreter of ", p->path) ;
  ok = s4_ask(&run_listing, &l, LIST_TIMEOUT, &list) && stralloc_0(&list) && !strstr(list.s, "not found") ;
  stralloc_free(&list) ;
  return ok || failed("resolve inside the libraries of ", p->path) ;
}

static int fill (struct ramfs *r, char const *const *files)
{
  static char const *const mountpoints[] = { "dev", "proc", "sys", "run", S4_OLDROOT } ;
  for (unsigned int i = 0 ; i < sizeof mountpoints / sizeof *mountpoints ; i++)
    if (!add_directory(r, mountpoints[i], 0755)) return 0 ;
  if (!add_toolkit(r)) return 0 ;
  for (; *files ; files++) if (!add_argument(r, *files)) return 0 ;
  for (size_t i = 0 ; i < genalloc_len(struct program, &r->programs) ; i++)
    if (!works_inside(r, genalloc_s(struct program, &r->programs) + i)) return 0 ;
  return write_manifest(r) ;
}

 /* --- putting in place --- */

static int is_ours (char const *dir)
{
  return !access(joined(dir, S4_MANIFEST), F_OK) ;
}

static int is_mountpoint (char const *dir)
{
  s4_mounts ms = S4_MOUNTS_ZERO ;
  int i = s4_mounts_load(&ms) ? s4_mounts_holding(&ms, dir) : -1 ;
  return i >= 0 && !strcmp(ms.m[i].dir, dir) ;
}

static int attach (struct ramfs *r)
{
  if (is_mountpoint(r->dir))
  {
    if (!is_ours(r->dir)) return (errno = EEXIST, failed("replace what stage4-ramfs did not make: ", r->dir)) ;
    if (umount2(r->dir, MNT_DETACH) == -1) return failed("take away the old ", r->dir) ;
  }
  return s4_newfs_attach(r->root, r->dir) || failed("mount ", r->dir) ;
}

static int exchange (char const *new, char const *dir)
{
  if (!rename(new, dir)) return 1 ;   /* also onto an empty directory */
  if (errno != EEXIST && errno != ENOTEMPTY) return failed("put in place ", dir) ;
  if (!is_ours(dir)) return failed("replace what stage4-ramfs did not make: ", dir) ;
  if (renameat2(AT_FDCWD, new, AT_FDCWD, dir, RENAME_EXCHANGE) == -1) return failed("exchange for the old one ", dir) ;
  if (rm_rf(new) == -1) s4_warnsys("unable to remove the old one, now at ", new) ;
  return 1 ;
}

static int make_plain (struct ramfs *r, char const *const *files)
{
  stralloc new = STRALLOC_ZERO ;
  if (!stralloc_cats(&new, r->dir) || !stralloc_cats(&new, ".stage4-new") || !stralloc_0(&new)) return 0 ;
  if (rm_rf(new.s) == -1 && errno != ENOENT) return failed("remove ", new.s) ;
  if (mkdir(new.s, 0700) == -1) return failed("make the directory ", new.s) ;
  r->root = open(new.s, O_RDONLY | O_DIRECTORY | O_CLOEXEC) ;
  if (r->root >= 0 && fill(r, files) && exchange(new.s, r->dir)) return 1 ;
  rm_rf(new.s) ;
  return 0 ;
}

static int make_mounted (struct ramfs *r, char const *const *files)
{
  if (mkdir(r->dir, 0700) == -1 && errno != EEXIST) return failed("make the directory ", r->dir) ;
  return open_new(r) && fill(r, files) && attach(r) ;
}

static int make (struct ramfs *r, char const *const *files)
{
  uint64_t const all = r->left ;
  umask(0) ;
  if (!(r->plain ? make_plain(r, files) : make_mounted(r, files)))
  {
    s4_fatal(r->dir, " was not made; what was there is as it was") ;
    return S4_NOTSTARTED ;
  }
  s4_info(r->dir, " is ready: ", S4_NUM((int64_t)genalloc_len(s4_entry, &r->entries)), " names, ", S4_NUM((int64_t)((all - r->left) >> 10)), " KiB") ;
  return S4_DONE ;
}

static int verify (char const *dir)
{
  stralloc why = STRALLOC_ZERO ;
  unsigned int stale ;
  if (!s4_ramfs_check(dir, CHECK_TIMEOUT, &why, &stale)) s4_planline("unusable ", dir, ": ", why.s) ;
  else if (stale) s4_planline("stale ", dir, ": ", S4_NUM(stale), " files have changed since it was made") ;
  else
  {
    s4_planline("usable ", dir) ;
    return S4_DONE ;
  }
  return S4_LEFT ;
}

static uint64_t scan_size (char const *s)
{
  uint64_t u ;
  size_t len = uint64_scan(s, &u) ;
  char const *unit = len ? strchr("kmg", s[len] | 32) : 0 ;
  if (!len || !u || u > UINT32_MAX || (s[len] && (!unit || !*unit || s[len+1]))) s4_step_badarg("size (like 4096, 800k or 16m)", s) ;
  return s[len] ? u << (*unit == 'k' ? 10 : *unit == 'm' ? 20 : 30) : u ;
}

int main (int argc, char const **argv, char const *const *envp)
{
  struct ramfs r = { .left = INT64_MAX, .root = -1, .entries = GENALLOC_ZERO, .programs = GENALLOC_ZERO } ;
  s4_step_init("stage4-ramfs", USAGE, S4_PLANS, argv, envp) ;
  {
    subgetopt l = SUBGETOPT_ZERO ;
    for (;;)
    {
      int opt = s4_step_getopt(argc, argv, "s:d", &l) ;
      if (opt == -1) break ;
      switch (opt)
      {
        case 's' : r.left = scan_size(l.arg) ; r.size = l.arg ; break ;
        case 'd' : r.plain = 1 ; break ;
      }
    }
    argc -= l.ind ; argv += l.ind ;
  }
  if (!argc) s4_step_usage() ;
  r.dir = argv[0] ;
  if (*r.dir != '/' || !r.dir[1]) s4_step_badarg("directory (must begin with /)", r.dir) ;
  for (int i = 1 ; i < argc ; i++)
    if (argv[i][0] != '/' || (strchr(argv[i], '=') && strchr(argv[i], '=')[1] != '/')) s4_step_badarg("file (must begin with /)", argv[i]) ;
  if (s4.walking) _exit(S4_DONE) ;
  return s4.dryrun ? verify(r.dir) : make(&r, argv + 1) ;
}
