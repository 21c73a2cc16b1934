/* ISC license. */

/*
  Filling a shutdown ramfs that is not mounted anywhere yet: files at the same paths, links as links, with
  all that they need to be executed. Every problem is named where it is found; all that follows just stops.
*/

#include <skalibs/nonposix.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <skalibs/allreadwrite.h>
#include <skalibs/djbunix.h>
#include <skalibs/genalloc.h>
#include <skalibs/stralloc.h>

#include "stage4.h"

#define LIST_TIMEOUT 10000   /* for the dynamic linker to say what a program needs */
#define PATH_MAX_LINUX 4096

struct program
{
  char const *path ;
  char const *interpreter ;
  int dynamic ;
} ;

static int not_copied (char const *src)
{
  errno = EINVAL ;
  return s4_unable("copy what is neither file nor directory: ", src) ;
}

static char const *relative (char const *path)
{
  return path + strspn(path, "/") ;
}

 /* --- names inside --- */

static int is_inside (s4_ramfill const *r, char const *dst)
{
  s4_entry const *e = genalloc_s(s4_entry, &r->entries) ;
  for (size_t n = genalloc_len(s4_entry, &r->entries) ; n-- ; ) if (!strcmp(e[n].dst, dst)) return 1 ;
  return 0 ;
}

static int enter (s4_ramfill *r, char type, struct stat const *st, char const *dst, char const *src)
{
  s4_entry const e =
  {
    .type = type, .mode = st->st_mode, .size = type == 'f' ? (uint64_t)st->st_size : 0, .mtime = (uint64_t)st->st_mtime,
    .dst = s4_concat(dst, ""), .src = s4_concat(src, "")
  } ;
  return (*e.dst && *e.src && genalloc_append(s4_entry, &r->entries, &e)) || s4_unable("enter in the list ", dst) ;
}

int s4_ramfill_directory (s4_ramfill *r, char const *dst, mode_t mode)
{
  struct stat const st = { .st_mode = S_IFDIR | mode } ;
  if (!*dst || is_inside(r, dst)) return 1 ;
  if (mkdirat(r->root, dst, mode & 0755) == -1 && errno != EEXIST) return s4_unable("make inside the directory ", dst) ;
  return enter(r, 'd', &st, dst, "-") ;
}

int s4_ramfill_link (s4_ramfill *r, char const *dst, char const *target)
{
  struct stat const st = { .st_mode = S_IFLNK | 0777 } ;
  if (is_inside(r, dst)) return 1 ;
  if (symlinkat(target, r->root, dst) == -1) return s4_unable("make inside the link ", dst) ;
  return enter(r, 'l', &st, dst, target) ;
}

static int copy_link (s4_ramfill *r, char const *dst, int dirfd, char const *link)
{
  char target[PATH_MAX_LINUX + 1] ;
  ssize_t len = readlinkat(dirfd, link, target, PATH_MAX_LINUX) ;
  if (len == -1) return s4_unable("read the link to copy as ", dst) ;
  target[len] = 0 ;
  return s4_ramfill_link(r, dst, target) ;
}

static int fits (s4_ramfill const *r, char const *dst, uint64_t size)
{
  if (size <= r->left) return 1 ;
  errno = ENOSPC ;
  return s4_unable("stay within the size with ", dst) ;
}

static int write_inside (s4_ramfill *r, char const *dst, stralloc const *content, mode_t mode)
{
  int fd, ok ;
  if (!fits(r, dst, content->len)) return 0 ;
  r->left -= content->len ;
  fd = openat(r->root, dst, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600) ;
  if (fd == -1) return s4_unable("make inside ", dst) ;
  ok = allwrite(fd, content->s, content->len) == content->len && !fchmod(fd, mode & 0755) ;
  if (!ok) s4_unable("write inside ", dst) ;
  fd_close(fd) ;
  return ok ;
}

 /* --- what a program needs: asked of the dynamic linker itself --- */

struct listing
{
  char const *interpreter ;
  char const *program ;
  int inside ;
} ;

static int run_listing (int fd, void *data)
{
  struct listing const *l = data ;
  char const *argv[] = { l->interpreter, "--list", l->program, 0 } ;
  char *noenv[] = { 0 } ;   /* what LD_LIBRARY_PATH finds here is not found there */
  if (l->inside && chroot(".") == -1) return errno ;
  if (dup2(fd, 1) == -1) return errno ;
  fd_close(fd) ;
  execve(argv[0], (char *const *)argv, noenv) ;
  return errno ;
}

static int list_libraries (stralloc *list, struct listing *l)
{
  if (s4_ask(&run_listing, l, LIST_TIMEOUT, list)) return stralloc_0(list) ;
  if (errno != ETIMEDOUT) errno = ELIBBAD ;   /* the linker has said on stderr what it lacks */
  return 0 ;
}

 /* The child has no file descriptor of the root, but a working directory. */

static int list_inside (s4_ramfill const *r, stralloc *list, struct listing *l)
{
  int ok = fchdir(r->root) == 0 && list_libraries(list, l) ;
  int e = errno ;
  if (chdir("/") == -1 && ok) return 0 ;
  errno = e ;
  return ok ;
}

 /* A line of the list: "name => /path (0x...)", "/path (0x...)", "name (0x...)" or "name => not found". */

