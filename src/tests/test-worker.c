/* ISC license. */

/*
  The worker, with real children: quick tasks, tasks that hang, die, move, wait for each other. Limits are
  short; what is compared are sums and orders, so that a busy machine makes no difference.
*/

#include <skalibs/nonposix.h>

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stage4.h"
#include "tap.h"

#define TASKS_MAX 2000
#define HANGS 0xffffffffu
#define FOREVER 50      /* seconds: if nobody ends them, nobody shall have to look for them */

 /* What tasks shall do, and what they did, in memory shared with the workers. */

struct script
{
  unsigned int sleep[TASKS_MAX] ;   /* ms, or HANGS */
  int result[TASKS_MAX] ;
  int signal[TASKS_MAX] ;           /* ends the worker */
  int exits[TASKS_MAX] ;            /* so does that */
  unsigned int ran[TASKS_MAX] ;
  pid_t pid[TASKS_MAX] ;
  uint64_t moved ;                  /* the progress, of all tasks */
  int64_t to_go ;
  unsigned int n ;                  /* for after_the_next() */
} ;
static struct script *script ;

static void fresh (void)
{
  memset(script, 0, sizeof *script) ;
}

static int run (unsigned int i, void *data)
{
  struct script *s = data ;
  __atomic_add_fetch(s->ran + i, 1, __ATOMIC_SEQ_CST) ;
  s->pid[i] = getpid() ;
  if (s->signal[i]) kill(getpid(), s->signal[i]) ;
  if (s->exits[i]) _exit(s->exits[i]) ;
  if (s->sleep[i] == HANGS) alarm(FOREVER) ;
  for (unsigned int left = s->sleep[i] ; left ; )
  {
    unsigned int slice = left > 20 ? 20 : left ;
    usleep(slice * 1000) ;
    if (left == HANGS) continue ;
    left -= slice ;
    __atomic_add_fetch(&s->moved, 1, __ATOMIC_SEQ_CST) ;
  }
  return s->result[i] ;
}

static uint64_t progress (unsigned int i, void *data)
{
  struct script *s = data ;
  (void)i ;
  return __atomic_load_n(&s->moved, __ATOMIC_SEQ_CST) ;
}

static int name (unsigned int i, stralloc *sa, void *data)
{
  (void)data ;
  return s4_cat(sa, "task ", S4_NUM(i)) ;
}

static void flow (s4_flow *f, void *data)
{
  struct script *s = data ;
  f->to_go = s->to_go -= 500 ;
  f->done = 3 * (100000 - s->to_go) ;
}

static int after_the_next (unsigned int i, s4_task const *tasks, void *data)
{
  struct script const *s = data ;
  return i + 1 == s->n || tasks[i+1].state == S4_TASK_ENDED ;
}

static int only_even (unsigned int i, s4_task const *tasks, void *data)
{
  (void)tasks ;
  (void)data ;
  return !(i & 1) ;
}

static s4_task const *work (unsigned int n, s4_ms timeout, s4_ms *took)
{
  s4_job const job = { .n = n, .timeout = timeout, .run = &run, .progress = &progress, .data = script } ;
  s4_ms start = s4_now() ;
  s4_task const *t = s4_work(&job) ;
  if (took) *took = s4_now() - start ;
  if (!t) bail_out("unable to work: ", "s4_work") ;
  return t ;
}

static unsigned int workers_of (unsigned int n)
{
  unsigned int count = 0 ;
  for (unsigned int i = 0 ; i < n ; i++)
  {
    unsigned int k = 0 ;
    while (k < i && script->pid[k] != script->pid[i]) k++ ;
    count += k == i ;
  }
  return count ;
}

static int is_done (s4_task const *t, int err)
{
  return t->state == S4_TASK_ENDED && t->err == err && t->began && t->ended >= t->began ;
}

 /* All children of this process end, and are waited for. */

static int no_child_remains (void)
{
  for (s4_ms limit = s4_now() + 10000 ; s4_now() < limit ; usleep(10000))
    if (waitpid(-1, 0, WNOHANG) == -1 && errno == ECHILD) return 1 ;
  return 0 ;
}

