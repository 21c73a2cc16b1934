/* ISC license. */

/* /proc: found, read whole, written; its processes, and what it says of namespaces. */

#include <skalibs/nonposix.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/kcmp.h>
#include <linux/magic.h>

#include <skalibs/allreadwrite.h>
#include <skalibs/djbunix.h>
#include <skalibs/genalloc.h>
#include <skalibs/stralloc.h>
#include <skalibs/types.h>

#include "stage4.h"

#define READ_SIZE 4096              /* seq_file gives no more at once */
#define KTHREADD 2
#define PROC_PID_INIT_INO 0xEFFFFFFCu /* of the initial pid namespace, include/linux/proc_ns.h */

 /*
   One of another pid namespace shows other processes: in a container's root that is entered from outside there is no
   `self`, in a container that has kept the host's it is the pid that this process has there.
 */

static int is_ours (int fd)
{
  struct statfs sf ;
  char self[PID_FMT] ;
  ssize_t const n = readlinkat(fd, "self", self, sizeof self - 1) ;
  unsigned int pid ;
  if (n <= 0 || fstatfs(fd, &sf) || sf.f_type != PROC_SUPER_MAGIC) return 0 ;
  self[n] = 0 ;
  return uint0_scan(self, &pid) && (pid_t)pid == getpid() ;
}

static int is_of_container (int fd)
{
  struct stat st ;
  return !fstatat(fd, "self/ns/pid", &st, 0) && st.st_ino != PROC_PID_INIT_INO ;
}

 /* A container's is read-only for a reason. */

static int may_write (int fd)
{
  struct statvfs sf ;
  return fstatvfs(fd, &sf) || !(sf.f_flag & ST_RDONLY) || is_of_container(fd) ;
}

 /* Mounted with subset=pid it has processes only, which in a container may be meant. */

static int is_whole (int fd)
{
  return !faccessat(fd, "sys", F_OK, 0) || is_of_container(fd) ;
}

 /* A chain without a /proc that is whole, and can be written to, makes a procfs that is mounted nowhere. */

int s4_proc (void)
{
  static int fd = -1 ;
  int found ;
  if (fd >= 0) return fd ;
  found = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC) ;
  if (found >= 0 && !is_ours(found))
  {
    fd_close(found) ;
    found = -1 ;
  }
  if (found >= 0 && is_whole(found) && may_write(found)) return fd = found ;
  fd = s4_newfs("proc", (char const *const []){ 0 }) ;
  if (fd == -1 && found == -1) errno = ENODEV ;   /* not ENOENT: that is said of a file in it */
  if (fd == -1) fd = found ;
  else if (found >= 0) fd_close(found) ;
  return fd ;
}

char *s4_proc_name (char *buf, pid_t pid, char const *rest)
{
  strcpy(buf + pid_fmt(buf, pid), rest) ;
  return buf ;
}

char const *s4_proc_fdname (char *buf, char const *dir, int fd)
{
  strcpy(buf, "self/") ;
  strcat(buf, dir) ;
  strcat(buf, "/") ;
  strcat(buf, S4_NUM(fd)) ;
  return buf ;
}

ssize_t s4_proc_link (pid_t pid, char const *rest, char *buf, size_t size)
{
  char name[S4_PROCNAME] ;
  ssize_t const r = readlinkat(s4_proc(), s4_proc_name(name, pid, rest), buf, size - 1) ;
  buf[r > 0 ? r : 0] = 0 ;
  return r ;
}

uint64_t s4_proc_mountns (pid_t pid)
{
  char link[sizeof "mnt:[]" + UINT64_FMT] ;
  uint64_t ns ;
  ssize_t const r = s4_proc_link(pid, "/ns/mnt", link, sizeof link) ;
  if (r == -1) return 0 ;
  return uint64_scan(link + strcspn(link, "0123456789"), &ns) ? ns : (errno = EINVAL, 0) ;
}

int s4_proc_read (char const *name, stralloc *sa)
{
  int proc = s4_proc() ;
  int fd ;
  ssize_t r ;
  sa->len = 0 ;
  if (proc == -1) return 0 ;
  fd = openat(proc, name, O_RDONLY | O_CLOEXEC) ;
  if (fd == -1) return 0 ;
  do
  {
    if (!stralloc_readyplus(sa, READ_SIZE + 1)) { r = -1 ; break ; }
    r = fd_read(fd, sa->s + sa->len, sa->a - sa->len - 1) ;
    if (r > 0) sa->len += (size_t)r ;
  }
  while (r > 0) ;
  fd_close(fd) ;
  if (r == -1) return 0 ;
  sa->s[sa->len] = 0 ;
  return 1 ;
}

int s4_proc_tell (int fd, char const *value)
{
  size_t const len = strlen(value) ;
  ssize_t r ;
  if (fd == -1) return 0 ;
  r = fd_write(fd, value, len) ;
  fd_close(fd) ;
  return r == (ssize_t)len ;
}

