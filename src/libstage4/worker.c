/* ISC license. */

/*
  The worker. One child walks through all tasks, so that thousands of quick ones cost one fork. The parent
  only watches the board that both share: when every worker has stood on its task for a while, as many
  again are started beside them; a task without progress is abandoned at its limit, and its worker with it.
*/

#include <skalibs/nonposix.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <skalibs/djbunix.h>
#include <skalibs/genalloc.h>

#include "stage4.h"

#define STALL 100         /* a worker that has been on one task for so long gets company */
#define CAP 30            /* times its timeout: a task whose progress may be another's still ends */
#define NAMED_MAX 6       /* slow tasks that one line names */

struct watch   /* what the parent knows of a task */
{
  uint64_t seen ;   /* its progress, last time */
  s4_ms moved ;     /* when that was new */
} ;

struct board
{
  s4_job const *job ;
  s4_task *tasks ;
  struct watch *watch ;
  s4_ms start ;            /* one before its time begins: it is never 0 */
  genalloc workers ;       /* pid_t */
  genalloc pollfds ;       /* struct pollfd, one per worker: its pidfd */
  unsigned int doing, stalled ;
  s4_ms said ;             /* when the slow ones were named, or the first one stalled; 0: none has */
  s4_flow flow ;           /* what that was then */
} ;

static int32_t state_of (s4_task const *t)
{
  return __atomic_load_n(&t->state, __ATOMIC_ACQUIRE) ;
}

int s4_task_ended (s4_task const *t, int err)
{
  return state_of(t) == S4_TASK_ENDED && t->err == err ;
}

int s4_task_done (s4_task const *t)
{
  return s4_task_ended(t, 0) ;
}

static int turn (s4_task *t, int32_t from, int32_t to)
{
  return __atomic_compare_exchange_n(&t->state, &from, to, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE) ;
}

 /* In 32 bits, which are read and written at once on every machine. */

static int32_t time_of (struct board const *b)
{
  return (int32_t)(s4_now() - b->start) ;
}

static s4_ms began_at (struct board const *b, unsigned int i)
{
  int32_t began = __atomic_load_n(&b->tasks[i].began, __ATOMIC_ACQUIRE) ;
  return began ? b->start + began : 0 ;
}

static int may_begin (struct board *b, unsigned int i)
{
  return state_of(b->tasks + i) == S4_TASK_WAITS && (!b->job->ready || b->job->ready(i, b->tasks, b->job->data)) ;
}

static void work_through (struct board *b)
{
  int32_t const self = getpid() ;
  for (unsigned int i = 0 ; i < b->job->n ; i++)
  {
    s4_task *t = b->tasks + i ;
    if (!may_begin(b, i) || !turn(t, S4_TASK_WAITS, self)) continue ;
    t->worker = self ;
    __atomic_store_n(&t->began, time_of(b), __ATOMIC_RELEASE) ;
    t->err = b->job->run(i, b->job->data) ;
    t->ended = time_of(b) ;
    turn(t, self, S4_TASK_ENDED) ;
  }
}

static int worker_start (struct board *b)
{
  struct pollfd x = { .events = POLLIN } ;
  pid_t pid ;
  if (!genalloc_readyplus(pid_t, &b->workers, 1) || !genalloc_readyplus(struct pollfd, &b->pollfds, 1)) return 0 ;
  pid = s4_fork_worker(-1, b->job->oom) ;
  if (pid == -1) return 0 ;
  if (!pid)
  {
    work_through(b) ;
    _exit(0) ;
  }
  x.fd = s4_pidfd(pid) ;
  genalloc_append(pid_t, &b->workers, &pid) ;
  genalloc_append(struct pollfd, &b->pollfds, &x) ;
  return 1 ;
}

