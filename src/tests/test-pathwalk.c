/* ISC license. */

/* Walking a path: what is passed, and that it ends where the kernel's own walk ends. */

#include <skalibs/nonposix.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <skalibs/djbunix.h>

#include "stage4.h"
#include "tap.h"

static char top[256] ;      /* a directory of our own, without links in its path */
static size_t toplen ;

struct trace
{
  stralloc text ;       /* " path" for each thing passed, below top; "@" behind links */
  unsigned int steps, stop ;
  int right ;           /* each fd was of what lstat told */
  struct stat last ;
  int lastfd_was_path ;
} ;

static int record (int fd, char const *path, struct stat const *st, void *data)
{
  struct trace *t = data ;
  struct stat own ;
  t->steps++ ;
  if (fstat(fd, &own) == -1 || own.st_dev != st->st_dev || own.st_ino != st->st_ino) t->right = 0 ;
  if (lstat(path, &own) == -1 || own.st_dev != st->st_dev || own.st_ino != st->st_ino) t->right = 0 ;
  if (!(fcntl(fd, F_GETFL) & O_PATH)) t->right = 0 ;
  t->last = *st ;
  if (!strncmp(path, top, toplen) && path[toplen])
  {
    stralloc_cats(&t->text, " ") ;
    stralloc_cats(&t->text, path + toplen) ;
    if (S_ISLNK(st->st_mode)) stralloc_cats(&t->text, "@") ;
  }
  return t->steps != t->stop ;
}

static void trace_start (struct trace *t)
{
  t->text.len = 0 ;
  t->steps = t->stop = 0 ;
  t->right = 1 ;
}

static char const *below (char const *rest)
{
  static char path[8192] ;
  snprintf(path, sizeof path, "%s%s", top, rest) ;
  return path ;
}

static void make_dir (char const *name)
{
  if (mkdir(below(name), 0755) == -1) bail_out("unable to make ", below(name)) ;
}

static void make_file (char const *name)
{
  int fd = open(below(name), O_WRONLY | O_CREAT | O_CLOEXEC, 0644) ;
  if (fd == -1) bail_out("unable to make ", below(name)) ;
  close(fd) ;
}

static void make_link (char const *target, char const *name)
{
  if (symlink(target, below(name)) == -1) bail_out("unable to make ", below(name)) ;
}

static void furnish (void)
{
  char name[32], target[sizeof top + 8] ;
  make_dir("/a") ;
  make_dir("/a/b") ;
  make_dir("/a/b/c") ;
  make_dir("/d") ;
  make_file("/a/f") ;
  make_file("/d/f") ;
  make_dir("/a/with space\n") ;
  make_link("b", "/a/rel") ;
  make_link("../a/b", "/d/up") ;
  make_link("../../../../../../../../../../../../../../../../../../../../../../", "/d/root") ;
  snprintf(target, sizeof target, "%s/a", top) ;
  make_link(target, "/d/abs") ;
  make_link("f", "/a/tofile") ;
  make_link("rel/c", "/a/tworel") ;
  make_link("tworel/../c", "/a/three") ;
  make_link("nowhere", "/a/dangling") ;
  make_link("self", "/a/self") ;
  make_link("pong", "/a/ping") ;
  make_link("ping", "/a/pong") ;
  make_link("b/", "/a/slash") ;
  make_link(".", "/a/dot") ;
  make_link("..", "/a/dotdot") ;
  make_link("/", "/a/slashroot") ;
  make_link("../a/./b/../b//c", "/d/odd") ;
  make_dir("/chain") ;
  make_dir("/chain/0") ;
  for (unsigned int i = 1 ; i <= 45 ; i++)
  {
    snprintf(name, sizeof name, "/chain/%u", i) ;
    snprintf(target, sizeof target, "%u", i - 1) ;
    make_link(target, name) ;
  }
}

