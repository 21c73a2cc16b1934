/* ISC license. */

/* One program, or a part of the chain, with a limit; at the limit it is ended with all that it has started. */

#include <skalibs/nonposix.h>

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <skalibs/allreadwrite.h>
#include <skalibs/djbunix.h>
#include <skalibs/genalloc.h>
#include <skalibs/sig.h>

#include "stage4.h"

#define DEATH_TIMEOUT 1000   /* after SIGKILL */
#define COMM_LEN 15          /* more of a name the kernel doesn't keep */

 /* --- who belongs to it: its session, its descendants, and orphans that came to us since it began --- */

struct family
{
  pid_t leader ;
  genalloc before ;    /* pid_t: children that we had already */
  s4_victims members ;
} ;

static int is_child (s4_process const *p, void *data)
{
  (void)data ;
  return p->ppid == getpid() ;
}

 /* Without the kernel's list of them everybody is looked at. */

static void find_children (genalloc *pids)
{
  s4_victims victims = S4_VICTIMS_ZERO ;
  if (s4_proc_children(getpid(), pids)) return ;
  genalloc_setlen(pid_t, pids, 0) ;
  s4_victims_find(&victims, &is_child, 0) ;
  for (size_t i = 0 ; i < s4_victims_count(&victims) ; i++)
    if (!genalloc_append(pid_t, pids, &s4_victims_list(&victims)[i].p.pid)) break ;
  s4_victims_free(&victims) ;
}

static void family_free (struct family *f)
{
  genalloc_free(pid_t, &f->before) ;
  s4_victims_free(&f->members) ;
}

static int belongs (s4_process const *p, void *data)
{
  struct family const *f = data ;
  if (s4_victims_have(&f->members, p->pid)) return 0 ;
  return p->pid == f->leader || p->session == f->leader || s4_victims_have(&f->members, p->ppid)
   || (p->ppid == getpid() && !s4_pids_have(&f->before, p->pid)) ;
}

 /* Workers that it has left behind (@) are not waited for, nor are others that nobody is to end. */

static void leave_out_spared (struct family *f)
{
  s4_victim *v = s4_victims_list(&f->members) ;
  s4_victims_find_spared(&f->members) ;
  for (size_t n = s4_victims_count(&f->members) ; n-- ; )
    if (v[n].p.pid == f->leader) v[n].spared = S4_NOT_SPARED ;
  s4_victims_drop_spared(&f->members) ;
}

static size_t family_find (struct family *f)
{
  size_t before ;
  s4_victims_forget(&f->members) ;
  do before = s4_victims_count(&f->members) ;
  while (s4_victims_find(&f->members, &belongs, f) && s4_victims_count(&f->members) > before) ;
  leave_out_spared(f) ;
  return s4_victims_count(&f->members) ;
}

 /* Again as long as somebody is found: signalled ones may fork. */

static int family_end (struct family *f, int sig, s4_ms grace)
{
  s4_ms const until = s4_limit(grace) ;
  s4_ms never = S4_NEVER ;
  int asked = 0 ;
  for (;;)
  {
    int const nice = s4_nice(-20) ;
    int const late = asked && s4_now() >= until ;   /* who forks and ends all the time is never waited for */
    asked = 1 ;
    if (family_find(f) && !late) s4_victims_signal(&f->members, sig) ;
    s4_nice(nice) ;
    if (!s4_victims_count(&f->members)) return 1 ;
    if (late) return 0 ;
    if (!s4_victims_wait(&f->members, until, &never)) return 0 ;
  }
}

 /* --- the program itself --- */

 /* 1: it runs; 0 with errno: it could not be executed. */

static int start (char const *const *argv, s4_fork_func *begin, s4_ms limit, pid_t *pid)
{
  int p[2] ;
  struct pollfd x = { .events = POLLIN } ;
  unsigned char e = 0 ;
  int wstat ;
  if (pipecoe(p) == -1) return 0 ;
  *pid = (*begin)(p[1]) ;
  if (*pid == -1)
  {
    fd_close(p[0]) ;
    fd_close(p[1]) ;
    return 0 ;
  }
  if (!*pid)
  {
    s4_exec(argv) ;
    e = (unsigned char)errno ;
    s4_answer(p[1], &e, 1) ;
    _exit(127) ;
  }
  fd_close(p[1]) ;
  x.fd = p[0] ;
  if (s4_poll(&x, 1, limit) > 0) fd_read(p[0], (char *)&e, 1) ;
  fd_close(p[0]) ;
  if (!e) return 1 ;
  s4_wait(*pid, limit, &wstat) ;   /* it is ending */
  return (errno = e, 0) ;
}

 /* A block goes from program to program: what it executes now is said, too. */

