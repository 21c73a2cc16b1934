/* ISC license. */

/*
  Consistent on disk, whatever is left: what umountall, freeze and the last resort share. Whole file systems are
  made read-only or frozen, each once, the top of the storage stack first: a file system in a file can't be flushed
  any more once the one below it is frozen. One way to a file system is tried after the other, until one leads there.
*/

#include <skalibs/nonposix.h>

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <skalibs/djbunix.h>
#include <skalibs/genalloc.h>

#include "stage4.h"

#define HUNG_MAX 3   /* ways of one file system that may hang: each costs its time */

struct each   /* a task is a way */
{
  s4_storage const *st ;
  s4_superblocks const *sb ;
  int (*open) (s4_way const *, s4_mount const *) ;
  int (*f) (int) ;
  char const *doing ;
  char const *done ;
  int last ;              /* nobody will write any more, so the kernel may do it as roughly as it can */
  unsigned int unseen ;   /* how many that are in no table failed, but for those that hang */
  unsigned char *held ;   /* of each way, in shared memory: it led there */
} ;

static s4_mount const *mount_of (struct each const *e, unsigned int k)
{
  return e->st->ms->m + e->sb->way[k].mount ;
}

static int run_on (unsigned int k, void *data)
{
  struct each const *e = data ;
  int fd = e->open(e->sb->way + k, mount_of(e, k)) ;
  int r ;
  if (fd == -1) return errno ;
  e->held[k] = 1 ;
  r = e->f(fd) ;
  fd_close(fd) ;
  return r ;
}

static int has_ended (s4_task const *t)
{
  return t->state == S4_TASK_ENDED || t->state == S4_TASK_ABANDONED ;
}

 /* One way or the other: what lies below may begin. */

static int is_settled (struct each const *e, s4_task const *tasks, unsigned int s)
{
  for (unsigned int k = e->sb->at[s] ; k < e->sb->at[s+1] ; k++)
  {
    if (!has_ended(tasks + k)) return 0 ;
    if (s4_task_done(tasks + k) || e->held[k]) return 1 ;
  }
  return 1 ;
}

static int is_turn_of (unsigned int k, s4_task const *tasks, void *data)
{
  struct each const *e = data ;
  unsigned int s = e->sb->way[k].of ;
  unsigned int hung = k ;
  if (k > e->sb->at[s])   /* after a way that does not lead there */
  {
    while (hung > e->sb->at[s] && tasks[hung-1].state == S4_TASK_ABANDONED) hung-- ;
    return has_ended(tasks + k - 1) && !s4_task_done(tasks + k - 1) && !e->held[k-1] && k - hung < HUNG_MAX ;
  }
  for (unsigned int i = e->sb->needs_at[s] ; i < e->sb->needs_at[s+1] ; i++)
    if (!is_settled(e, tasks, e->sb->needs[i])) return 0 ;
  return 1 ;
}

static uint64_t progress_of (unsigned int k, void *data)
{
  struct each const *e = data ;
  return s4_storage_progress(e->st, e->sb->way[k].mount) ;
}

static int add_name (unsigned int k, stralloc *sa, void *data)
{
  s4_mount const *m = mount_of(data, k) ;
  return s4_cat(sa, S4_MOUNT(m)) ;
}

 /* --- reports --- */

 /* The way that led there, else the first one. */

static unsigned int telling_way (struct each const *e, s4_task const *t, unsigned int s)
{
  for (unsigned int k = e->sb->at[s] ; k < e->sb->at[s+1] ; k++) if (s4_task_done(t + k) || e->held[k]) return k ;
  return e->sb->at[s] ;
}

static s4_mount const *find_again (s4_mounts const *ms, s4_mount const *m)
{
  for (unsigned int i = 0 ; i < ms->n ; i++)
    if (s4_same_superblock(ms->m + i, m) && !strcmp(ms->m[i].type, m->type)) return ms->m + i ;
  return 0 ;
}

static void say_detours (struct each const *e, s4_task const *t, unsigned int s, unsigned int k)
{
  for (unsigned int i = e->sb->at[s] ; i < k ; i++)
    s4_verbose(e->doing, " ", mount_of(e, k)->dir, ": not by way of ", mount_of(e, i)->dir, ", ",
      t[i].state == S4_TASK_ABANDONED ? "it hangs" : strerror(t[i].err)) ;
}

 /* now: the table, if it could be read again; what it says counts more. 0: nothing good can be said */

static int say_success (struct each const *e, s4_task const *t, unsigned int k, s4_mounts const *now)
{
  s4_mount const *m = mount_of(e, k) ;
  s4_mount const *again = now ? find_again(now, m) : 0 ;
  if (s4_task_done(t + k)) s4_verbose(e->done, " ", S4_MOUNT(m), ", ", S4_MS(t[k].ended - t[k].began)) ;
  else if (e->last && t[k].err == EROFS && e->held[k])
    s4_verbose("made read-only ", S4_MOUNT(m), ", which can't be frozen") ;
  else if (now && !again && !m->in_no_table) s4_verbose(S4_MOUNT(m), " is not in sight any more") ;
  else if (again && again->readonly) s4_verbose(S4_MOUNT(m), " is read-only now") ;
  else return 0 ;
  return 1 ;
}

 /* A writer is no warning: others name him. */