static struct { char const *path ; char const *passed ; int e ; } const walks[] =
{
  { "", "", 0 },
  { "/", "", 0 },
  { "/a", " /a", 0 },
  { "/a/b/c", " /a /a/b /a/b/c", 0 },
  { "//a///b//", " /a /a/b", 0 },
  { "/a/f", " /a /a/f", 0 },
  { "/a/with space\n", " /a /a/with space\n", 0 },
  { "/a/rel", " /a /a/rel@ /a/b", 0 },
  { "/a/rel/c", " /a /a/rel@ /a/b /a/b/c", 0 },
  { "/a/tofile", " /a /a/tofile@ /a/f", 0 },
  { "/a/tworel", " /a /a/tworel@ /a/rel@ /a/b /a/b/c", 0 },
  { "/d/up/c", " /d /d/up@ /a /a/b /a/b/c", 0 },
  { "/d/abs", " /d /d/abs@ /a", 0 },
  { "/d/abs/rel/c", " /d /d/abs@ /a /a/rel@ /a/b /a/b/c", 0 },
  { "/a/slash/c", " /a /a/slash@ /a/b /a/b/c", 0 },
  { "/a/b/../f", " /a /a/b /a /a/f", 0 },
  { "/a/rel/../f", " /a /a/rel@ /a/b /a /a/f", 0 },   /* .. of what the link leads to */
  { "/d/up/../../d/f", " /d /d/up@ /a /a/b /a /d /d/f", 0 },
  { "/nowhere", "", ENOENT },
  { "/nowhere/at/all", "", ENOENT },
  { "/a/nowhere/b", " /a", ENOENT },
  { "/a/dangling", " /a /a/dangling@", ENOENT },
  { "/a/f/x", " /a /a/f", ENOTDIR },
  { "/a/tofile/x", " /a /a/tofile@ /a/f", ENOTDIR }
} ;

static void listed_walks (void)
{
  struct trace t = { .text = STRALLOC_ZERO } ;
  for (size_t i = 0 ; i < sizeof walks / sizeof *walks ; i++)
  {
    int r ;
    trace_start(&t) ;
    errno = 0 ;
    r = s4_path_walk(below(walks[i].path), &record, &t) ;
    if (!ok(walks[i].e ? !r && errno == walks[i].e : r == 1, "%s: the result", walks[i].path)) note("got %d, %s", r, strerror(errno)) ;
    stralloc_0(&t.text) ;
    is_string(t.text.s, walks[i].passed, walks[i].path) ;
    ok(t.right, "%s: what is shown is what is there", walks[i].path) ;
  }
  trace_start(&t) ;
  ok(s4_path_walk("/", &record, &t) == 1 && t.steps == 1, "the root alone") ;
  trace_start(&t) ;
  ok(s4_path_walk("/..", &record, &t) == 1 && t.right, "the root's .. is the root") ;
}

static void links (void)
{
  struct trace t = { .text = STRALLOC_ZERO } ;
  char name[32] ;
  trace_start(&t) ;
  ok(!s4_path_walk(below("/a/self"), &record, &t) && errno == ELOOP, "a link to itself") ;
  ok(t.steps < 200, "it ends") ;
  ok(!s4_path_walk(below("/a/ping"), &record, &t) && errno == ELOOP, "two links to each other") ;
  ok(!s4_path_walk(below("/a/self/x"), &record, &t) && errno == ELOOP, "a link to itself, on the way") ;
  for (unsigned int i = 1 ; i <= 45 ; i++)
  {
    int fd, e, r ;
    snprintf(name, sizeof name, "/chain/%u", i) ;
    fd = open(below(name), O_PATH | O_CLOEXEC) ;
    e = errno ;
    trace_start(&t) ;
    r = s4_path_walk(below(name), &record, &t) ;
    if (i < 38 && (!r || fd == -1)) ok(0, "a chain of %u links", i) ;
    if (i >= 38) ok(r == (fd >= 0) && (r || errno == e), "a chain of %u links ends as the kernel's walk", i) ;
    if (fd >= 0) close(fd) ;
  }
}

static void ended (void)
{
  struct trace t = { .text = STRALLOC_ZERO } ;
  unsigned int all ;
  int good = 1 ;
  trace_start(&t) ;
  s4_path_walk(below("/d/up/c"), &record, &t) ;
  all = t.steps ;
  for (unsigned int stop = 1 ; stop <= all ; stop++)
  {
    trace_start(&t) ;
    t.stop = stop ;
    errno = EBUSY ;
    if (s4_path_walk(below("/d/up/c"), &record, &t) || errno || t.steps != stop) good = 0 ;
  }
  ok(good, "f's 0 ends it, at once and with errno 0") ;
}

 /* Where a link of procfs leads, its text does not say. */

static void magic_links (void)
{
  struct trace t = { .text = STRALLOC_ZERO } ;
  struct stat st ;
  char name[64] ;
  int fd ;
  make_dir("/gone") ;
  fd = open(below("/gone"), O_PATH | O_CLOEXEC) ;
  if (fd == -1 || rmdir(below("/gone")) == -1 || fstat(fd, &st) == -1) bail_out("unable to remove ", below("/gone")) ;
  snprintf(name, sizeof name, "/proc/self/fd/%d/", fd) ;
  trace_start(&t) ;
  ok(s4_path_walk(name, &record, &t) == 1 && t.last.st_ino == st.st_ino && t.last.st_dev == st.st_dev, "a link of procfs to what has no name") ;
  ok(s4_path_walk("/proc/self/root/proc/self/fd", &record, &t) == 1 && S_ISDIR(t.last.st_mode), "a link of procfs on the way") ;
  close(fd) ;
}

 /* Random paths through all of this: the same file, or the same error, as open(2). */