static void quick (void)
{
  s4_task const *t ;
  int good = 1 ;
  fresh() ;
  for (unsigned int i = 0 ; i < TASKS_MAX ; i++) script->result[i] = i % 3 ? 0 : EBUSY ;
  t = work(TASKS_MAX, 10000, 0) ;
  for (unsigned int i = 0 ; i < TASKS_MAX ; i++) if (!is_done(t + i, i % 3 ? 0 : EBUSY) || script->ran[i] != 1) good = 0 ;
  ok(good, "two thousand quick tasks are done, each once, with what it returned") ;
  ok(workers_of(TASKS_MAX) <= 8, "by next to no workers: %u", workers_of(TASKS_MAX)) ;
  ok(!!work(0, 1000, 0), "no tasks") ;
  fresh() ;
  t = work(1, 1000, 0) ;
  ok(is_done(t, 0), "one task") ;
  ok(script->pid[0] != getpid() && script->pid[0], "it was done by a child") ;
}

static void one_hangs (void)
{
  s4_task const *t ;
  int good = 1 ;
  fresh() ;
  script->sleep[3] = HANGS ;
  t = work(10, 600, 0) ;
  for (unsigned int i = 0 ; i < 10 ; i++) if (i != 3 && !is_done(t + i, 0)) good = 0 ;
  ok(good, "one hangs: the others are done") ;
  ok(t[3].state == S4_TASK_ABANDONED, "it is abandoned") ;
  ok(t[3].ended - t[3].began >= 600, "not before its limit: %d ms", t[3].ended - t[3].began) ;
  good = 1 ;
  for (unsigned int i = 0 ; i < 10 ; i++) if (i != 3 && t[i].ended >= t[3].ended) good = 0 ;
  ok(good, "the others didn't wait for it") ;
  ok(no_child_remains(), "its worker is dead") ;
}

static void many_hang (void)
{
  s4_task const *t ;
  s4_ms took ;
  unsigned int abandoned = 0, done = 0 ;
  fresh() ;
  for (unsigned int i = 0 ; i < 100 ; i++) script->sleep[i * 2] = HANGS ;
  t = work(200, 1000, &took) ;
  for (unsigned int i = 0 ; i < 200 ; i++)
  {
    abandoned += !(i & 1) && t[i].state == S4_TASK_ABANDONED ;
    done += i & 1 && is_done(t + i, 0) ;
  }
  ok(abandoned == 100 && done == 100, "a hundred of two hundred hang: these are abandoned, the others are done") ;
  ok(took < 100 * 1000 / 16, "they are soon waited for side by side: %" PRId64 " ms", took) ;
  ok(no_child_remains(), "their workers are dead") ;
}

static void moving (void)
{
  s4_task const *t ;
  fresh() ;
  script->sleep[0] = 2500 ;
  t = work(1, 800, 0) ;
  ok(is_done(t, 0), "progress keeps a slow task alive: %d ms", t->ended - t->began) ;
  {
    s4_job const job = { .n = 1, .timeout = 800, .run = &run, .data = script } ;
    fresh() ;
    script->sleep[0] = 2500 ;
    t = s4_work(&job) ;
    ok(t && t->state == S4_TASK_ABANDONED && t->ended - t->began < 2500, "without progress it is abandoned") ;
  }
  ok(no_child_remains(), "its worker is dead") ;
}

 /* What s4_work says meanwhile, in one line for all of them. */

static char const *said_during (s4_job const *job)
{
  static char text[4096] ;
  int old = dup(2), p[2] ;
  ssize_t r ;
  if (old == -1 || pipe(p) == -1 || dup2(p[1], 2) == -1) bail_out("unable to ", "pipe") ;
  close(p[1]) ;
  if (!s4_work(job)) bail_out("unable to work: ", "s4_work") ;
  dup2(old, 2) ;
  close(old) ;
  if (!no_child_remains()) bail_out("a worker ", "lives on") ;
  r = read(p[0], text, sizeof text - 1) ;
  text[r > 0 ? r : 0] = 0 ;
  close(p[0]) ;
  return text ;
}

