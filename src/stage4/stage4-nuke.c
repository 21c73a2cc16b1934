/* ISC license. */

/*
  stage4-nuke: everybody but the spared ones is asked to end, then killed; goes on as soon as nobody is left.
  Rounds of scanning until a scan finds nobody: what was forked meanwhile is in the next one. A process is
  opened (pidfd) before it is looked at and signalled through that, so a reused pid never gets a signal.
*/

#include <skalibs/nonposix.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <linux/magic.h>

#include <skalibs/djbunix.h>
#include <skalibs/genalloc.h>
#include <skalibs/sgetopt.h>
#include <skalibs/sig.h>
#include <skalibs/types.h>

#include "stage4.h"

#define USAGE "stage4-nuke [ -v verbosity ] [ -f ] [ -n ] [ -t termgrace ] [ -k killgrace ] [ -s sig ] [ -a ] [ -o pid ]... [ -O dir ]... prog..."
#define LOOK_TIMEOUT 1000     /* for reading command lines and cgroups of all candidates */
#define RESPAWNS 5            /* rounds that found nothing but new children of pid 1 */
#define NAMED_MAX 8           /* processes that one line names */

struct options
{
  s4_ms termgrace, killgrace ;
  int sig ;
  int ancestors_too ;
  genalloc omit ;       /* pid_t: -o, -O, our ancestors */
  genalloc omit_dirs ;  /* char const *: -O */
} ;

struct victim
{
  s4_process p ;
  int pidfd ;          /* -1: none, polled */
  unsigned int root : 1 ;
  char spared ;        /* 0, or why: a byte of the look's answer */
} ;

struct round
{
  struct options const *o ;
  genalloc victims ;   /* struct victim */
} ;

static int is_omitted (struct options const *o, pid_t pid)
{
  pid_t const *p = genalloc_s(pid_t, &o->omit) ;
  for (size_t n = genalloc_len(pid_t, &o->omit) ; n-- ; ) if (p[n] == pid) return 1 ;
  return 0 ;
}

 /* --- scanning --- */

static int consider (pid_t pid, void *data)
{
  struct round *r = data ;
  struct victim v = { .spared = 0 } ;
  struct stat st ;
  char name[PID_FMT] ;
  if (pid == getpid() || pid == 1 || is_omitted(r->o, pid)) return 1 ;
  v.pidfd = s4_pidfd(pid) ;
  name[pid_fmt(name, pid)] = 0 ;
  if (!s4_process_read(pid, &v.p) || v.p.kthread || v.p.dead || fstatat(s4_proc(), name, &st, 0) == -1
   || !genalloc_readyplus(struct victim, &r->victims, 1))
  {
    if (v.pidfd >= 0) fd_close(v.pidfd) ;
    return 1 ;
  }
  v.root = st.st_uid == 0 ;
  return genalloc_append(struct victim, &r->victims, &v) ;
}

static void forget (genalloc *victims)
{
  struct victim *v = genalloc_s(struct victim, victims) ;
  for (size_t n = genalloc_len(struct victim, victims) ; n-- ; ) if (v[n].pidfd >= 0) fd_close(v[n].pidfd) ;
  genalloc_setlen(struct victim, victims, 0) ;
}

 /* --- looking: in a child, because memory of a process may be on a dead disk --- */

#define NOT_SPARED '-'
#define SPARED_STORAGE '@'
#define SPARED_CGROUP 'c'

static int proc_file (pid_t pid, char const *rest, stralloc *sa)
{
  char name[PID_FMT + 16] ;
  size_t m = pid_fmt(name, pid) ;
  strcpy(name + m, rest) ;
  return s4_proc_read(name, sa) ;
}

static int is_storage_daemon (pid_t pid, stralloc *sa)
{
  char const *uid ;
  if (!proc_file(pid, "/cmdline", sa) || !sa->len || sa->s[0] != '@') return 0 ;
  if (!proc_file(pid, "/status", sa)) return 0 ;   /* the owner of /proc/PID may be root only because it can't be dumped */
  uid = strstr(sa->s, "\nUid:\t0\t") ;
  return !!uid ;
}