static void random_walks (void)
{
  static char const *const part[] =
    { "a", "b", "c", "d", "f", "rel", "up", "abs", "tofile", "tworel", "three", "dangling", "slash", "dot", "dotdot", "odd", ".", "..", "", "nowhere" } ;
  struct trace t = { .text = STRALLOC_ZERO } ;
  unsigned int found = 0, lost = 0 ;
  int good = 1 ;
  int lowest = dup(0) ;
  close(lowest) ;
  for (unsigned int i = 0 ; i < 20000 && good ; i++)
  {
    char path[1024] ;
    size_t len = toplen ;
    int r, e, fd ;
    struct stat st ;
    memcpy(path, top, toplen) ;
    for (unsigned int n = random_below(8) ; n-- ; ) len += (size_t)snprintf(path + len, sizeof path - len, "/%s", part[random_below(sizeof part / sizeof *part)]) ;
    path[len] = 0 ;
    trace_start(&t) ;
    errno = 0 ;
    r = s4_path_walk(path, &record, &t) ;
    e = errno ;
    fd = open(path, O_PATH | O_CLOEXEC) ;
    if (fd == -1 && errno == ENOTDIR && r) continue ;   /* "file/": a slash at the end demands nothing here */
    good = r == (fd >= 0) && (r || e == errno) && t.right ;
    if (good && r) good = fstat(fd, &st) != -1 && st.st_dev == t.last.st_dev && st.st_ino == t.last.st_ino ;
    if (!good) note("%s: %d, %s", path + toplen, r, strerror(e)) ;
    if (fd >= 0) close(fd) ;
    if (r) found++ ; else lost++ ;
  }
  ok(good, "20000 random walks end where the kernel's own do") ;
  ok(found > 1000 && lost > 1000, "%u of them somewhere, %u nowhere", found, lost) ;
  {
    int now = dup(0) ;
    ok(now == lowest, "no fd is left open") ;
    close(now) ;
  }
}

static void long_paths (void)
{
  stralloc sa = STRALLOC_ZERO ;
  struct trace t = { .text = STRALLOC_ZERO } ;
  trace_start(&t) ;
  stralloc_copys(&sa, below("")) ;
  for (unsigned int i = 0 ; i < 3000 ; i++) stralloc_cats(&sa, "/a/..") ;
  stralloc_cats(&sa, "/a/f") ;
  stralloc_0(&sa) ;
  ok(s4_path_walk(sa.s, &record, &t) == 1 && S_ISREG(t.last.st_mode), "a path longer than PATH_MAX") ;
  stralloc_copys(&sa, below("/a/")) ;
  for (unsigned int i = 0 ; i < 300 ; i++) stralloc_append(&sa, 'n') ;
  stralloc_0(&sa) ;
  ok(!s4_path_walk(sa.s, &record, &t) && errno == ENAMETOOLONG, "a name longer than NAME_MAX") ;
}

static void mount_ids (void)
{
  s4_mounts ms = S4_MOUNTS_ZERO ;
  int fd = open("/", O_PATH | O_CLOEXEC), proc = open("/proc", O_PATH | O_CLOEXEC) ;
  int id = s4_mount_id(fd) ;
  ok(id > 0 && s4_mount_id(proc) > 0 && s4_mount_id(proc) != id, "the mount ids of / and /proc") ;
  ok(s4_mounts_load(&ms) && (s4_mounts_find(&ms, (unsigned int)id) >= 0 || s4_in_container()), "/ is one of the mounts") ;
  close(fd) ;
  close(proc) ;
  ok(s4_mount_id(fd) == -1, "the mount id of what is not open") ;
}

int main (void)
{
  char const *tmp = getenv("TMPDIR") ;
  char name[200] ;
  snprintf(name, sizeof name, "%s/test-pathwalk.XXXXXX", tmp ? tmp : "/tmp") ;
  if (!mkdtemp(name) || chdir(name) == -1 || !getcwd(top, sizeof top)) bail_out("unable to make a directory in ", tmp ? tmp : "/tmp") ;
  toplen = strlen(top) ;
  furnish() ;
  listed_walks() ;
  links() ;
  ended() ;
  magic_links() ;
  random_walks() ;
  long_paths() ;
  mount_ids() ;
  if (chdir("/") == -1 || rm_rf(top) == -1) note("unable to remove %s: %s", top, strerror(errno)) ;
  return done() ;
}