static unsigned int lines_of (char const *text)
{
  unsigned int n = 0 ;
  for (; *text ; text++) n += *text == '\n' ;
  return n ;
}

struct amounts { unsigned int seconds, to_go, rate ; } ;

static int parse_amounts (char const *line, struct amounts *a)
{
  char const *s = strstr(line, " s; ") ;
  while (s && s > line && s[-1] != ' ') s-- ;
  return s && sscanf(s, "%u.%*u s; %u KiB to go, %u KiB/s\n", &a->seconds, &a->to_go, &a->rate) == 3 ;
}

static void slow (void)
{
  s4_job job = { .n = 12, .timeout = 2600, .run = &run, .slow = "still waiting for", .name = &name, .flow = &flow, .data = script } ;
  char const *text, *second ;
  struct amounts a, b ;
  fresh() ;
  script->to_go = 100000 ;
  for (unsigned int i = 0 ; i < 8 ; i++) script->sleep[i + 2] = HANGS ;
  text = said_during(&job) ;
  ok(lines_of(text) == 2, "one line a second: %u", lines_of(text)) ;
  ok(!!strstr(text, "still waiting for task 2, task 3, task 4, task 5, task 6, task 7 and 2 more, "), "it names who is slow: %s", text) ;
  second = strchr(text, '\n') ;
  ok(second && parse_amounts(text, &a) && parse_amounts(second, &b), "how long, how much, how fast") ;
  ok(a.seconds == 1 && b.seconds == 2, "the times are %u and %u s", a.seconds, b.seconds) ;
  ok(a.to_go == 99000 && b.to_go == 98500 && a.rate > 300 && a.rate <= 1500, "what is left is %u, then %u, by %u a second", a.to_go, b.to_go, a.rate) ;
  fresh() ;
  script->sleep[0] = 1500 ;
  job = (s4_job){ .n = 1, .timeout = 20000, .run = &run, .slow = "still syncing", .data = script } ;
  text = said_during(&job) ;
  ok(!!strstr(text, "still syncing, 1."), "without names, without an amount: %s", text) ;
  script->sleep[0] = 500 ;
  ok(!*said_during(&job), "what takes less than a second isn't slow") ;
}

static s4_ms more_for_the_second (unsigned int i, void *data)
{
  (void)data ;
  return i == 1 ? 20000 : 300 ;
}

static void patience (void)
{
  s4_job const job = { .n = 2, .patience = &more_for_the_second, .run = &run, .data = script } ;
  s4_task const *t ;
  fresh() ;
  script->sleep[0] = HANGS ;
  script->sleep[1] = 1500 ;
  t = s4_work(&job) ;
  ok(t && t[0].state == S4_TASK_ABANDONED && t[0].ended - t[0].began < 1500, "one is given little time") ;
  ok(t && is_done(t + 1, 0), "another one more") ;
}

static void dying (void)
{
  s4_task const *t ;
  s4_ms took ;
  int good = 1 ;
  fresh() ;
  script->signal[0] = SIGKILL ;
  script->signal[5] = SIGKILL ;
  script->signal[9] = SIGKILL ;
  t = work(10, 20000, &took) ;
  for (unsigned int i = 0 ; i < 10 ; i++) if (!is_done(t + i, 0) && i != 0 && i != 5 && i != 9) good = 0 ;
  ok(good, "workers die: the other tasks are done") ;
  for (unsigned int i = 0 ; i < 10 ; i++) if (script->ran[i] != 1) good = 0 ;
  ok(good, "each was tried once") ;
  ok(t[0].state == S4_TASK_ENDED && t[0].err == EOWNERDEAD && t[5].state == S4_TASK_ENDED && t[5].err == EOWNERDEAD && t[9].state == S4_TASK_ENDED
   && t[9].err == EOWNERDEAD, "theirs are finished with EOWNERDEAD") ;
  ok(t[0].ended >= t[0].began && t[5].ended >= t[5].began, "and have ended") ;
  ok(took < 10000, "nobody waits for them: %" PRId64 " ms", took) ;
  fresh() ;
  script->exits[1] = 3 ;
  t = work(3, 1500, &took) ;
  ok(is_done(t, 0) && is_done(t + 2, 0), "a worker exits: the other tasks are done") ;
  ok(t[1].state == S4_TASK_ENDED && t[1].err == EOWNERDEAD, "it is as dead") ;
}