static char const *cgroup_root (void)
{
  static char const *const places[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" } ;
  struct statfs sf ;
  for (unsigned int i = 0 ; i < 2 ; i++) if (!statfs(places[i], &sf) && sf.f_type == CGROUP2_SUPER_MAGIC) return places[i] ;
  return 0 ;
}

 /* The mark of the cgroup or of one above it. */

static int is_in_survivor_cgroup (char const *root, pid_t pid, stralloc *sa)
{
  stralloc dir = STRALLOC_ZERO ;
  char const *path ;
  char value[8] ;
  int marked = 0 ;
  if (!root || !proc_file(pid, "/cgroup", sa)) return 0 ;
  path = !strncmp(sa->s, "0::/", 4) ? sa->s + 3 : strstr(sa->s, "\n0::/") ;
  if (!path) return 0 ;
  if (*path == '\n') path += 4 ;
  if (!stralloc_cats(&dir, root) || !stralloc_catb(&dir, path, strcspn(path, "\n")) || !stralloc_0(&dir)) return 0 ;
  while (!marked && strlen(dir.s) > strlen(root))
  {
    marked = getxattr(dir.s, "user.survive_final_kill_signal", value, sizeof value) == 1 && value[0] == '1' ;
    *strrchr(dir.s, '/') = 0 ;
  }
  stralloc_free(&dir) ;
  return marked ;
}

static int look (int fd, void *data)
{
  struct round *r = data ;
  struct victim const *v = genalloc_s(struct victim, &r->victims) ;
  char const *root = cgroup_root() ;
  stralloc sa = STRALLOC_ZERO ;
  for (size_t i = 0 ; i < genalloc_len(struct victim, &r->victims) ; i++)
  {
    char answer = v[i].root && is_storage_daemon(v[i].p.pid, &sa) ? SPARED_STORAGE
     : is_in_survivor_cgroup(root, v[i].p.pid, &sa) ? SPARED_CGROUP : NOT_SPARED ;
    int e = s4_answer(fd, &answer, 1) ;
    if (e) return e ;
  }
  return 0 ;
}

 /* One that can't be looked at is not spared: the child is lost on it, so it is stuck, and the next child begins after it. */

static void look_at_all (struct round *r)
{
  stralloc answer = STRALLOC_ZERO ;
  genalloc all = r->victims ;
  size_t n = genalloc_len(struct victim, &all) ;
  size_t done = 0 ;
  while (done < n)
  {
    struct round rest = { .o = r->o, .victims = { .s = all.s + done * sizeof(struct victim), .len = all.len - done * sizeof(struct victim), .a = 0 } } ;
    int complete = s4_ask(&look, &rest, LOOK_TIMEOUT, &answer) ;
    if (!complete && errno != ETIMEDOUT && !answer.len)
    {
      s4_warnsys("unable to look at command lines, storage daemons may be killed") ;
      break ;
    }
    for (size_t i = 0 ; i < answer.len && done < n ; i++)
      genalloc_s(struct victim, &all)[done++].spared = answer.s[i] == NOT_SPARED ? 0 : answer.s[i] ;
    if (!complete && done < n) done++ ;
  }
  stralloc_free(&answer) ;
}

static void remove_spared (genalloc *victims)
{
  struct victim *v = genalloc_s(struct victim, victims) ;
  size_t n = genalloc_len(struct victim, victims) ;
  size_t w = 0 ;
  for (size_t i = 0 ; i < n ; i++)
  {
    if (!v[i].spared) v[w++] = v[i] ;
    else if (v[i].pidfd >= 0) fd_close(v[i].pidfd) ;
  }
  genalloc_setlen(struct victim, victims, w) ;
}

static int scan (struct round *r)
{
  forget(&r->victims) ;
  if (s4_processes(&consider, r) != 1) return 0 ;
  look_at_all(r) ;
  return 1 ;
}

 /* --- signals, and waiting --- */

static void send_signals (struct victim const *v, int sig, int kill_only)
{
  int ok = s4_pidfd_kill(v->pidfd, v->p.pid, sig) ;
  if (!ok && errno != ESRCH) s4_warnsys("unable to signal ", S4_NUM(v->p.pid), " ", v->p.comm) ;
  if (ok) s4_trace(sig_name(sig), " to ", S4_NUM(v->p.pid), " ", v->p.comm) ;
  if (kill_only || !ok) return ;
  if (v->p.tty) s4_pidfd_kill(v->pidfd, v->p.pid, SIGHUP) ;   /* what an interactive shell ends on */
  s4_pidfd_kill(v->pidfd, v->p.pid, SIGCONT) ;                /* a stopped process sees its signals only then */
}

static int is_gone (struct victim const *v)
{
  struct pollfd x = { .fd = v->pidfd, .events = POLLIN } ;
  s4_process now ;
  if (v->pidfd >= 0) return poll(&x, 1, 0) == 1 ;
  return !s4_process_read(v->p.pid, &now) || now.start != v->p.start || now.dead ;
}

static void name_victims (genalloc const *victims, char const *what, int with_place)
{
  struct victim const *v = genalloc_s(struct victim, victims) ;
  size_t n = genalloc_len(struct victim, victims) ;
  stralloc sa = STRALLOC_ZERO, text = STRALLOC_ZERO ;
  unsigned int left = 0 ;
  for (size_t i = 0 ; i < n ; i++)
  {
    s4_process now ;
    if (is_gone(v + i) || !s4_process_read(v[i].p.pid, &now) || ++left > NAMED_MAX) continue ;
    if ((sa.len && !stralloc_cats(&sa, ", ")) || !stralloc_cats(&sa, S4_NUM(now.pid)) || !stralloc_cats(&sa, " ")
     || !stralloc_cats(&sa, now.comm)) return ;
    if (now.state != 'D' || !with_place) continue ;
    if (!stralloc_cats(&sa, " (uninterruptible in ")) return ;
    if (!proc_file(now.pid, "/wchan", &text) || !stralloc_cats(&sa, text.s) || !stralloc_cats(&sa, ")")) return ;
  }
  if (left > NAMED_MAX && (!stralloc_cats(&sa, " and ") || !stralloc_cats(&sa, S4_NUM(left - NAMED_MAX)) || !stralloc_cats(&sa, " more"))) return ;
  if (left && stralloc_0(&sa)) s4_info(what, sa.s) ;
  stralloc_free(&sa) ;
  stralloc_free(&text) ;
}

 /* One after the other: all of them must be gone anyway. Returns whether they are. */

static int wait_for (genalloc const *victims, s4_ms until, s4_ms *next_report)
{
  struct victim const *v = genalloc_s(struct victim, victims) ;
  for (size_t i = 0 ; i < genalloc_len(struct victim, victims) ; i++) while (!is_gone(v + i))
  {
    struct pollfd x = { .fd = v[i].pidfd, .events = POLLIN } ;
    s4_ms now = s4_now() ;
    s4_ms wake = until < *next_report ? until : *next_report ;
    if (now >= until) return 0 ;
    if (now >= *next_report)
    {
      name_victims(victims, "waiting for ", 1) ;
      *next_report = now + 1000 ;
      continue ;
    }
    if (v[i].pidfd < 0 && wake > now + S4_TICK) wake = now + S4_TICK ;
    s4_poll(&x, v[i].pidfd >= 0, wake) ;
  }
  return 1 ;
}

static int all_respawned (genalloc const *victims, uint64_t since)
{
  struct victim const *v = genalloc_s(struct victim, victims) ;
  size_t n = genalloc_len(struct victim, victims) ;
  while (n--) if (v[n].p.ppid != 1 || v[n].p.start < since) return 0 ;
  return getpid() != 1 ;
}

enum phase_e { NOBODY_LEFT, RESPAWNING, SURVIVORS } ;

static enum phase_e phase (struct round *r, int sig, s4_ms grace, unsigned int *signalled)
{
  s4_ms const until = s4_limit(grace) ;
  s4_ms next_report = s4_now() + 1000 ;
  uint64_t const since = (uint64_t)s4_now() * (uint64_t)sysconf(_SC_CLK_TCK) / 1000 ;
  unsigned int respawned = 0 ;
  for (;;)
  {
    struct victim const *v ;
    size_t n ;
    if (!scan(r)) return SURVIVORS ;
    remove_spared(&r->victims) ;
    n = genalloc_len(struct victim, &r->victims) ;
    if (!n) return NOBODY_LEFT ;
    if (all_respawned(&r->victims, since) && ++respawned > RESPAWNS) return RESPAWNING ;
    v = genalloc_s(struct victim, &r->victims) ;
    for (size_t i = 0 ; i < n ; i++) send_signals(v + i, sig, sig == SIGKILL) ;
    *signalled += (unsigned int)n ;
    if (!wait_for(&r->victims, until, &next_report)) return SURVIVORS ;
  }
}

static int nuke (struct options *o)
{
  struct round r = { .o = o, .victims = GENALLOC_ZERO } ;
  s4_ms const start = s4_now() ;
  unsigned int termed = 0, killed = 0 ;
  enum phase_e result = phase(&r, o->sig, o->termgrace, &termed) ;
  if (result != NOBODY_LEFT)
  {
    if (result == SURVIVORS) name_victims(&r.victims, "killing ", 0) ;
    result = phase(&r, SIGKILL, o->killgrace, &killed) ;
  }
  if (result == SURVIVORS) name_victims(&r.victims, "can't be killed: ", 1) ;
  if (result == RESPAWNING) name_victims(&r.victims, "pid 1 starts them again and again, going on: ", 0) ;
  s4_info(result == NOBODY_LEFT ? "nobody is left after " : "somebody is left after ", S4_MS(s4_now() - start), ", asked ", S4_NUM(termed), ", killed ", S4_NUM(killed)) ;
  return result == NOBODY_LEFT ? S4_DONE : S4_LEFT ;
}

 /* --- who is spared, known beforehand --- */

static int omit_ancestors (struct options *o)
{
  s4_process p ;
  pid_t pid = getppid() ;
  while (pid > 1 && s4_process_read(pid, &p))
  {
    if (!genalloc_append(pid_t, &o->omit, &pid)) return 0 ;
    pid = p.ppid ;
  }
  return 1 ;
}

static int read_pidfiles (int fd, void *data)
{
  stralloc sa = STRALLOC_ZERO ;
  DIR *dir = opendir(data) ;
  struct dirent *d ;
  if (!dir) return errno == ENOENT ? 0 : errno ;
  while ((d = readdir(dir)))
  {
    unsigned int pid ;
    int f = d->d_name[0] == '.' ? -1 : openat(dirfd(dir), d->d_name, O_RDONLY | O_NONBLOCK | O_CLOEXEC) ;
    sa.len = 0 ;
    if (f == -1 || !slurp(&sa, f) || !stralloc_0(&sa)) continue ;
    if (uint_scan(sa.s, &pid) && pid) s4_answer(fd, &(pid_t){ (pid_t)pid }, sizeof(pid_t)) ;
    fd_close(f) ;
  }
  return 0 ;
}

static int omit_pidfiles (struct options *o)
{
  genalloc pids = GENALLOC_ZERO ;
  for (size_t i = 0 ; i < genalloc_len(char const *, &o->omit_dirs) ; i++)
  {
    char const *dir = genalloc_s(char const *, &o->omit_dirs)[i] ;
    if (!s4_ask(&read_pidfiles, (void *)dir, LOOK_TIMEOUT, &pids)) s4_warnsys("unable to read ", dir) ;
    if (!genalloc_cat(pid_t, &o->omit, &pids)) return 0 ;
  }
  return 1 ;
}

static int show_plan (struct options *o)
{
  struct round r = { .o = o, .victims = GENALLOC_ZERO } ;
  pid_t const *omit = genalloc_s(pid_t, &o->omit) ;
  struct victim const *v ;
  if (!scan(&r)) return S4_NOTSTARTED ;
  s4_planline("spare 1: pid 1") ;
  for (size_t i = 0 ; i < genalloc_len(pid_t, &o->omit) ; i++) s4_planline("spare ", S4_NUM(omit[i]), ": an ancestor of this process, or asked for") ;
  v = genalloc_s(struct victim, &r.victims) ;
  for (size_t i = 0 ; i < genalloc_len(struct victim, &r.victims) ; i++)
    s4_planline(v[i].spared ? "spare " : "end ", S4_NUM(v[i].p.pid), " ", v[i].p.comm,
      v[i].spared == SPARED_STORAGE ? ": a storage daemon (@)" : v[i].spared ? ": its cgroup is marked" : "") ;
  return S4_DONE ;
}

int main (int argc, char const **argv, char const *const *envp)
{
  struct options o = { .termgrace = 10000, .killgrace = 5000, .sig = SIGTERM, .omit = GENALLOC_ZERO, .omit_dirs = GENALLOC_ZERO } ;
  s4_step_init("stage4-nuke", USAGE, S4_DESTROYS, argv, envp) ;
  {
    subgetopt l = SUBGETOPT_ZERO ;
    for (;;)
    {
      int opt = s4_step_getopt(argc, argv, "t:k:s:ao:O:", &l) ;
      if (opt == -1) break ;
      switch (opt)
      {
        case 't' : o.termgrace = s4_step_time(l.arg, 1) ; break ;
        case 'k' : o.killgrace = s4_step_time(l.arg, 0) ; break ;
        case 's' : if (!sig0_scan(l.arg, &o.sig)) s4_step_badarg("signal", l.arg) ; break ;
        case 'a' : o.ancestors_too = 1 ; break ;
        case 'o' :
        {
          unsigned int pid ;
          if (!uint0_scan(l.arg, &pid) || !pid || pid > INT32_MAX) s4_step_badarg("pid", l.arg) ;
          if (!genalloc_append(pid_t, &o.omit, &(pid_t){ (pid_t)pid })) s4_step_giveup(S4_NOTSTARTED) ;
          break ;
        }
        case 'O' : if (!genalloc_append(char const *, &o.omit_dirs, &l.arg)) s4_step_giveup(S4_NOTSTARTED) ; break ;
      }
    }
    argv += l.ind ;
  }
  s4_step_checked(argv, 0) ;

  if (s4_proc() == -1)
  {
    s4_fatal("no /proc: can't see who is there") ;
    s4_step_next(argv, S4_NOTSTARTED) ;
  }
  if (!o.ancestors_too && !omit_ancestors(&o)) s4_warnsys("unable to spare the ancestors") ;
  if (!omit_pidfiles(&o)) s4_warnsys("unable to spare all that was asked for") ;
  s4_step_next(argv, s4.dryrun ? show_plan(&o) : nuke(&o)) ;
}