static int add_libraries (s4_ramfill *r, char *list, char const *program)
{
  for (char *line = list, *end ; (end = strchr(line, '\n')) ; line = end + 1)
  {
    char *arrow, *path ;
    *end = 0 ;
    arrow = strstr(line, " => ") ;
    path = arrow ? arrow + 4 : line + strspn(line, " \t") ;
    if (arrow && !strncmp(path, "not found", 9)) return (errno = ENOENT, s4_unable("find a library of ", program)) ;
    if (*path != '/') continue ;
    path[strcspn(path, " ")] = 0 ;
    if (!s4_ramfill_path(r, path)) return 0 ;
  }
  return 1 ;
}

static int add_needed (s4_ramfill *r, char const *program, char const *interpreter)
{
  struct listing l = { .interpreter = interpreter, .program = program, .inside = 0 } ;
  stralloc list = STRALLOC_ZERO ;
  int ok = list_libraries(&list, &l) ;
  if (!ok) s4_unable("list the libraries of ", program) ;
  else ok = add_libraries(r, list.s, program) ;
   /* Libraries in places of their own are found by the linker's cache. */
  if (ok && !access("/etc/ld.so.cache", F_OK)) ok = s4_ramfill_path(r, "/etc/ld.so.cache") ;
  stralloc_free(&list) ;
  return ok ;
}

static int add_program (s4_ramfill *r, char const *dst, char const *src, stralloc const *content)
{
  char interpreter[PATH_MAX_LINUX] ;
  struct program p ;
  enum s4_exectype_e type = s4_exec_type(content->s, content->len, interpreter, sizeof interpreter) ;
  if (type != S4_SCRIPT && type != S4_DYNAMIC) return 1 ;
  p = (struct program)
  {
    .path = s4_concat("/", dst), .interpreter = s4_concat(interpreter, ""), .dynamic = type == S4_DYNAMIC
  } ;
  if (!*p.path || !*p.interpreter || !genalloc_append(struct program, &r->programs, &p))
    return s4_unable("copy ", src) ;
  return s4_ramfill_path(r, interpreter) && (!p.dynamic || add_needed(r, src, interpreter)) ;
}

 /* --- files and trees --- */

static int add_file (s4_ramfill *r, char const *dst, char const *src, struct stat const *st)
{
  stralloc content = STRALLOC_ZERO ;
  struct stat whole = *st ;
  int ok ;
  if (is_inside(r, dst)) return 1 ;
  if (!fits(r, dst, (uint64_t)st->st_size)) return 0 ;   /* before all of it is in memory */
  if (!openslurpclose(&content, src)) return s4_unable("read ", src) ;
  whole.st_size = (off_t)content.len ;
  ok = write_inside(r, dst, &content, st->st_mode) && enter(r, 'f', &whole, dst, src)
   && (!(st->st_mode & 0111) || add_program(r, dst, src, &content)) ;
  stralloc_free(&content) ;
  return ok ;
}

static int add_tree (s4_ramfill *, char const *, char const *) ;

 /* In a tree at its own path the targets of links are copied as well; elsewhere links may mean something else. */

static int add_member (s4_ramfill *r, char const *dst, char const *src)
{
  struct stat st ;
  if (lstat(src, &st) == -1) return s4_unable("look at ", src) ;
  if (S_ISDIR(st.st_mode)) return s4_ramfill_directory(r, dst, st.st_mode) && add_tree(r, dst, src) ;
  if (S_ISREG(st.st_mode)) return add_file(r, dst, src, &st) ;
  if (!S_ISLNK(st.st_mode)) return not_copied(src) ;
  return strcmp(dst, relative(src)) ? copy_link(r, dst, AT_FDCWD, src) : s4_ramfill_path(r, src) ;
}

static int is_entered (s4_ramfill const *r, char const *dst)
{
  char const *const *t = genalloc_s(char const *, &r->trees) ;
  for (size_t n = genalloc_len(char const *, &r->trees) ; n-- ; ) if (!strcmp(t[n], dst)) return 1 ;
  return 0 ;
}

 /* dir/name; an empty dir is the ramfs itself */

static int join (stralloc *sa, char const *dir, char const *name)
{
  return stralloc_cats(sa, dir) && (!*dir || stralloc_append(sa, '/')) && stralloc_cats(sa, name) && stralloc_0(sa) ;
}

static int add_named (s4_ramfill *r, char const *dst, char const *src, char const *name)
{
  stralloc from = STRALLOC_ZERO, to = STRALLOC_ZERO ;
  int ok = join(&from, src, name) && join(&to, dst, name) ? add_member(r, to.s, from.s)
    : s4_unable("copy what is in ", src) ;
  stralloc_free(&from) ;
  stralloc_free(&to) ;
  return ok ;
}