static void waiting_for_others (void)
{
  s4_job job = { .n = 12, .timeout = 20000, .run = &run, .ready = &after_the_next, .data = script } ;
  s4_task const *t ;
  int good ;
  fresh() ;
  script->n = job.n ;
  script->sleep[7] = 150 ;
  script->sleep[11] = 150 ;
  t = s4_work(&job) ;
  good = !!t ;
  for (unsigned int i = 0 ; i + 1 < job.n && good ; i++) good = is_done(t + i, 0) && t[i].began >= t[i+1].ended ;
  ok(good, "each waits for the next one: done in that order") ;
  fresh() ;
  script->n = job.n ;
  script->sleep[5] = HANGS ;
  job.timeout = 400 ;
  t = s4_work(&job) ;
  good = t && t[5].state == S4_TASK_ABANDONED ;
  for (unsigned int i = 0 ; i < 5 && good ; i++) good = t[i].state == S4_TASK_WAITS && !t[i].began && !script->ran[i] ;
  for (unsigned int i = 6 ; i < job.n && good ; i++) good = is_done(t + i, 0) ;
  ok(good, "what waits for one that is abandoned is left to do") ;
  fresh() ;
  job.ready = &only_even ;
  t = s4_work(&job) ;
  good = !!t ;
  for (unsigned int i = 0 ; i < job.n && good ; i++) good = i & 1 ? t[i].state == S4_TASK_WAITS && !script->ran[i] : is_done(t + i, 0) ;
  ok(good, "what may never begin is left to do") ;
  ok(no_child_remains(), "no worker remains") ;
}

static void with_budget (void)
{
  s4_budget const none = s4.budget ;
  s4_task const *t ;
  s4_ms took ;
  unsigned int abandoned = 0 ;
  fresh() ;
  script->sleep[0] = script->sleep[2] = HANGS ;
  s4.budget.start = s4_now() ;
  s4.budget.deadline = s4.budget.start + 700 ;
  t = work(4, 60000, &took) ;
  ok(t[0].state == S4_TASK_ABANDONED && t[2].state == S4_TASK_ABANDONED && is_done(t + 1, 0) && is_done(t + 3, 0), "the budget ends before the limit: abandoned") ;
  ok(took >= 700 && took < 30000, "with the budget, not with the limit: %" PRId64 " ms", took) ;
  fresh() ;
  s4.budget.start = s4_now() ;
  s4.budget.deadline = s4.budget.start - 60000 ;
  for (unsigned int i = 0 ; i < 60 ; i++) script->sleep[i] = HANGS ;
  t = work(80, 60000, &took) ;
  for (unsigned int i = 0 ; i < 60 ; i++) abandoned += t[i].state == S4_TASK_ABANDONED ;
  is_number(abandoned, 60, "past the budget: what hangs is abandoned") ;
  abandoned = 0 ;
  for (unsigned int i = 60 ; i < 80 ; i++) abandoned += is_done(t + i, 0) ;
  is_number(abandoned, 20, "past the budget: each of the others still gets its try") ;
  ok(took < 60 * 500 / 3, "two seconds a step, not half a second for each: %" PRId64 " ms", took) ;
  s4.budget = none ;
  ok(no_child_remains(), "no worker remains") ;
}


 /* s4_ask */

static int say (int fd, void *data)
{
  return s4_answer(fd, data, strlen(data)) ;
}