static void say_waiting (pid_t pid, char const *name, s4_ms waited)
{
  char const *slash = strrchr(name, '/') ;
  s4_process p ;
  int other = s4_process_read(pid, &p) && strncmp(p.comm, slash ? slash + 1 : name, COMM_LEN) ;
  s4_info("waiting for ", name, other ? ", now " : "", other ? p.comm : "", ", ", S4_MS(waited)) ;
}

 /* Nuke has continued all there were; a limit is not for sitting it out. */

static void continue_stopped (pid_t pid, char const *name)
{
  s4_process p ;
  if (!s4_process_read(pid, &p) || p.state != 'T') return ;
  s4_warn(name, " is stopped, it is continued") ;
  kill(pid, SIGCONT) ;
}

static int wait_reporting (pid_t pid, char const *name, s4_ms limit, int *wstat)
{
  s4_ms const start = s4_now() ;
  s4_ms gap = S4_SLOW ;
  for (;;)
  {
    s4_ms next = s4_now() + gap ;
    if (s4_wait(pid, next < limit ? next : limit, wstat)) return 1 ;
    if (s4_now() >= limit) return 0 ;
    say_waiting(pid, name, s4_now() - start) ;
    continue_stopped(pid, name) ;
    gap *= 2 ;
  }
}

static int run (struct family *f, char const *const *argv, s4_fork_func *begin, s4_ms limit, s4_ms killgrace,
  int *wstat)
{
  s4_ms const begun = s4_now() ;
  find_children(&f->before) ;
  if (!start(argv, begin, limit, &f->leader))
  {
    s4_warnsys("unable to execute ", argv[0]) ;
    return S4_NOTSTARTED ;
  }
  if (wait_reporting(f->leader, argv[0], limit, wstat)) return S4_DONE ;
  s4_warn(argv[0], " is not done after ", S4_MS(s4_now() - begun), ", ending it") ;
  if (!family_end(f, SIGTERM, killgrace) && !family_end(f, SIGKILL, DEATH_TIMEOUT))
    s4_victims_name(&f->members, "can't be killed: ", S4_NEVER) ;
  s4_wait(f->leader, 0, wstat) ;   /* nobody else asks for it */
  return S4_LATE ;
}

int s4_run (char const *const *argv, s4_fork_func *begin, s4_ms limit, s4_ms killgrace, int *wstat)
{
  struct family f = { .before = GENALLOC_ZERO, .members = S4_VICTIMS_ZERO } ;
  int was_reaper = 0 ;
  int r ;
  prctl(PR_GET_CHILD_SUBREAPER, &was_reaper) ;
  prctl(PR_SET_CHILD_SUBREAPER, 1ul) ;   /* what detaches itself becomes our child, so it can be found */
  r = run(&f, argv, begin, limit, killgrace, wstat) ;
  prctl(PR_SET_CHILD_SUBREAPER, (unsigned long)was_reaper) ;   /* a service may follow, which reaps no orphans */
  family_free(&f) ;
  return r ;
}

 /* --- a foreign one --- */

static int judge (int wstat, char const *name, s4_ms took)
{
  if (WIFSIGNALED(wstat)) s4_warn(name, " was ended by ", sig_name(WTERMSIG(wstat)), " after ", S4_MS(took)) ;
  else if (WEXITSTATUS(wstat)) s4_warn(name, " failed with ", S4_NUM(WEXITSTATUS(wstat)), " after ", S4_MS(took)) ;
  else
  {
    s4_verbose(name, " is done, ", S4_MS(took)) ;
    return S4_DONE ;
  }
  return S4_LEFT ;
}

int s4_hook_by (s4_fork_func *begin, char const *const *argv, s4_ms timeout, s4_ms killgrace)
{
  s4_ms const begun = s4_now() ;
  int wstat ;
  int r = s4_run(argv, begin, s4_limit(timeout), killgrace, &wstat) ;
  return r ? r : judge(wstat, argv[0], s4_now() - begun) ;
}

int s4_hook (char const *const *argv, s4_ms timeout, s4_ms killgrace)
{
  return s4_hook_by(&s4_fork_program, argv, timeout, killgrace) ;
}