static int add_members (s4_ramfill *r, char const *dst, char const *src, DIR *dir)
{
  for (;;)
  {
    struct dirent *d ;
    errno = 0 ;
    d = readdir(dir) ;
    if (!d) return !errno || s4_unable("read the directory ", src) ;
    if (strcmp(d->d_name, ".") && strcmp(d->d_name, "..") && !add_named(r, dst, src, d->d_name)) return 0 ;
  }
}

 /* By whatever path: a name says nothing where there are links and bind mounts. */

static int is_the_ramfs (s4_ramfill const *r, DIR *dir)
{
  struct stat st, root ;
  return !fstat(dirfd(dir), &st) && !fstat(r->root, &root) && st.st_dev == root.st_dev && st.st_ino == root.st_ino ;
}

 /* Each only once: a link in it may lead back to it. */

static int add_tree (s4_ramfill *r, char const *dst, char const *src)
{
  DIR *dir ;
  char const *name = s4_concat(dst, "/") ;
  int ok ;
  if (is_entered(r, name)) return 1 ;
  if (!genalloc_append(char const *, &r->trees, &name)) return s4_unable("copy ", src) ;
  dir = opendir(src) ;
  if (!dir) return s4_unable("read the directory ", src) ;
  ok = is_the_ramfs(r, dir) ? (errno = EINVAL, s4_unable("copy the ramfs into itself: ", src))
    : add_members(r, dst, src, dir) ;
  closedir(dir) ;
  return ok ;
}

 /* What a path passes, links first, is made inside as it is outside. */

struct passing
{
  s4_ramfill *r ;
  struct stat st ;
  stralloc last ;
} ;

static int pass (int fd, char const *path, struct stat const *st, void *data)
{
  struct passing *p = data ;
  p->st = *st ;
  p->last.len = 0 ;
  if (!stralloc_cats(&p->last, path) || !stralloc_0(&p->last)) return s4_unable("copy ", path) ;
  if (S_ISDIR(st->st_mode)) return s4_ramfill_directory(p->r, relative(path), st->st_mode) ;
  return !S_ISLNK(st->st_mode) || copy_link(p->r, relative(path), fd, "") ;
}

int s4_ramfill_path (s4_ramfill *r, char const *path)
{
  struct passing p = { .r = r, .last = STRALLOC_ZERO } ;
  int ok = s4_path_walk(path, &pass, &p) ;
  if (!ok && errno) s4_unable("copy ", path) ;   /* what pass() has reported is none of the walk's */
  if (ok && S_ISREG(p.st.st_mode)) ok = add_file(r, relative(p.last.s), p.last.s, &p.st) ;
  else if (ok && S_ISDIR(p.st.st_mode)) ok = add_tree(r, relative(p.last.s), p.last.s) ;
  else if (ok) ok = not_copied(path) ;
  stralloc_free(&p.last) ;
  return ok ;
}

static int add_parents (s4_ramfill *r, char const *dst)
{
  stralloc sa = STRALLOC_ZERO ;
  int ok = (stralloc_cats(&sa, dst) && stralloc_0(&sa)) || s4_unable("make inside what is above ", dst) ;
  for (char *s = sa.s ; ok && (s = strchr(s, '/')) ; *s++ = '/')
  {
    *s = 0 ;
    ok = s4_ramfill_directory(r, sa.s, 0755) ;
  }
  stralloc_free(&sa) ;
  return ok ;
}

int s4_ramfill_as (s4_ramfill *r, char const *src, char const *dst)
{
  struct stat st ;
  dst = relative(dst) ;
  if (stat(src, &st) == -1) return s4_unable("find ", src) ;
  if (!add_parents(r, dst)) return 0 ;
  if (S_ISDIR(st.st_mode)) return s4_ramfill_directory(r, dst, st.st_mode) && add_tree(r, dst, src) ;
  return S_ISREG(st.st_mode) ? add_file(r, dst, src, &st) : not_copied(src) ;
}

 /* --- when all is inside --- */

static int works_inside (s4_ramfill *r, struct program const *p)
{
  struct listing l = { .interpreter = p->interpreter, .program = p->path, .inside = 1 } ;
  stralloc list = STRALLOC_ZERO ;
  int ok ;
  if (!p->dynamic)
    return !faccessat(r->root, relative(p->interpreter), X_OK, 0)
     || s4_unable("find inside the interpreter of ", p->path) ;
  ok = list_inside(r, &list, &l) && !strstr(list.s, "not found") ;
  stralloc_free(&list) ;
  return ok || s4_unable("resolve inside the libraries of ", p->path) ;
}

int s4_ramfill_finish (s4_ramfill *r)
{
  stralloc text = STRALLOC_ZERO ;
  size_t n = genalloc_len(s4_entry, &r->entries) ;
  for (size_t i = 0 ; i < genalloc_len(struct program, &r->programs) ; i++)
    if (!works_inside(r, genalloc_s(struct program, &r->programs) + i)) return 0 ;
  for (size_t i = 0 ; i < n ; i++)
    if (!s4_manifest_add(&text, genalloc_s(s4_entry, &r->entries) + i)) return s4_unable("write ", S4_MANIFEST) ;
  if (!s4_manifest_end(&text, n)) return s4_unable("write ", S4_MANIFEST) ;
  return write_inside(r, S4_MANIFEST, &text, 0400) ;
}
