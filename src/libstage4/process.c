/* ISC license. */

/* One line of /proc/PID/stat (proc(5)). The name in it may contain anything, ')' and newlines included. */

#include <skalibs/nonposix.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <string.h>
#include <sys/stat.h>

#include <skalibs/allreadwrite.h>
#include <skalibs/bytestr.h>
#include <skalibs/djbunix.h>
#include <skalibs/types.h>

#include "stage4.h"

#ifndef SCHED_DEADLINE
#define SCHED_DEADLINE 6   /* older libcs don't have it */
#endif

#define PF_KTHREAD 0x00200000u   /* include/linux/sched.h */

 /* Fields are counted from 1 as in proc(5); the first one after the name is 3. Negative numbers count as 0. */

enum { STATE = 3, PPID = 4, GROUP = 5, SESSION = 6, TTY = 7, FLAGS = 9, THREADS = 20, STARTTIME = 22, POLICY = 41 } ;

 /* sched(7): those that the kernel prefers to ordinary ones */

static int is_realtime (uint64_t policy)
{
  return policy == SCHED_FIFO || policy == SCHED_RR || policy == SCHED_DEADLINE ;
}

static int field (char const *const *at, unsigned int n, uint64_t *u)
{
  *u = 0 ;
  return at[n][0] == '-' || uint64_scan(at[n], u) ;
}

int s4_process_parse (char const *stat, size_t len, s4_process *p)
{
  char const *at[POLICY + 1] = { 0 } ;
  size_t open = byte_chr(stat, len, '(') ;
  size_t close = byte_rchr(stat, len, ')') ;
  char text[1024] ;
  char *s = text ;
  uint64_t pid, ppid, group, session, tty, flags, threads, policy = 0 ;
  if (close >= len || open >= close || close + 2 >= len) return 0 ;
  len -= close + 2 ;
  if (len >= sizeof text) len = sizeof text - 1 ;   /* what is needed is at the beginning */
  memcpy(text, stat + close + 2, len) ;
  text[len] = 0 ;
  for (unsigned int n = STATE ; n <= POLICY ; n++)
  {
    at[n] = s ;
    s = strchr(s, ' ') ;
    if (!s && n <= STARTTIME) return 0 ;
    if (!s) break ;
    s++ ;
  }
  if (at[POLICY]) field(at, POLICY, &policy) ;
  if (!uint64_scan(stat, &pid) || !pid || pid > INT32_MAX || !field(at, PPID, &ppid)
   || !field(at, GROUP, &group) || !field(at, SESSION, &session) || !field(at, TTY, &tty)
   || !field(at, FLAGS, &flags) || !field(at, THREADS, &threads) || !field(at, STARTTIME, &p->start)) return 0 ;
  p->pid = (pid_t)pid ;
  p->ppid = (pid_t)ppid ;
  p->group = (pid_t)group ;
  p->session = (pid_t)session ;
  p->tty = (int)tty ;
  p->kthread = !!(flags & PF_KTHREAD) ;
  p->realtime = is_realtime(policy) ;
  p->state = at[STATE][0] ;
  p->threads = threads > UINT_MAX ? UINT_MAX : (unsigned int)threads ;
   /* a dead leader may have live threads */
  p->dead = p->state == 'X' || p->state == 'x' || (p->state == 'Z' && threads <= 1) ;
  len = close - open - 1 ;
  if (len >= S4_COMM_MAX) len = S4_COMM_MAX - 1 ;
  memcpy(p->comm, stat + open + 1, len) ;
  p->comm[len] = 0 ;
  return 1 ;
}

int s4_process_read (pid_t pid, s4_process *p)
{
  char name[S4_PROCNAME] ;
  char text[1024] ;   /* the whole line: a name has at most 64 bytes there, and fields are added at the end */
  struct stat st ;
  ssize_t r ;
  int fd ;
  fd = openat(s4_proc(), s4_proc_name(name, pid, "/stat"), O_RDONLY | O_CLOEXEC) ;
  if (fd == -1) return errno == ENOENT ? (errno = ESRCH, 0) : 0 ;
  r = fstat(fd, &st) == -1 ? -1 : fd_read(fd, text, sizeof text) ;
  fd_close(fd) ;
  if (r == -1) return 0 ;
  if (!s4_process_parse(text, (size_t)r, p)) return (errno = EIO, 0) ;
  p->uid = st.st_uid ;
  return 1 ;
}

 /* "[<0>] io_schedule+0x46/0x80 [module]" a line; the address is 0 for whom it is no business. */

int s4_stack_names (stralloc *out, stralloc *stack, unsigned int max)
{
  size_t pos = 0 ;
  char *line ;
  unsigned int n = 0 ;
  if (!stralloc_0(stack)) return -1 ;
  stack->len-- ;
  while (n < max && (line = s4_next_line(stack, &pos)))
  {
    char *name = strchr(line, ' ') ;
    if (!name) continue ;
    name[1 + strcspn(name + 1, "+ ")] = 0 ;
    if (name[1] && !s4_cat(out, n++ ? " < " : "", name + 1)) return -1 ;
  }
  return (int)n ;
}