static void worker_forget (struct board *b, size_t k)
{
  pid_t *w = genalloc_s(pid_t, &b->workers) ;
  struct pollfd *x = genalloc_s(struct pollfd, &b->pollfds) ;
  size_t last = genalloc_len(pid_t, &b->workers) - 1 ;
  if (x[k].fd >= 0) close(x[k].fd) ;
  w[k] = w[last] ;
  x[k] = x[last] ;
  genalloc_setlen(pid_t, &b->workers, last) ;
  genalloc_setlen(struct pollfd, &b->pollfds, last) ;
}

static void workers_collect (struct board *b)
{
  for (size_t k = genalloc_len(pid_t, &b->workers) ; k-- ; )
  {
    pid_t pid = genalloc_s(pid_t, &b->workers)[k] ;
    int wstat ;
    if (!s4_wait(pid, 0, &wstat)) continue ;
    worker_forget(b, k) ;
    for (unsigned int i = 0 ; i < b->job->n ; i++) if (state_of(b->tasks + i) == pid)
    {
      b->tasks[i].err = EOWNERDEAD ;
      b->tasks[i].ended = time_of(b) ;
      turn(b->tasks + i, pid, S4_TASK_ENDED) ;
    }
  }
}

static void abandon (struct board *b, unsigned int i)
{
  pid_t owner = state_of(b->tasks + i) ;
  if (owner <= 0 || !turn(b->tasks + i, owner, S4_TASK_ABANDONED)) return ;
  b->tasks[i].ended = time_of(b) ;
  kill(owner, SIGKILL) ;   /* ends it if it sleeps killably, as on NFS and FUSE */
  for (size_t k = genalloc_len(pid_t, &b->workers) ; k-- ; )
    if (genalloc_s(pid_t, &b->workers)[k] == owner) worker_forget(b, k) ;
}

static s4_ms patience_with (s4_job const *job, unsigned int i)
{
  return job->patience ? job->patience(i, job->data) : job->timeout ;
}

static void watch_task (struct board *b, unsigned int i, s4_ms now)
{
  struct watch *w = b->watch + i ;
  s4_ms began = began_at(b, i) ;
  s4_ms timeout ;
  uint64_t progress ;
  b->doing++ ;
  if (!began || now - began < STALL) return ;
  b->stalled++ ;
  if (!w->moved) w->moved = began ;
  progress = b->job->progress ? b->job->progress(i, b->job->data) : 0 ;
  if (progress != w->seen)
  {
    w->seen = progress ;
    w->moved = now ;
  }
  timeout = patience_with(b->job, i) ;
  if (now >= s4_budget_limit(&s4.budget, w->moved, timeout) || now >= began + CAP * timeout) abandon(b, i) ;
}

static void say_slow (struct board const *b, s4_ms now, s4_flow const *flow)
{
  s4_job const *job = b->job ;
  s4_names names = S4_NAMES(NAMED_MAX) ;
  s4_ms longest = 0 ;
  for (unsigned int i = 0 ; i < job->n ; i++)
  {
    s4_ms began = state_of(b->tasks + i) > 0 ? began_at(b, i) : 0 ;
    s4_ms waited = began ? now - began : 0 ;
    if (waited < S4_SLOW) continue ;
    if (longest < waited) longest = waited ;
    if (job->name && s4_names_next(&names) && !job->name(i, &names.text, job->data)) break ;
  }
  if (longest && !job->flow) s4_info(job->slow, names.n ? " " : "", s4_names_end(&names), ", ", S4_MS(longest)) ;
  else if (longest)
    s4_info(job->slow, names.n ? " " : "", s4_names_end(&names), ", ", S4_MS(longest), "; ", S4_NUM(flow->to_go),
      " KiB to go, ", S4_NUM((flow->done - b->flow.done) * 1000 / (now - b->said)), " KiB/s") ;
  stralloc_free(&names.text) ;
}

static void watch_slow (struct board *b, s4_ms now)
{
  s4_flow flow = { 0, 0 } ;
  if (!b->job->slow || !b->stalled || (b->said && now - b->said < S4_SLOW)) return ;
  if (b->job->flow) b->job->flow(&flow, b->job->data) ;
  if (b->said) say_slow(b, now, &flow) ;
  b->said = now ;
  b->flow = flow ;
}