static int say_much (int fd, void *data)
{
  size_t n = *(size_t *)data ;
  char buf[5000] ;
  for (size_t i = 0 ; i < n ; i += sizeof buf)
  {
    int e ;
    memset(buf, (int)('a' + i / sizeof buf % 26), sizeof buf) ;
    e = s4_answer(fd, buf, n - i < sizeof buf ? n - i : sizeof buf) ;
    if (e) return e ;
  }
  return 0 ;
}

static int hang (void)
{
  alarm(FOREVER) ;
  while (pause() == -1) ;
  return 0 ;
}

static int say_and_hang (int fd, void *data)
{
  say(fd, data) ;
  return hang() ;
}

static int say_close_and_hang (int fd, void *data)
{
  say(fd, data) ;
  close(fd) ;
  return hang() ;
}

static int say_and_die (int fd, void *data)
{
  say(fd, data) ;
  raise(SIGKILL) ;
  return 0 ;
}

static int say_and_fail (int fd, void *data)
{
  say(fd, data) ;
  return ESTALE ;
}

static int say_pids (int fd, void *data)
{
  struct { pid_t self, parent ; } x = { .self = getpid(), .parent = getppid() } ;
  (void)data ;
  return s4_answer(fd, &x, sizeof x) ;
}

static struct { char const *name ; int (*f) (int, void *) ; int r, e ; char const *answer ; } const asked[] =
{
  { "an answer", &say, 1, 0, "hello" },
  { "it hangs", &say_and_hang, 0, ETIMEDOUT, "hello" },
  { "it hangs behind its answer", &say_close_and_hang, 0, ETIMEDOUT, "hello" },
  { "it dies", &say_and_die, 0, EOWNERDEAD, "hello" },
  { "it fails", &say_and_fail, 0, ESTALE, "hello" }
} ;

static void asking (void)
{
  stralloc sa = STRALLOC_ZERO ;
  size_t n ;
  int good = 1 ;
  int lowest = dup(0) ;
  close(lowest) ;
  for (size_t i = 0 ; i < sizeof asked / sizeof *asked ; i++)
  {
    s4_ms start = s4_now(), took ;
    int r ;
    text_of(&sa, "left over", 9) ;
    errno = 0 ;
    r = s4_ask(asked[i].f, "hello", asked[i].e == ETIMEDOUT ? 500 : 20000, &sa) ;
    took = s4_now() - start ;
    if (!ok(r == asked[i].r && (r || errno == asked[i].e), "asked: %s", asked[i].name)) note("got %d, %s", r, strerror(errno)) ;
    is_bytes(sa.s, sa.len, asked[i].answer, strlen(asked[i].answer), asked[i].name) ;
    ok(asked[i].e == ETIMEDOUT ? took >= 500 && took < 15000 : took < 15000, "%s: in time, %" PRId64 " ms", asked[i].name, took) ;
  }
  ok(s4_ask(&say, "", 20000, &sa) && !sa.len, "asked: an empty answer") ;
  n = 3 << 20 ;
  ok(s4_ask(&say_much, &n, 20000, &sa) && sa.len == n, "asked: an answer of 3 MiB") ;
  for (size_t i = 0 ; i < sa.len && good ; i++) good = sa.s[i] == (char)('a' + i / 5000 % 26) ;
  ok(good, "all of it right") ;

  if (ok(s4_ask(&say_pids, 0, 20000, &sa), "asked: who"))
  {
    struct { pid_t self, parent ; } x ;
    memcpy(&x, sa.s, sizeof x) ;
    ok(x.self != getpid() && x.parent == getpid(), "a child") ;
  }
  ok(no_child_remains(), "no child remains") ;
  n = (size_t)dup(0) ;
  ok((int)n <= lowest + 1, "no fd is left open") ;   /* one: s4_proc()'s */
  close((int)n) ;
}

int main (void)
{
  script = mmap(0, sizeof *script, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0) ;
  if (script == MAP_FAILED) bail_out("out of memory", "") ;
  quick() ;
  one_hangs() ;
  many_hang() ;
  moving() ;
  slow() ;
  patience() ;
  dying() ;
  waiting_for_others() ;
  with_budget() ;
  asking() ;
  return done() ;
}