static void say_failure (struct each const *e, s4_task const *t, unsigned int k)
{
  s4_mount const *m = mount_of(e, k) ;
  if (t[k].state == S4_TASK_ABANDONED)
    s4_warn("gave up ", e->doing, " ", S4_MOUNT(m), " after ", S4_MS(t[k].ended - t[k].began)) ;
  else if (e->last && t[k].err == EOPNOTSUPP && e->held[k])
    s4_warn("synced, but it can't be frozen: ", S4_MOUNT(m)) ;
  else if (e->held[k] && t[k].err == EBUSY) s4_verbose("busy, so not ", e->done, ": ", S4_MOUNT(m)) ;
  else s4_warnerr(t[k].err, "failed ", e->doing, " ", S4_MOUNT(m)) ;
}

static int report_one (struct each *e, s4_task const *t, unsigned int s, s4_mounts const *now)
{
  unsigned int const k = telling_way(e, t, s) ;
  say_detours(e, t, s, k) ;
  if (say_success(e, t, k, now)) return 1 ;
  say_failure(e, t, k) ;
  e->unseen += mount_of(e, k)->in_no_table && t[k].state != S4_TASK_ABANDONED ;
  return 0 ;
}

static unsigned int report_all (struct each *e, s4_task const *t)
{
  s4_mounts now = S4_MOUNTS_ZERO ;
  unsigned int failed = 0 ;
  int known = -1 ;
  for (unsigned int s = 0 ; s < e->sb->n ; s++)
  {
    if (known == -1 && !s4_task_done(t + telling_way(e, t, s))) known = s4_mounts_load_all(&now) && !now.unseen ;
    failed += !report_one(e, t, s, known == 1 ? &now : 0) ;
  }
  s4_mounts_free(&now) ;
  return failed ;
}

 /* --- all of them --- */

static unsigned int count_writable (struct each const *e)
{
  s4_mounts now = S4_MOUNTS_ZERO ;
  unsigned int n = 0 ;
  if (!s4_mounts_load_all(&now) || now.unseen)
  {
    s4_mounts_free(&now) ;
    return e->sb->n ;
  }
  for (unsigned int s = 0 ; s < e->sb->n ; s++)
  {
    s4_mount const *m = mount_of(e, e->sb->at[s]) ;
    s4_mount const *again = find_again(&now, m) ;
    n += again ? !again->readonly : m->in_no_table ;
  }
  s4_mounts_free(&now) ;
  return n ;
}

static unsigned int do_each (struct each *e, s4_ms timeout)
{
  s4_job job = { .timeout = timeout, .run = &run_on, .ready = &is_turn_of, .progress = &progress_of,
    .slow = s4_concat("still ", e->doing), .name = &add_name, .flow = &s4_flow_to_disks, .data = e } ;
  s4_task const *t = 0 ;
  unsigned int failed = e->sb->n ;
  if (!failed) return 0 ;
  job.n = e->sb->at[e->sb->n] ;
  e->held = mmap(0, job.n, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0) ;
  if (e->held != MAP_FAILED) t = s4_work(&job) ;
  if (t) failed = report_all(e, t) ;
  else s4_warnsys("unable to start a worker for ", e->doing) ;
  if (!t && e->last)
  {
    s4_emergency_readonly() ;
    failed = count_writable(e) ;
  }
  else if (e->last && e->unseen) s4_emergency_readonly() ;   /* in no order, so it may have failed all the same */
  if (e->held != MAP_FAILED) munmap(e->held, job.n) ;
  return failed ;
}

static int open_way (s4_way const *w, s4_mount const *m)
{
  return w->anew ? s4_mount_anew(m) : s4_mount_open(m) ;
}

static int open_to_freeze (s4_way const *w, s4_mount const *m)
{
  int fd = open_way(w, m) ;
  int r = fd == -1 ? -1 : s4_reopen(fd) ;
  int e = errno ;
  if (fd != -1) fd_close(fd) ;
  errno = e ;
  return r ;
}

unsigned int s4_readonly_these (s4_storage const *st, s4_superblocks const *sb, s4_ms timeout)
{
  struct each e = { .st = st, .sb = sb, .open = &open_way, .f = &s4_make_readonly, .doing = "making read-only",
    .done = "made read-only" } ;
  return do_each(&e, timeout) ;
}

 /* An overlay has no freezing of its own: what is written through it is frozen with its upper layer. */

static int can_freeze (s4_storage const *st, unsigned int k, void *data)
{
  (void)data ;
  return st->upper[st->first[k]] == S4_NONE ;
}

int s4_freezable_find (s4_superblocks *sb, s4_storage const *st)
{
  return s4_superblocks_find(sb, st, &can_freeze, 0) ;
}

unsigned int s4_freeze_these (s4_storage const *st, s4_superblocks const *sb, s4_ms timeout)
{
  struct each e = { .st = st, .sb = sb, .open = &open_to_freeze, .f = &s4_freeze, .doing = "freezing",
    .done = "froze", .last = 1 } ;
  return do_each(&e, timeout) ;
}

static int run_sync (unsigned int i, void *data)
{
  (void)i ;
  (void)data ;
  sync() ;
  return 0 ;
}

static uint64_t pages_written (unsigned int i, void *data)
{
  (void)i ;
  (void)data ;
  return s4_pages_written() ;
}

int s4_sync (s4_ms timeout)
{
  s4_job const job = { .n = 1, .timeout = timeout, .run = &run_sync, .progress = &pages_written,
    .slow = "still syncing", .flow = &s4_flow_to_disks } ;
  s4_task const *t = s4_work(&job) ;
  if (t) return s4_task_done(t) ;
  s4_warnsys("unable to start a worker for syncing, leaving it to the kernel, by sysrq") ;
  if (!s4_proc_write("sysrq-trigger", "s")) s4_warnsys("unable to use sysrq s") ;
  else s4_poll(0, 0, s4_limit(timeout < S4_SLOW ? timeout : S4_SLOW)) ;
  return 0 ;
}