int s4_proc_write (char const *name, char const *value)
{
  int const proc = s4_proc() ;
  return s4_proc_tell(proc == -1 ? -1 : openat(proc, name, O_WRONLY | O_CLOEXEC), value) ;
}

 /* --- this process's files --- */

struct fds
{
  int listing ;
  int (*f) (int, void *) ;
  void *data ;
} ;

static int show_fd (char const *name, void *data)
{
  struct fds *l = data ;
  unsigned int fd ;
  if (!uint0_scan(name, &fd) || (int)fd == l->listing || (int)fd == s4_proc()) return 1 ;
  return l->f((int)fd, l->data) ;
}

int s4_proc_fds (int (*f) (int, void *), void *data)
{
  struct fds l = { .listing = openat(s4_proc(), "self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC), .f = f, .data = data } ;
  return s4_dir_each(l.listing, &show_fd, &l) ;
}

 /* --- all processes --- */

int s4_pids_have (genalloc const *pids, pid_t pid)
{
  pid_t const *p = genalloc_s(pid_t, pids) ;
  for (size_t n = genalloc_len(pid_t, pids) ; n-- ; ) if (p[n] == pid) return 1 ;
  return 0 ;
}

int s4_have_the_same (pid_t a, pid_t b, int kind)
{
#ifdef SYS_kcmp
  return !syscall(SYS_kcmp, a, b, kind, 0, 0) ;
#else
  (void)a ; (void)b ; (void)kind ;
  return 0 ;
#endif
}

int s4_proc_children (pid_t pid, genalloc *pids)
{
  stralloc text = STRALLOC_ZERO ;
  char rest[S4_PROCNAME] = "/task/" ;
  char name[S4_PROCNAME] ;
  unsigned int child ;
  int r ;
  strcat(rest, S4_NUM(pid)) ;
  strcat(rest, "/children") ;
  r = s4_proc_read(s4_proc_name(name, pid, rest), &text) ;
  if (r) for (char const *s = text.s ; (s += strspn(s, " "), uint_scan(s, &child)) ; s += strcspn(s, " "))
    if (!genalloc_append(pid_t, pids, &(pid_t){ (pid_t)child })) { r = 0 ; break ; }
  stralloc_free(&text) ;
  return r ;
}

static int compare_pid (void const *a, void const *b)
{
  pid_t x = *(pid_t const *)a, y = *(pid_t const *)b ;
  return x < y ? -1 : x > y ;
}

 /*
   The kernel's own threads, most of what there is on a small machine, are children of kthreadd, in one file.
   Empty without that file, or where pid 2 is something else.
 */

static void find_kthreads (genalloc *pids)
{
  s4_process kthreadd ;
  genalloc_setlen(pid_t, pids, 0) ;
  if (!s4_process_read(KTHREADD, &kthreadd) || !kthreadd.kthread || !s4_proc_children(KTHREADD, pids)) return ;
  qsort(pids->s, genalloc_len(pid_t, pids), sizeof(pid_t), &compare_pid) ;
}

 /*
   But so are programs that the kernel has started (core_pattern, request-key, hotplug). These have memory of their own;
   threads have none, as kthreadd. Where there is no kcmp(2) the caller has to see what it is.
 */

static int is_kthread (genalloc const *pids, pid_t pid)
{
  size_t n = genalloc_len(pid_t, pids) ;
  return n && bsearch(&pid, pids->s, n, sizeof pid, &compare_pid) && s4_have_the_same(KTHREADD, pid, KCMP_VM) ;
}

struct processes
{
  genalloc kthreads ;   /* pid_t */
  int (*f) (pid_t, void *) ;
  void *data ;
} ;

static int show_process (char const *name, void *data)
{
  struct processes const *l = data ;
  unsigned int pid ;
  return !uint0_scan(name, &pid) || is_kthread(&l->kthreads, (pid_t)pid) || l->f((pid_t)pid, l->data) ;
}

int s4_processes (int (*f) (pid_t, void *), void *data)
{
  struct processes l = { .kthreads = GENALLOC_ZERO, .f = f, .data = data } ;
  int proc = s4_proc() ;
  int r ;
  if (proc == -1) return -1 ;
  find_kthreads(&l.kthreads) ;
  r = s4_dir_each(openat(proc, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), &show_process, &l) ;
  genalloc_free(pid_t, &l.kthreads) ;
  return r ;
}

 /*
   Without any procfs it counts as the machine. Then nothing is found that could be touched (mounts, swaps,
   sysctls, sysrq), and reboot(2) ends no more than the pid namespace; but a machine must be reset at last.
 */

int s4_in_container (void)
{
  int proc = s4_proc() ;
  return proc != -1 && is_of_container(proc) ;
}