static void watch_all (struct board *b)
{
  s4_ms now = s4_now() ;
  b->doing = b->stalled = 0 ;
  for (unsigned int i = 0 ; i < b->job->n ; i++) if (state_of(b->tasks + i) > 0) watch_task(b, i, now) ;
  watch_slow(b, now) ;
}

 /* Only asked when no worker moves: it takes a look at each task, as a worker does. */

static unsigned int count_startable (struct board *b)
{
  unsigned int n = 0 ;
  for (unsigned int i = 0 ; i < b->job->n ; i++) n += !!may_begin(b, i) ;
  return n ;
}

 /* Twice as many each time: no matter how many tasks hang, they are soon waited for side by side. */

static int workers_add (struct board *b, unsigned int startable)
{
  size_t live = genalloc_len(pid_t, &b->workers) ;
  size_t more = live ? live : 1 ;
  if (more > startable) more = startable ;
  while (more--) if (!worker_start(b)) return !!live ;
  return 1 ;
}

static int has_pidfds (struct board const *b)
{
  struct pollfd const *x = genalloc_s(struct pollfd, &b->pollfds) ;
  for (size_t k = genalloc_len(struct pollfd, &b->pollfds) ; k-- ; ) if (x[k].fd < 0) return 0 ;
  return 1 ;
}

static int board_make (struct board *b, s4_job const *job)
{
  *b = (struct board){ .job = job, .start = s4_now() - 1, .watch = calloc(job->n + 1, sizeof(struct watch)),
    .workers = GENALLOC_ZERO, .pollfds = GENALLOC_ZERO } ;
  b->tasks = mmap(0, (job->n + 1) * sizeof(s4_task), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0) ;
  return b->watch && b->tasks != MAP_FAILED ;
}

 /* Those that were abandoned keep their own mapping. */

static void board_free (struct board *b)
{
  while (genalloc_len(pid_t, &b->workers)) worker_forget(b, 0) ;
  genalloc_free(pid_t, &b->workers) ;
  genalloc_free(struct pollfd, &b->pollfds) ;
  if (b->tasks != MAP_FAILED) munmap(b->tasks, (b->job->n + 1) * sizeof(s4_task)) ;
  free(b->watch) ;
}

 /* No worker is left, and none can be started. */

static int give_up_waiting (struct board *b, int e)
{
  int some = 0 ;
  for (unsigned int i = 0 ; i < b->job->n ; i++)
  {
    some |= state_of(b->tasks + i) != S4_TASK_WAITS ;
    if (!may_begin(b, i)) continue ;
    b->tasks[i].err = e ;
    turn(b->tasks + i, S4_TASK_WAITS, S4_TASK_ENDED) ;
  }
  return some ? 1 : (errno = e, 0) ;
}

static int work (struct board *b)
{
  for (;;)
  {
    workers_collect(b) ;
    watch_all(b) ;
    if (genalloc_len(pid_t, &b->workers) <= b->stalled)
    {
      unsigned int startable = count_startable(b) ;
      if (!b->doing && !startable) return 1 ;
      if (!workers_add(b, startable)) return give_up_waiting(b, errno) ;
    }
    s4_poll(genalloc_s(struct pollfd, &b->pollfds), (unsigned int)genalloc_len(struct pollfd, &b->pollfds),
      s4_now() + (has_pidfds(b) ? STALL : S4_TICK)) ;
  }
}

s4_task *s4_work (s4_job const *job)
{
  struct board b ;
  s4_task *result = calloc(job->n + 1, sizeof(s4_task)) ;
  int ok = board_make(&b, job) && result && work(&b) ;
  int e = errno ;
  if (ok) memcpy(result, b.tasks, job->n * sizeof(s4_task)) ;
  else
  {
    free(result) ;
    result = 0 ;
  }
  board_free(&b) ;
  errno = e ;
  return result ;
}
