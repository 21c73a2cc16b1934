/* ISC license. */

/*
  The internal library of stage4. Three pieces of machinery carry every program:

    the step    options are checked -> walk mode, or the job -> `?` -> the next program (or the last resort)
    the worker  a child that does what may block, with its limit and its progress; it may be abandoned
    the report  one line, one write, that neither blocks nor comes in pieces

  Around them: pure functions from text to data (mountinfo, process lines, swaps, times) and from data to
  plans (what to keep, in which order to unmount), then thin wrappers of system calls.

  Conventions. Functions that can fail return 1 or 0 with errno, or an fd or pid or -1 with errno; those
  that run in a worker return 0 or an errno. An index that isn't there is -1 or S4_NONE. Nothing here ends the
  process, except where it says noreturn.
  A program frees nothing at its end: it is about to become another one.
*/

#ifndef STAGE4_H
#define STAGE4_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <poll.h>

#include <skalibs/gccattributes.h>
#include <skalibs/genalloc.h>
#include <skalibs/sgetopt.h>
#include <skalibs/stralloc.h>


struct stat ;


 /* exit codes, and values of `?` (doc/index.html) */

#define S4_DONE 0           /* all done */
#define S4_LEFT 1           /* something is left, it was named */
#define S4_LATE 99          /* the time was up first */
#define S4_USAGE 100        /* wrong usage, nothing was touched */
#define S4_NOTSTARTED 111   /* the job could not be started at all */


 /* time.c: milliseconds; points in time are of CLOCK_BOOTTIME */

typedef int64_t s4_ms ;
#define S4_NEVER INT64_MAX
#define S4_SLOW 1000   /* what takes longer is named while it happens, and again as often */

extern s4_ms s4_now (void) ;
 /* now as clock ticks since boot, as processes' start times are */
extern uint64_t s4_ticks (void) ;
 /* 1 if s is 1500, 1500ms or 10s, and at most INT_MAX ms */
extern int s4_ms_scan (char const *s, s4_ms *t) ;
#define S4_MSFMT 24
extern char const *s4_ms_fmt (char *buf, s4_ms t) ;   /* "250 ms", "1.3 s" into buf[S4_MSFMT]; returns buf */
#define S4_MS(t) s4_ms_fmt((char [S4_MSFMT]){ 0 }, (t))


 /* budget.c: how long one wait may last; pure */

typedef struct s4_budget_s s4_budget ;
struct s4_budget_s
{
  s4_ms deadline ;   /* of this step, S4_NEVER without a budget */
  s4_ms start ;      /* when this step began */
} ;

 /* The deadline of a step: finishing ones may use all of the budget, others all but its last quarter (15 s at most). */
extern s4_ms s4_budget_deadline (s4_ms begun, s4_ms deadline, int finishing) gccattr_const ;

 /*
   When a wait that begins now and may take timeout must end: at the deadline at the latest; past it each still
   gets half a second, a step 2 s in all.
 */
extern s4_ms s4_budget_limit (s4_budget const *, s4_ms now, s4_ms timeout) gccattr_pure ;


 /* report.c: lines "stage4-x: info: ..." of less than 900 bytes, control characters and backslashes as \ooo */

#define S4_LINE_MAX 899

enum s4_level_e { S4_FATAL, S4_WARNING, S4_INFO, S4_VERBOSE, S4_TRACE } ;

 /* n words on stderr; err: errno to add, or 0. Leaves errno as it was */
extern void s4_report (enum s4_level_e, int err, char const *const *s, size_t n) ;
 /* "fatal: unable to what arg: errno's text"; 0, for functions that fail so */
extern int s4_unable (char const *what, char const *arg) ;
 /* a line of -n, on stdout */
extern void s4_plan (char const *const *s, size_t n) ;
 /* pure: the line into buf[S4_LINE_MAX], with its newline; how long it is. Long words are cut, from s[clean] on */
extern size_t s4_line (char *buf, char const *const *s, size_t n, size_t clean) ;

#define S4_ARRAY(...) ((char const *const []){ __VA_ARGS__ })
#define S4_STRINGS(...) S4_ARRAY(__VA_ARGS__), sizeof S4_ARRAY(__VA_ARGS__) / sizeof(char const *)
#define s4_fatal(...) s4_report(S4_FATAL, 0, S4_STRINGS(__VA_ARGS__))
#define s4_fatalsys(...) s4_report(S4_FATAL, errno, S4_STRINGS(__VA_ARGS__))
#define s4_warn(...) s4_report(S4_WARNING, 0, S4_STRINGS(__VA_ARGS__))
#define s4_warnsys(...) s4_report(S4_WARNING, errno, S4_STRINGS(__VA_ARGS__))
#define s4_warnerr(err, ...) s4_report(S4_WARNING, (err), S4_STRINGS(__VA_ARGS__))
#define s4_info(...) s4_report(S4_INFO, 0, S4_STRINGS(__VA_ARGS__))
#define s4_verbose(...) s4_report(S4_VERBOSE, 0, S4_STRINGS(__VA_ARGS__))
#define s4_trace(...) s4_report(S4_TRACE, 0, S4_STRINGS(__VA_ARGS__))
#define s4_planline(...) s4_plan(S4_STRINGS(__VA_ARGS__))

#define S4_NUMFMT 24
extern char const *s4_num_fmt (char *buf, int64_t n) ;   /* into buf[S4_NUMFMT]; returns buf */
#define S4_NUM(n) s4_num_fmt((char [S4_NUMFMT]){ 0 }, (n))


 /* fdkind.c: what a file is, without asking the file system that it lies on, which may hang */

enum s4_fdkind_e { S4_FD_CLOSED, S4_FD_KMSG, S4_FD_FILE, S4_FD_STREAM } ;   /* a stream: pipe, socket, terminal ... */
extern enum s4_fdkind_e s4_fd_kind (int fd) ;


 /* letgo.c: files that may lie on a file system that hangs, where even close(2) does; about a second at most */

extern void s4_replace_fd (int new, int fd) ;    /* dup2(new, fd); new stays open */
extern void s4_give_up_fd (int fd) ;             /* it becomes the kernel log, or /dev/null */
 /* closes all but 0-2 and keep (-1: none), and replaces what hangs of 0-2; before any child is started */
extern void s4_shed_fds (int keep) ;
 /* old: where the old root is. 0-2 that point into it are reopened, others closed */
extern void s4_release_fds (char const *old) ;


 /* node.c: devices, opened by the nodes in /dev */

 /* open(2) of a device, for writing too, which may lie on a file system that is frozen; an fd, or -1 */
extern int s4_open_node (char const *file, int flags) ;
 /*
   /dev/null, /dev/kmsg or /dev/console, close-on-exec; where /dev has no node for it, by one of our own, but not in a
   container; an fd, or -1 with errno
 */
extern int s4_open_device (char const *name, int flags) ;
 /* a directory in a file system that is mounted nowhere, with "node" in it; type: S_IFCHR, S_IFBLK; an fd, or -1 */
extern int s4_own_node (mode_t type, unsigned int major, unsigned int minor) ;
 /* a character device, by such a node; an fd, or -1 with errno */
extern int s4_open_own_node (unsigned int major, unsigned int minor, int flags) ;
 /* a block device, by such a node, or by its name in /dev where that can't be, or in a container; an fd, or -1 */
extern int s4_open_block (uint64_t device, char const *name, int flags) ;
extern int s4_open_output (char const *file) ;   /* a terminal that is gone doesn't hold it up; an fd, or -1 */


 /* chain.c: what this process knows of the chain it is a step of (doc/index.html, Environment) */

enum s4_action_e { S4_NOACTION, S4_REBOOT, S4_POWEROFF, S4_HALT, S4_KEXEC, S4_RETURN } ;

typedef struct s4_chain_s s4_chain ;
struct s4_chain_s
{
  char const *const *envp ;
   /* changes of the environment for the next program: "NAME=VALUE", or "NAME", each with its 0; the last one counts */
  stralloc modifs ;
  pid_t pid ;                    /* $STAGE4_PID while that process lives; 0 outside of a chain */
  enum s4_action_e action ;      /* $STAGE4_ACTION */
  s4_ms begun ;                  /* $STAGE4_BEGUN; 0 outside of a chain */
  s4_budget budget ;
  int watchdog ;                 /* $STAGE4_WATCHDOG or -1 */
  unsigned int verbosity ;       /* $STAGE4_VERBOSITY, -v */
  char *marker ;                 /* first byte of this process's command line: becomes '@' in workers */
  unsigned int container : 1 ;   /* not in the initial pid namespace */
  unsigned int walking : 1 ;     /* walk mode: check and go on, act on nothing */
  unsigned int dryrun : 1 ;      /* -n */
  unsigned int force : 1 ;       /* -f */
} ;
extern s4_chain s4 ;

 /* environment -> s4; what makes no sense counts as unset */
extern void s4_chain_read (char const *const *envp, int finishing) ;
extern int s4_action_scan (char const *s, enum s4_action_e *) ;        /* names, 0 and 6 */
extern char const *s4_action_name (enum s4_action_e) gccattr_const ;
 /* for the next program; value 0 unsets */
extern int s4_setenv (char const *name, char const *value) ;
 /* `?` for the next program; can't fail */
extern void s4_set_code (unsigned int) ;
 /* of the environment this process got */
extern char const *s4_getenv (char const *name) ;
 /* the environment of the next program; 0: no memory */
extern char const *const *s4_nextenv (void) ;
extern char const *s4_nextvar (char const *name) ;                      /* of that one; 0 also without memory */
extern char const *s4_nextpath (void) ;                                 /* its $PATH */
 /* with the changes, searched in its own $PATH; returns if it can't */
extern void s4_exec (char const *const *argv) ;
 /* s4_budget_limit() from now, with this step's budget */
extern s4_ms s4_limit (s4_ms timeout) ;


 /* step.c: the way of every program from its command line to the next program */

#define S4_DESTROYS 1    /* refuses outside of a chain without -f; has -f and -n */
#define S4_FINISHES 2    /* may use the reserve at the end of the budget */
#define S4_PLANS 4       /* has -n */

 /* First thing in main. prog: the name in reports; argv[0]: where workers mark their command lines. */
extern void s4_step_init (char const *prog, char const *usage, unsigned int flags, char const **argv,
  char const *const *envp) ;

 /* subgetopt_r, with the options that all programs have (-v, and -f, -n where the flags say so). Wrong ones: usage. */
extern int s4_step_getopt (int argc, char const *const *argv, char const *opts, subgetopt *l) ;

 /* the USAGE line, then s4_step_giveup(100) */
extern void s4_step_usage (void) gccattr_noreturn ;
 /* "invalid what: arg", then the same */
extern void s4_step_badarg (char const *what, char const *arg) gccattr_noreturn ;
 /* a time, not 0 unless zero; else s4_step_badarg() */
extern s4_ms s4_step_time (char const *arg, int zero) ;
 /* an absolute path, newly allocated, without slashes at its end; else s4_step_badarg() */
extern char const *s4_step_path (char const *what, char const *arg) ;
 /* the same, and not / itself */
extern char const *s4_step_place (char const *what, char const *arg) ;
 /* any path, not ""; one without a slash, which to execute would mean to search it in $PATH, gets "./" before it */
extern char const *s4_step_file (char const *what, char const *arg) ;

 /*
   Ends argv where the execline block ends that begins there; returns what follows it. Without a block, or with one
   that is empty or unterminated: s4_step_giveup(100).
 */
extern char const **s4_step_block (int argc, char const **argv) ;

 /*
   All options and arguments are fine. In walk mode it walks the block, if there is one (not null), then goes on along
   next, and doesn't return.
 */
extern void s4_step_checked (char const *const *next, char const *const *block) ;

 /* A look along the line before anything is touched: if it can't be walked to its end, giveup(100). */
extern void s4_step_walk (char const *const *next) ;

 /*
   `?`=code, then executes into next; without next ends with code. Outside of a chain next gets SIGPIPE as this program
   got it, in one it is ignored.
 */
extern void s4_step_next (char const *const *next, int code) gccattr_noreturn ;

 /* The step makes no sense in this chain, even though its options are fine: says why, then s4_step_giveup(100). */
extern void s4_step_refuse (char const *why) gccattr_noreturn ;

 /* no memory for the command line: s4_step_giveup(111) */
extern void s4_step_nomem (void) gccattr_noreturn ;

 /* Can't go on. The pid that walks the chain goes to the last resort, another one exits with code. */
extern void s4_step_giveup (int code) gccattr_noreturn ;


 /* walk.c: checks a line without acting (doc/stage4-begin.html) */

 /* in walk mode: exec, or exit 0 at the first foreign word, 100 */
extern void s4_walk_on (char const *const *next) gccattr_noreturn ;
 /* walks argv in a child: 1 fine, 0 not (the child said why) */
extern int s4_walk (char const *const *argv, s4_ms timeout) ;
#define S4_WALK_TIMEOUT 10000   /* for a whole line */
 /* does this word name a program of the toolkit? pure */
extern int s4_is_ours (char const *word) ;

 /* The one binary sets this: from the name of a program (stage4-x) to its main, or 0. */
typedef int s4_main_func (int argc, char const **argv, char const *const *envp) ;
extern s4_main_func *(*s4_multicall) (char const *name) ;


 /* searchpath.c: $PATH */

 /* 1 and the path of the file that executing word would find, in the next program's $PATH; 0 with errno */
extern int s4_find_program (char const *word, stralloc *path) ;
 /* pure: $PATH before the pivot: each absolute directory below root, then path as it is */
extern int s4_path_inside (stralloc *out, char const *path, char const *root) ;
 /* pure: $PATH after it: the directories that were below root, as they are named there; path if there are none */
extern int s4_path_pivoted (stralloc *out, char const *path, char const *root) ;


 /*
   child.c: children, which s4_wait() knows; all begin with no fds but 0-2 and keep (-1: none), and no watchdog. Where
   the kernel has no process to give, it is asked again for a while: a second, in all that this process does.
 */

 /*
   Like fork(2). A worker does a part of this program's job: whoever kills all spares it (its command line begins
   with '@'), it is killed when its parent ends, it keeps what signals do, and limits. oom: its OOM score; 0: that
   of its parent.
 */
extern pid_t s4_fork_worker (int keep, int oom) ;

 /*
   Like fork(2), to execute a foreign program: in a session of its own, with default signals, none of them
   blocked, OOM score 0, and 1024 open files at most, which it may raise; stdout and stderr that nobody reads are
   replaced as by s4_give_up_fd().
 */
extern pid_t s4_fork_program (int keep) ;

 /* Like fork(2), to execute steps of the chain under another pid: they keep all that stage4-begin has set. */
extern pid_t s4_fork_step (int keep) ;

 /* closes every fd but 0-2, a, b (-1: none), and that of s4_proc() */
extern void s4_close_all_but (int a, int b) ;
extern pid_t s4_fork (void) ;   /* fork(2), but asks again; nothing is closed, and s4_wait() does not know it */
#define S4_TICK 10   /* ms: how often one looks where the kernel tells nobody */
 /* -1 where there are none: callers then look every S4_TICK */
extern int s4_pidfd (pid_t) ;
 /* by the pidfd, or by the pid if that is -1 or can't be used; 0 with errno */
extern int s4_pidfd_kill (int pidfd, pid_t, int sig) ;
 /* poll(2) until then; feeds the watchdog, reaps for pid 1 */
extern int s4_poll (struct pollfd *, unsigned int n, s4_ms until) ;
 /* 1: it has ended, its status is told, and it is no child any more; 0: the time is up, or it is no child */
extern int s4_wait (pid_t, s4_ms until, int *wstat) ;
extern void s4_reap (void) ;                                /* whatever has ended, without waiting */


 /* watchdog.c: the hardware watchdog; s4.watchdog is its fd, or -1 */

 /* until this step's part of the budget is over; then it bites, if nothing else helps */
extern void s4_watchdog_feed (void) ;
 /* the fd in that variable, if it is one of a watchdog; -1 */
extern int s4_watchdog_named (char const *variable) ;
extern int s4_watchdog_inherited (void) ;   /* the same, of $STAGE4_WATCHDOG, else of $WDTFD */
 /* the first device, by its old name if it has no other */
extern char const *s4_watchdog_first (void) ;
 /* opening arms it; waits for a while for who has it to end; without close-on-exec. -1 with errno */
extern int s4_watchdog_open (char const *device) ;
 /* the first one that is armed, by a node of our own; -1 with errno, ENOENT if there is none */
extern int s4_watchdog_open_active (void) ;
 /* to that, or less if it can't be so much; what it is now, 0: not known */
extern unsigned int s4_watchdog_set_timeout (int fd, unsigned int seconds) ;
 /* what it calls itself; allocated */
extern char const *s4_watchdog_name (int fd) ;
 /* that value is in that file of /sys/class/watchdog */
extern int s4_watchdog_says (char const *device, char const *file, char const *value) ;
 /* of s4.watchdog; 0 or errno, EBUSY: it can't be (nowayout) */
extern int s4_watchdog_disarm (void) ;
extern void s4_watchdog_rearm (void) ;
 /* as soon as it can, whether it was armed before or not; 0: there is none */
extern int s4_watchdog_bite (void) ;


 /* worker.c: tasks that may block, done by children, side by side when one of them stalls */

#define S4_TASK_WAITS 0         /* states of a task; one that is being done has its worker's pid */
#define S4_TASK_ENDED (-1)
#define S4_TASK_ABANDONED (-2)

typedef struct s4_task_s s4_task ;
struct s4_task_s    /* in memory shared with the workers */
{
  int32_t state ;
  int32_t worker ;  /* the pid that has begun it */
  int32_t err ;     /* once finished: 0 or an errno; EOWNERDEAD if its worker died on it */
  int32_t began ;   /* ms of the job's own time; 0 until it is being done */
  int32_t ended ;   /* finished or abandoned */
} ;

typedef struct s4_flow_s s4_flow ;
struct s4_flow_s { int64_t to_go, done ; } ;   /* KiB; done is only good for differences */

typedef struct s4_job_s s4_job ;
struct s4_job_s
{
  unsigned int n ;
  s4_ms timeout ;   /* for one task, counted from its last progress; thirty times that in all */
  s4_ms (*patience) (unsigned int i, void *data) ;   /* the same for task i; null: timeout */
  int oom ;         /* OOM score of the workers; 0: ours */
   /* in a worker: does task i. 0 or errno; or a number that only the caller has to understand */
  int (*run) (unsigned int i, void *data) ;
  int (*ready) (unsigned int i, s4_task const *tasks, void *data) ;      /* may task i begin? null: always */
  uint64_t (*progress) (unsigned int i, void *data) ;                    /* changes while task i moves; null: never */
   /* for a line every S4_SLOW that tasks take longer: "SLOW NAME, NAME and 3 more, 2.1 s; 512 KiB to go, 32 KiB/s" */
  char const *slow ;                                                     /* "still unmounting"; null: no such line */
  int (*name) (unsigned int i, stralloc *, void *data) ;                 /* appends it; null: they have none */
  void (*flow) (s4_flow *, void *data) ;                                 /* of all tasks; null: not known */
  void *data ;
} ;

extern int s4_task_done (s4_task const *) ;            /* finished, and well */
extern int s4_task_ended (s4_task const *, int err) ;   /* finished, with that */

 /*
   The n tasks, allocated, when all that could begin are finished or abandoned, or have the errno for which no worker
   could be started for them; null with errno if that holds for all.
 */
extern s4_task *s4_work (s4_job const *) ;

 /*
   ask.c: asks a child: f writes its answer to the fd and returns 0 or an errno. 1: the answer is complete; 0 with errno
   (that of f, ETIMEDOUT...): it holds what came.
 */
extern int s4_ask (int (*f) (int fd, void *data), void *data, s4_ms timeout, stralloc *answer) ;
extern int s4_answer (int fd, void const *, size_t) ;   /* writes all of it; 0 or errno */
extern int s4_answer_word (int fd, char const *) ;      /* the same, with a space before it */

 /* the same file: answers of one line, from several children */

#define S4_ANSWER_MAX 512
typedef void s4_tell_func (unsigned int i, stralloc *answer, void *data) ;
 /* Asks n of them side by side; each answer is cut to fit, with a 0 at its end, and "" where none came until then */
extern void s4_ask_each (unsigned int n, s4_tell_func *tell, void *data, s4_ms until, char (*answers)[S4_ANSWER_MAX]) ;


 /* proc.c, process.c: processes */

#define S4_COMM_MAX 64   /* as long as the names of kernel threads can be in /proc/PID/stat */

typedef struct s4_process_s s4_process ;
struct s4_process_s
{
  pid_t pid ;
  pid_t ppid ;
  pid_t group ;             /* 0: of none that can be seen from here */
  pid_t session ;
  int tty ;                /* 0: no controlling terminal */
  uid_t uid ;              /* effective, or root's because it can't be dumped; only s4_process_read() knows it */
  unsigned int kthread : 1 ;
  unsigned int realtime : 1 ;   /* its policy is preferred to all ordinary ones */
  unsigned int dead : 1 ;  /* a zombie, all threads of it */
  char state ;             /* as in /proc/PID/stat */
  unsigned int threads ;   /* that there are, the first one also if it has ended */
  uint64_t start ;         /* in clock ticks after boot */
  char comm[S4_COMM_MAX] ;
} ;

 /* an fd on a procfs (/proc, else, or if that is read-only and not in a container, a private one); -1 */
extern int s4_proc (void) ;
#define S4_PROCNAME 64
 /* the name of a process's file in it: rest is "/stat" or the like, and short; into buf[S4_PROCNAME], returns buf */
extern char *s4_proc_name (char *buf, pid_t pid, char const *rest) ;
 /* the same for an open file of this process: "self/fd/N" or "self/fdinfo/N" */
extern char const *s4_proc_fdname (char *buf, char const *dir, int fd) ;
 /* where a process's link leads, cut to fit, with a 0 at its end; its length, or -1 */
extern ssize_t s4_proc_link (pid_t, char const *rest, char *buf, size_t size) ;
 /* the number of its mount namespace; 0 with errno, EINVAL: it has none any more */
extern uint64_t s4_proc_mountns (pid_t) ;
 /* a file of it, whole; replaces what was there; 0-terminated beyond len */
extern int s4_proc_read (char const *name, stralloc *) ;
 /* by one write(2); 1 if the kernel took all of value */
extern int s4_proc_write (char const *name, char const *value) ;
 /* the same to such a file of any of the kernel's file systems, which it closes; fd -1: 0 */
extern int s4_proc_tell (int fd, char const *value) ;
 /* pure; a line of /proc/PID/stat (proc(5)); all but uid */
extern int s4_process_parse (char const *stat, size_t, s4_process *) ;
extern int s4_process_read (pid_t, s4_process *) ;   /* 0 with errno; ESRCH: it is gone */
 /*
   pure; appends the functions of a /proc/PID/stack (proc(5)), at most max of them, the innermost first:
   "a < b < c"; how many, -1 without memory
 */
extern int s4_stack_names (stralloc *out, stralloc *stack, unsigned int max) ;
 /* appends pid_t: the children of its first thread; 0: the kernel has no list of them (CONFIG_PROC_CHILDREN) */
extern int s4_proc_children (pid_t, genalloc *pids) ;
 /* is one of these, pid_t; pure */
extern int s4_pids_have (genalloc const *pids, pid_t) ;
 /* 1: these two threads have the same of that kind (KCMP_FILES ...); 0: not, or it can't be known: kcmp(2) */
extern int s4_have_the_same (pid_t, pid_t, int kind) ;
 /* f for each open file of this process but s4_proc(); 1, or 0 if f said so, which ends it; -1 */
extern int s4_proc_fds (int (*f) (int fd, void *), void *data) ;
 /* f for each pid, but for most kernel threads; 1, or 0 if f said so, which ends it; -1 */
extern int s4_processes (int (*f) (pid_t, void *), void *data) ;
 /* 1 outside of the initial pid namespace */
extern int s4_in_container (void) ;


 /* victims.c: processes that are to end */

enum s4_spared_e { S4_NOT_SPARED, S4_SPARED_STORAGE, S4_SPARED_CGROUP, S4_SPARED_INIT } ;

typedef struct s4_victim_s s4_victim ;
struct s4_victim_s
{
  s4_process p ;
  int pidfd ;               /* -1: none, polled */
  enum s4_spared_e spared ; /* after s4_victims_find_spared() */
} ;

typedef struct s4_victims_s s4_victims ;
struct s4_victims_s
{
  genalloc list ;           /* s4_victim */
  genalloc others ;         /* pid_t: those that the last look saw and that were not wanted */
  genalloc untouchable ;    /* pid_t: process groups of others */
  int some_realtime ;       /* of all that the last look at /proc saw, victims or not */
  int some_others ;         /* there is somebody but victims, this process and pid 1 */
  int unseen ;              /* somebody was there that it could not see, because of this errno; or 0 */
} ;
#define S4_VICTIMS_ZERO { .list = GENALLOC_ZERO, .others = GENALLOC_ZERO, .untouchable = GENALLOC_ZERO }

 /* all of them, as many as s4_victims_count(); good until victims are found, dropped or forgotten */
extern s4_victim *s4_victims_list (s4_victims const *) ;
 /* how many there are, whether they still live or not */
extern size_t s4_victims_count (s4_victims const *) ;

typedef int s4_victim_func (s4_process const *, void *data) ;
 /* adds those that are wanted; never this process, pid 1, kernel threads, the dead. 0: could not look */
extern int s4_victims_find (s4_victims *, s4_victim_func *wanted, void *data) ;
 /* spare.c: sets spared of each: storage daemons, members of marked cgroups; inits of theirs and of the others */
extern void s4_victims_find_spared (s4_victims *) ;
extern int s4_victims_drop_spared (s4_victims *) ;     /* 0: no memory, never sweep */
 /*
   scan.c: finds all that are wanted anew, and who of them is spared; if there is nobody else, again for a second, until
   then at most. sure: nobody was born meanwhile, or escaped it. 0 with errno: could not look
 */
extern int s4_victims_scan (s4_victims *, s4_victim_func *wanted, void *data, s4_ms until, int *sure) ;
extern void s4_victims_forget (s4_victims *) ;         /* all of them, with their pidfds */
extern void s4_victims_free (s4_victims *) ;           /* the same, with their memory */
 /* 1; 0 with ESRCH: it is dead, or its pid is another's by now; -1 with errno: can't be seen */
extern int s4_victim_lives (s4_victim const *) ;
 /* somebody else was found in that process group, or this process and pid 1 are; pure */
extern int s4_victims_untouchable (s4_victims const *, pid_t group) ;
extern int s4_victims_have (s4_victims const *, pid_t) ;

enum s4_birth_e { S4_BORN_BEFORE, S4_BORN_OF_PID_1, S4_BORN_OF_OTHERS } ;
 /* whether one of them was born by that tick, or else one has another parent than pid 1; pure */
extern enum s4_birth_e s4_victims_birth (s4_victims const *, uint64_t since) ;

 /* kill.c: signals */

 /* with SIGHUP and SIGCONT, but for SIGKILL; before anybody else runs, if nobody is realtime */
extern void s4_victims_signal (s4_victims const *, int sig) ;
 /*
   SIGKILL to all at once, so that nobody escapes by having a child: everybody, if nobody is spared, else the process
   groups that only victims have. After s4_victims_drop_spared(). 1: somebody got it
 */
extern int s4_victims_sweep (s4_victims const *) ;
 /* this process's nice value; returns the one before. -20 gets it most of its CPU while it looks who is there */
extern int s4_nice (int value) ;

 /* await.c: waiting for their end */

 /* reports who is alive, and where they are stuck as far as that is known by then, in 300 ms at most; how many */
extern unsigned int s4_victims_name (s4_victims const *, char const *what, s4_ms until) ;
 /* Until all are gone: 1, or 0 at that time. Names them from *next_report on, once a second. */
extern int s4_victims_wait (s4_victims const *, s4_ms until, s4_ms *next_report) ;

 /* omit.c: who is spared because of his pid; pids: of pid_t */

 /* adds this process's, up to pid 1; only_needed: up to the one that walks the chain. 0 with errno: not all */
extern int s4_omit_ancestors (genalloc *pids, int only_needed) ;
 /* adds those that the files of a directory begin with; a failure is reported, a directory that isn't there is none */
extern int s4_omit_pidfiles (genalloc *pids, char const *dir) ;   /* 0: no memory */

 /* thaw.c: frozen cgroups that some of them are in, wherever these are mounted; reported. Not in a container */
extern void s4_thaw_cgroups (s4_victims const *) ;


 /* cgroups.c: cgroups of both versions; in children: it may look at mounts */

 /* cuts a line of /proc/PID/cgroup (cgroups(7)): its path; controllers: "" for cgroup 2. Null: it is none; pure */
extern char *s4_cgroup_line (char *line, char const **controllers) ;
 /* these are of the hierarchy with that controller, of cgroup 2 if that is ""; pure */
extern int s4_cgroup_has (char const *controllers, char const *controller) ;
 /*
   an fd on the root of the hierarchy with that controller, of cgroup 2 if that is "": one that is mounted, writable if
   so asked, else it is mounted anew, nowhere in the tree, but not in a container; -1, with ENOENT if there is no such
   hierarchy
 */
extern int s4_cgroup_root (char const *controller, int writable) ;
extern int s4_cgroup_open (int root, char const *name) ;   /* its directory; name: below the root, "/a/b" or ""; -1 */
 /* files of a cgroup, as "/cgroup.freeze"; read: whole, 0-terminated */
extern int s4_cgroup_read (int root, char const *name, char const *file, stralloc *text) ;
extern int s4_cgroup_write (int root, char const *name, char const *file, char const *value) ;
typedef int s4_cgroup_func (char const *name, void *data) ;   /* 0: those below it needn't be looked at */
 /* f for each cgroup but the root; 1, or 0 with errno: not all of them */
extern int s4_cgroups_each (int root, s4_cgroup_func *f, void *data) ;


 /* fields.c: lines of fields with a space between them; pure */

 /* cuts the next line off; null after the last one. *pos is 0 at first; beyond its len the text must end with 0 */
extern char *s4_next_line (stralloc *text, size_t *pos) ;
 /* decodes \ooo in place, once; returns the new length */
extern size_t s4_unoctal (char *, size_t) ;
 /* cuts the next field off, which may be empty; null at the end of the line */
extern char *s4_field (char **line) ;
 /* the same, decoded */
extern char *s4_field_name (char **line) ;


 /* mountinfo.c: /proc/self/mountinfo (proc(5)); fstype.c */

typedef struct s4_mount_s s4_mount ;
struct s4_mount_s
{
  unsigned int id ;
  unsigned int parent ;
  unsigned int major ;        /* of the superblock's device; 0: no block device, or btrfs and its like */
  unsigned int minor ;
  char const *root ;          /* decoded names: may contain anything but NUL */
  char const *dir ;           /* mount point, seen from the root of this process */
  char const *type ;
  char const *source ;
  char const *superoptions ;  /* as they stand in the file */
  unsigned int readonly : 1 ; /* the superblock (the mount's own flag says nothing about the data) */
  unsigned int shared : 1 ;
  unsigned int in_no_table : 1 ;   /* s4_storage_load_whole() has added it */
  unsigned int remote : 1 ;   /* of another namespace, and there it is reached through network or FUSE */
} ;

 /* words of a report: "DIR (TYPE on SOURCE)" */
#define S4_MOUNT(m) (m)->dir, " (", (m)->type, " on ", (m)->source, ")"

typedef struct s4_mounts_s s4_mounts ;
struct s4_mounts_s
{
  stralloc text ;
  s4_mount *m ;
  unsigned int n ;
  unsigned int nown ;   /* the first ones: of this mount namespace */
   /* after s4_mounts_load_all(): */
  genalloc devices ;    /* uint64_t, sorted: of all mounts of all namespaces that could be seen; not in a container */
  int unseen ;          /* other namespaces may have more, for this errno; or 0 */
} ;
#define S4_MOUNTS_ZERO { .text = STRALLOC_ZERO, .m = 0, .n = 0, .devices = GENALLOC_ZERO }

 /* is one of the words of a list, which have a comma between them; pure */
extern int s4_has_word (char const *list, char const *word) gccattr_pure ;
 /* pure; lines that make no sense are left out; 0: no memory */
extern int s4_mountinfo_parse (stralloc *text, genalloc *mounts) ;
 /* this process's mountinfo, read whole; replaces what was there. After 0, with errno, it is fit to be freed only */
extern int s4_mounts_load (s4_mounts *) ;
extern void s4_mounts_free (s4_mounts *) ;
 /*
   elsewhere.c: the same; behind the first nown, writable disks that only other mount namespaces have, with paths by way
   of /proc/PID/root. Not in a container. What could be seen is there also if unseen is set, which it is after two
   seconds. 0 with errno: not even the own ones could be
 */
extern int s4_mounts_load_all (s4_mounts *) ;
 /* warns that others may have more than that */
extern void s4_mounts_warn_unseen (int err) ;
 /* pure: its devices (uint64_t), sorted; 0: no memory */
extern int s4_mounts_devices (s4_mounts const *, genalloc *devices) ;
 /* pure */
extern int s4_has_device (genalloc const *devices, uint64_t) ;
 /* pure: appends those of n mounts of that process, with such paths, that are on none of these devices; 0: no memory */
extern int s4_mounts_pick_elsewhere (genalloc const *devices, s4_mount *there, size_t n, pid_t, genalloc *found) ;
 /* appends n mounts; 0: no memory */
extern int s4_mounts_append (s4_mounts *, s4_mount const *, unsigned int n) ;
extern uint64_t s4_mount_device (s4_mount const *) gccattr_pure ;    /* of its superblock: to compare */
extern int s4_same_superblock (s4_mount const *, s4_mount const *) ; /* one file system, mounted twice */
extern int s4_mounts_find (s4_mounts const *, unsigned int id) ;     /* its index, or -1 */
 /* index of what i is mounted on; -1: not visible, or i is -1 */
extern int s4_mounts_parent (s4_mounts const *, int i) ;

enum s4_fsclass_e { S4_FS_PSEUDO, S4_FS_NETWORK, S4_FS_FUSE, S4_FS_DISK } ;   /* disk: can lose data */
extern enum s4_fsclass_e s4_fsclass (char const *type) gccattr_pure ;
 /* asks somebody else, who may not answer: network and FUSE */
extern int s4_may_hang (char const *type) gccattr_pure ;
 /* a namespace's file; if it was the last to keep one of mounts, they go with it, and are flushed by that */
extern int s4_is_namespace (s4_mount const *) gccattr_pure ;
 /* -T ext4,xfs or nonfs,nocifs; 0 list: all */
extern int s4_type_wanted (char const *list, char const *type) gccattr_pure ;


 /* mounttree.c: the table as a tree; indices are of mounts in the table; pure */

#define S4_NONE ((unsigned int)-1)

typedef struct s4_tree_s s4_tree ;
struct s4_tree_s
{
  s4_mounts const *ms ;
  unsigned int *parent ;       /* of each mount: what it is mounted on, or S4_NONE: not visible */
  unsigned int *by_id ;        /* all mounts, sorted by id */
  unsigned int *by_place ;     /* a hash table, by the parent's id and the mount point; S4_NONE: free */
  unsigned int places ;        /* its size, a power of 2 */
  unsigned char *hidden ;      /* of each mount: others lie over it, see s4_tree_hider() */
  unsigned char *carries ;     /* of each mount: others are mounted on it */
  unsigned int root ;          /* the lowest mount on / */
} ;

extern unsigned int *s4_numbers (unsigned int n) ;                  /* malloc'd: 0..n, n too; 0: no memory */
 /* n of them, by a comparison of indices, as qsort(3) */
extern void s4_sort_numbers (unsigned int *, unsigned int n, int (*compare) (void const *, void const *)) ;
extern int s4_tree_make (s4_tree *, s4_mounts const *) ;            /* 0: no memory */
extern void s4_tree_free (s4_tree *) ;
 /* an index, or S4_NONE; so do those that follow */
extern unsigned int s4_tree_find (s4_tree const *, unsigned int id) ;
 /* the mount whose parent has that id on the first len bytes of dir */
extern unsigned int s4_tree_on (s4_tree const *, unsigned int parent, char const *dir, size_t len) ;
 /* the next sibling that mount i is hidden by; *len is 0 at first */
extern unsigned int s4_tree_hider (s4_tree const *, unsigned int i, size_t *len) ;
 /* the visible mount that path lies on by its name */
extern unsigned int s4_tree_holding (s4_tree const *, char const *path) ;
 /* the same two for a table that nobody has made a tree of; -1 if there is none, or no memory */
extern int s4_mounts_holding (s4_mounts const *, char const *path) ;
extern int s4_mounts_on (s4_mounts const *, char const *dir) ;   /* mounted there, and visible */


 /* order.c: what must be gone before what; pure */

enum s4_edge_e
{
  S4_EDGE_ALWAYS,
  S4_EDGE_IF_KEPT,   /* only if first is kept: the tree says otherwise, and nothing can be lost */
  S4_EDGE_MAYBE      /* nobody knows, so rather not */
} ;

typedef struct s4_edge_s s4_edge ;
struct s4_edge_s { unsigned int first, then ; enum s4_edge_e kind ; } ;   /* first must be gone before then */

 /* f for each edge, again and again, until it returns 0 for all of them: none has changed anything */
typedef int s4_edge_func (s4_edge const *, void *data) ;
extern void s4_edges_follow (genalloc const *edges, s4_edge_func *f, void *data) ;
 /* of n things: later ones first where free. 0: no memory */
extern int s4_order (unsigned int n, s4_edge const *edges, unsigned int nedges, unsigned int *order) ;
 /* malloc'd; of thing i (*needs)[(*at)[i]] .. (*needs)[(*at)[i+1]-1], in the order of the edges; 0: no memory */
extern int s4_needs (unsigned int n, s4_edge const *edges, unsigned int nedges, unsigned int **needs,
  unsigned int **at) ;


 /* storage.c, overlay.c: what the file systems of a table are, and what lies on what */

 /* reach: how the way to a mount is, by the table */
#define S4_REACH_REMOTE 1    /* through network or FUSE file systems, which may hang */
#define S4_REACH_HIDDEN 2    /* other mounts lie over it */
#define S4_REACH_COVERED 4   /* another one is mounted on all of it */
#define S4_REACH_UNKNOWN 255

typedef struct s4_storage_s s4_storage ;
struct s4_storage_s
{
  s4_mounts const *ms ;
  s4_tree tree ;
  genalloc edges ;             /* s4_edge, between mounts; besides the tree */
  unsigned int *sb ;           /* of each mount: its superblock's number */
  unsigned int *first ;        /* of each superblock: its mount that is reached best */
  unsigned int nsb ;
  unsigned int *upper ;        /* of each mount: if it is an overlay, the mount that its upper layer lies on */
  unsigned char *at_risk ;     /* of each mount: it is writable, and can lose data */
  unsigned char *reach ;       /* of each mount */
} ;

 /* all of it; 0: no memory. The table must stay as it is */
extern int s4_storage_find (s4_storage *, s4_mounts const *) ;
extern void s4_storage_free (s4_storage *) ;
 /*
   elsewhere.c: the same after s4_mounts_load_all(), so ms->unseen may be set. 0 with errno, ENODATA: an empty table,
   and nothing to be freed
 */
extern int s4_storage_load_all (s4_storage *, s4_mounts *) ;
 /* the second half of it, for a table that has got more since */
extern int s4_storage_take (s4_storage *, s4_mounts *) ;
 /* the pure parts of it, in this order: without edges; then those of overlays, whose names may be from below oldroot */
extern int s4_storage_make (s4_storage *, s4_mounts const *) ;
extern int s4_overlay_edges (s4_storage *, char const *oldroot) ;
 /* calloc'd, of each superblock: a mount of it is meant, or it carries such a one, or maybe does; 0: no memory; pure */
typedef int s4_meant_func (s4_storage const *, unsigned int mount, void *data) ;
extern unsigned char *s4_storage_mark (s4_storage const *, s4_meant_func *is_meant, void *data, int maybe) ;
 /* changes while the file system of that mount moves; 0 if it has no disk */
extern uint64_t s4_storage_progress (s4_storage const *, unsigned int mount) ;

 /*
   uppers.c: of each superblock: an overlay that is needed may write to it (S4_EDGE_MAYBE, and it does not look
   different), calloc'd; 0: no memory. needed: of each superblock. Asks in a child
 */
extern unsigned char *s4_storage_maybe_uppers (s4_storage const *, unsigned char const *needed, s4_ms timeout) ;

enum s4_layer_e { S4_LAYER_LOWER, S4_LAYER_UPPER, S4_LAYER_WORK } ;
typedef int s4_layer_func (char const *path, enum s4_layer_e, void *data) ;
 /* pure; f gets each layer, decoded. 0: f's 0, or no memory */
extern int s4_overlay_layers (char const *superoptions, s4_layer_func *f, void *data) ;


 /* flow.c: what the machine writes */

extern uint64_t s4_pages_written (void) ;                /* since it was booted */
extern void s4_flow_to_disks (s4_flow *, void *data) ;   /* for a job */
 /* of all disks, by /proc/diskstats; pure */
extern uint64_t s4_diskstats_kib (stralloc *text) ;


 /* superblocks.c: which of them can lose data, and the ways to them; pure */

typedef struct s4_way_s s4_way ;
struct s4_way_s
{
  unsigned int mount ;
  unsigned int of ;       /* which superblock */
  int anew ;              /* not by that mount, but by one that is made for it */
} ;

typedef struct s4_superblocks_s s4_superblocks ;
struct s4_superblocks_s   /* what lies on another one comes first */
{
  unsigned int n ;
  s4_way *way ;           /* way[at[k]] .. way[at[k+1]-1]: to superblock k, best first; one at least */
  unsigned int *at ;
  unsigned int *needs ;   /* needs[needs_at[k]] .. needs[needs_at[k+1]-1]: which ones come before superblock k */
  unsigned int *needs_at ;
} ;

typedef int s4_superblock_func (s4_storage const *, unsigned int sb, void *data) ;
 /* wanted: 0: all that can lose data. 0: no memory */
extern int s4_superblocks_find (s4_superblocks *, s4_storage const *, s4_superblock_func *wanted, void *data) ;
extern void s4_superblocks_free (s4_superblocks *) ;


 /* mountplan.c: what goes, in which order; pure */

enum s4_verdict_e
{
  S4_GOES,
  S4_KEPT,
  S4_NOT_WANTED,   /* not one of the types */
  S4_HANGS,        /* was given up before */
  S4_CARRIES,      /* something that stays lies on it */
  S4_HIDDEN        /* something that stays lies over it */
} ;

typedef struct s4_policy_s s4_policy ;
struct s4_policy_s
{
  unsigned int const *keep ;   /* mount ids: what must stay, with what it is reached through */
  unsigned int const *hung ;   /* mount ids: what is left alone */
  unsigned int nkeep, nhung ;
  char const *types ;          /* -T or 0 */
  s4_edge const *edges ;       /* besides the tree */
  unsigned int nedges ;
} ;

typedef struct s4_mountplan_s s4_mountplan ;
struct s4_mountplan_s
{
  unsigned char *verdict ;     /* of each mount: enum s4_verdict_e */
  unsigned int *because ;      /* S4_CARRIES, S4_HIDDEN: index of the mount that stays on it, or hides it */
  unsigned int *order ;        /* those that go, what must go first first */
  unsigned int n ;             /* how many go */
  unsigned int *needs ;        /* needs[needs_at[i]] .. needs[needs_at[i+1]-1]: what must be gone before mount i */
  unsigned int *needs_at ;
} ;

extern int s4_mountplan_make (s4_mountplan *, s4_tree const *, s4_policy const *) ;      /* 0: no memory */
extern void s4_mountplan_free (s4_mountplan *) ;


 /* keep.c: mounts that must stay */

typedef struct s4_kept_s s4_kept ;
struct s4_kept_s
{
  unsigned int id ;      /* mount id */
  unsigned int path ;    /* index of the path that leads through it */
  int below ;            /* the walk has not got there, and by its name the path leads on */
  uint64_t device ;      /* of what is there */
} ;
 /* adds s4_kept for all that each path leads through; a tree, or null, makes it faster; 0 with errno: not for all */
extern int s4_keep_resolve (s4_tree const *, char const *const *paths, unsigned int n, genalloc *kept) ;
 /* a path leads to its superblock, and not only through it, or to the one that / is on, by whatever mount */
extern int s4_kept_is_end (genalloc const *kept, s4_mount const *) ;
 /* the last path that needs it, by index; -1 */
extern int s4_kept_find (genalloc const *kept, unsigned int id) ;
 /* id of the mount whose root that path is, or 0 */
extern unsigned int s4_kept_mount_at (genalloc const *kept, unsigned int path) ;


 /* unmount.c: unmounting by passes */

typedef struct s4_stuck_s s4_stuck ;
struct s4_stuck_s         /* a mount that did not go */
{
  unsigned int id ;
  int told ;                  /* the errno that was reported */
  s4_ms since ;               /* when it was found busy, or something else went last */
  unsigned int tries ;        /* since then */
  unsigned int pass ;         /* the last one that found it busy */
  unsigned int hung : 1 ;     /* given up, and not tried again but by force */
  unsigned int given_up : 1 ; /* once; it gets little time then */
  unsigned int looked : 2 ;   /* for who holds it: how often */
  unsigned int held : 1 ;     /* by a process, or a loop device */
  unsigned int by_loop : 1 ;
} ;

typedef struct s4_pending_s s4_pending ;
struct s4_pending_s         /* a mount that could lose data, and was given up: the kernel may still be flushing it */
{
  unsigned int id ;
  pid_t worker ;           /* that is in the system call */
  uint64_t device ;
  int alive ;              /* by the last look at it */
  char const *what ;       /* "DIR (TYPE on SOURCE)" */
  size_t dirlen ;
} ;

typedef struct s4_unmount_s s4_unmount ;
struct s4_unmount_s
{
  char const *types ;        /* -T or 0 */
  s4_ms timeout ;            /* for one mount, without progress */
  char const *const *keep ;  /* paths that must stay */
  unsigned int nkeep ;
  unsigned int nasked ;      /* the first ones: that they are left is no failure */
  genalloc kept ;            /* s4_kept: what they lead through, since the first plan */
  int resolved ;

  s4_mounts ms ;             /* the table of the last pass, what it means, and the plan */
  s4_storage st ;
  s4_mountplan plan ;
  unsigned int *task_of ;    /* mount index -> its place in plan.order */
  unsigned int pass ;
  unsigned int gone ;        /* by the last pass */
  int make_private ;         /* mounts that carry a busy one: away from the copies that others have of it */
  int table_changed ;        /* something failed in a way that says so */
  int tangled ;              /* something that should have been moved elsewhere could not be */

  genalloc stuck ;           /* s4_stuck, the first nstuck sorted by id */
  size_t nstuck ;
  genalloc pending ;         /* s4_pending */
  genalloc readonly ;        /* uint64_t: devices that were read-only when they went */
  unsigned int told ;        /* warnings so far */
  unsigned int unmounted ;   /* in all */
  unsigned int detached ;
  unsigned int earlier ;     /* unmounts that an earlier step has given up, still under way */
  int put_off ;              /* something was not forced, for a disk below it that is not read-only */
  int shares ;               /* with the host: what lies on shared mounts, or on what is not in sight, is left to it */
} ;
 /* after a plan: mount i is left because it may be a layer of plan.because[i], and it is not known that it is one */
extern int s4_unmount_may_be_layer (s4_unmount const *, unsigned int i) ;
 /* that mount is left to the host; after a plan */
extern int s4_unmount_is_hosts (s4_unmount const *, unsigned int i) ;
 /* passes until nothing more goes; 0 with errno: could not go on */
extern int s4_unmount_all (s4_unmount *) ;

 /*
   untangle.c: a mount that lies below one that goes, while that file system lies on its own, or S4_NONE; after a plan;
   pure. Then: moves such a one elsewhere: 1
 */
extern unsigned int s4_tangled (s4_tree const *, genalloc const *edges, s4_mountplan const *) ;
extern int s4_unmount_untangle (s4_unmount *) ;

 /* 1 if something in the plan could go at once, and has not been tried */
extern int s4_unmount_has_new (s4_unmount const *) ;

 /* unmountpass.c */

extern int s4_unmount_plan (s4_unmount *) ;    /* reads the table, plans; 0 with errno */
extern int s4_unmount_pass (s4_unmount *) ;    /* and walks along the plan; the same */
 /* what mount i lies on, if umount(2) also unmounts the copies that others have of i; or null */
extern s4_mount const *s4_unmount_sharing_parent (s4_unmount const *, unsigned int i) ;

 /* stuck.c */

extern s4_stuck *s4_stuck_find (s4_unmount const *, unsigned int id) ;   /* null: it isn't */
 /* found, or a new one; null: no memory. Sort when a pass is over; pointers are good until the next note */
extern s4_stuck *s4_stuck_note (s4_unmount *, unsigned int id) ;
extern void s4_stuck_sort (s4_unmount *) ;
extern int s4_unmount_hangs (s4_unmount const *, unsigned int id) ;   /* it was given up, and not tried again since */
extern int s4_unmount_some_hang (s4_unmount const *) ;

 /* pending.c: unmounts that were given up, and go on */

 /* something may be written while the mount with this index is unmounted */
extern int s4_unmount_may_flush (s4_unmount const *, unsigned int i) ;
 /* notes that the mount with this index hangs in that process; 0: no memory */
extern int s4_unmount_note_given_up (s4_unmount *, unsigned int i, pid_t worker) ;
 /* leaves those in u->pending that are in the table no more, and still being flushed; counts the others, and earlier */
extern void s4_unmount_check_pending (s4_unmount *) ;

 /*
   apart.c: in a container: mounts that are shared with the host get nothing from here any more. 0 with errno: they do
 */
extern int s4_part_from_host (void) ;
 /*
   force.c: what hangs on network or FUSE. MNT_FORCE gives up requests that nobody answers, at last MNT_DETACH. Neither
   takes a disk out of sight that is writable, whoever has it. In a container only MNT_DETACH. 0 with errno
 */
extern int s4_unmount_force (s4_unmount *) ;


 /*
   unmountreadonly.c: what is left, as whole file systems, unless a kept mount needs it; then what had to wait for that
   goes. elsewhere: what only other mount namespaces have. 0 with errno: could not see what there is, or not go on
 */
extern int s4_unmount_readonly (s4_unmount *) ;
extern int s4_unmount_readonly_elsewhere (s4_unmount const *) ;

 /* unmountleft.c: names what is left, with who holds it. 0: not all could be seen, and that was said */
typedef struct s4_left_s s4_left ;
struct s4_left_s { int at_risk, late ; } ;   /* something can be lost; it can because the time was up */
extern int s4_unmount_name_left (s4_unmount const *, s4_left *) ;


 /* pathwalk.c, mountid.c: a path, component by component, as the kernel walks it; in a worker, every step may block */

typedef int s4_walk_func (int fd, char const *path, struct stat const *, void *data) ;
 /*
   f gets each thing passed, as an O_PATH fd with its path so far and lstat's result; its 0 ends the walk. 0: not to
   the end, with errno, 0 if f ended it.
 */
extern int s4_path_walk (char const *path, s4_walk_func *f, void *data) ;
extern int s4_mount_id (int fd) ;                       /* what an open file, O_PATH too, was opened through; -1 */
 /* of a file of /proc/PID/fdinfo; -1 */
extern int s4_mount_id_of_fdinfo (char const *name) ;
 /*
   what it lies on, and which block device it is (S4_NODEVICE: none), as fstatat(2), "": of fd itself, but without
   asking a server or daemon; 0 with errno
 */
extern int s4_file_device (int fd, char const *name, uint64_t *device, uint64_t *raw) ;


 /* names.c: "a, b, c and 4 more" */

typedef struct s4_names_s s4_names ;
struct s4_names_s
{
  stralloc text ;
  unsigned int n ;     /* how many there are */
  unsigned int max ;   /* how many get named */
} ;
#define S4_NAMES(most) { .text = STRALLOC_ZERO, .max = (most) }
 /* counts one more; 1: it is to be appended to the text now */
extern int s4_names_next (s4_names *) ;
extern char const *s4_names_end (s4_names *) ;   /* all of it, in x->text */


 /* paths.c */

 /* appends n words (null: none), and a 0 beyond its len; 0: no memory */
extern int s4_cat_words (stralloc *, char const *const *s, size_t n) ;
#define s4_cat(sa, ...) s4_cat_words((sa), S4_STRINGS(__VA_ARGS__))
 /* the same, newly allocated; without memory "", which no call takes for a file */
extern char const *s4_concat_words (char const *const *s, size_t n) ;
#define s4_concat(...) s4_concat_words(S4_STRINGS(__VA_ARGS__))
 /* by their names; dir lies below itself; pure */
extern int s4_lies_below (char const *path, char const *dir) gccattr_pure ;
 /*
   pure; the path, as the kernel shows it, without " (deleted)", 0-terminated, replaces name; 0: it doesn't end so, or
   no memory
 */
extern int s4_undeleted (char const *path, stralloc *name) ;
 /* a directory with its parents; one that is there is fine, and not looked at */
extern int s4_make_path (char const *path) ;
 /*
   f for each name in the directory of that fd, which is closed, but for those that begin with a dot, until it returns
   0. 1: for all of them; 0: f said so; -1: could not read it, or the fd is -1.
 */
extern int s4_dir_each (int fd, int (*f) (char const *name, void *data), void *data) ;


 /* fit.c: what begin does to its process, besides s4_shed_fds(); what is impossible is a warning */

enum s4_output_e { S4_TO_CONSOLE, S4_TO_KMSG, S4_AS_IT_IS } ;
extern void s4_become_fit (enum s4_output_e) ;
 /* as many open files as this process may allow itself */
extern void s4_raise_files (void) ;


 /* pstore.c: the kernel log, for the next boot */

 /* max_reason: what the backend says, "" if it doesn't; always: always_kmsg_dump is set; pure */
extern int s4_pstore_keeps (char const *max_reason, int always) gccattr_pure ;
 /* pstore gets it at a reboot, too; or it is said why not */
extern void s4_pstore_keep (void) ;


 /*
   guard.c: who walks the chain is not pid 1: from here on in a child, in which this returns; 0 with errno: it could not
   be made, so go on without. The parent continues it when it is stopped, and does the last resort when it is killed,
   or stuck past the deadline; else it ends as the child does. Not in a container, nor where somebody else ends the
   machine.
 */
extern int s4_guard (s4_ms deadline) ;   /* of the chain, S4_NEVER without a budget */


 /* lock.c: one chain at a time */

 /* 0: another chain has it; 1: we have, or it is said why nobody could be kept from it. A socket stays open for that */
extern int s4_lock_chain (void) ;
extern void s4_lock_is_mine (void) ;   /* in another process that goes on with the chain */
extern int s4_lock_fd (void) ;         /* that socket, or -1 */


 /* rootfs.c: pivot from an initramfs */

 /*
   Moves what is mounted on the mount with index root, the initramfs, below oldroot (a name) in the one with index
   newroot, and makes that the root and the working directory. All must be private. 0: reported, and undone.
 */
extern int s4_leave_rootfs (s4_mounts const *, unsigned int root, unsigned int newroot, char const *oldroot) ;


 /* bring.c: what pivot does once it is in the new root. Failures are reported, and worked around */

 /*
   Moves to each path the mount that was found there before (s4_kept_mount_at()), one after the other, in a
   worker; mounts a fresh one where there was none.
 */
extern void s4_bring (genalloc const *kept, char const *const *paths, unsigned int n) ;


 /* sysfs.c: what /sys says, or a sysfs of our own */

 /* a file below /sys, chomped, 0-terminated beyond len */
extern int s4_sys_read (char const *path, stralloc *) ;
 /* the same; the path in pieces */
#define s4_sys_read_at(sa, ...) s4_sys_read_strings((sa), S4_STRINGS(__VA_ARGS__))
extern int s4_sys_read_strings (stralloc *, char const *const *, size_t) ;
 /* value is all that such a file says */
#define s4_sys_says(value, ...) s4_sys_says_strings((value), S4_STRINGS(__VA_ARGS__))
extern int s4_sys_says_strings (char const *value, char const *const *, size_t) ;
 /* the number of the device in that directory, which ends with a slash */
extern int s4_sys_number (char const *dir, char const *name, uint64_t *device) ;
 /* to such a file; 0 with errno */
extern int s4_sys_write (char const *path, char const *text) ;
 /* s4_dir_each() there; 1 also if there is no such directory */
extern int s4_sys_each (char const *dir, int (*f) (char const *, void *), void *data) ;
 /* the path of a block device's file there, 0-terminated beyond len; file: "" or with a slash before it */
extern int s4_sys_device (stralloc *, unsigned int major, unsigned int minor, char const *file) ;
extern int s4_device_scan (char const *, uint64_t *device) ;   /* "254:1"; pure */
extern int s4_sys_is_there (void) ;   /* else nothing is known of block devices */
extern int s4_sys_fd (void) ;         /* of our own, or -1: s4_close_all_but() leaves it */
extern void s4_sys_use (int fd) ;     /* from now on that directory is /sys: for tests */


 /* blockdev.c: what it says of block devices */

 /* I/O done so far; 0 unknown */
extern uint64_t s4_dev_progress (unsigned int major, unsigned int minor, char const *source) ;
 /* the same of a disk or partition by its name in /sys, and of all that it is made of */
extern uint64_t s4_dev_progress_below (char const *name) ;
 /* "/dev/NAME", 0-terminated */
extern int s4_dev_name (unsigned int major, unsigned int minor, stralloc *name) ;
 /*
   f for each partition of a disk, with S4_NODEVICE if the number is not known. dir: the disk's directory in /sys, with
   a slash at its end. 1, 0 or -1 as s4_dir_each()
 */
typedef int s4_partition_func (char const *dir, char const *name, uint64_t device, void *data) ;
extern int s4_dev_partitions (char const *dir, s4_partition_func *f, void *data) ;
 /* adds to its edges: file systems in loop files before those the files lie on; 0: no memory */
extern int s4_loop_edges (s4_storage *) ;
 /* appends, uint64_t: the uppermost loop devices that its device is, or lies on; 0: no memory */
extern int s4_dev_loops (s4_mount const *, genalloc *loops) ;


 /* loops.c: loop devices with a file, whoever has them mounted, or nobody */

typedef struct s4_loop_s s4_loop ;
struct s4_loop_s
{
  char const *name ;    /* "/dev/loop0" */
  uint64_t device ;
  uint64_t backing ;    /* what its file lies on, as stat(2) tells it; S4_NODEVICE: not known by then */
  uint64_t raw ;        /* the block device that its file is; S4_NODEVICE: none, or not known */
  char const *file ;    /* its name, from where it was opened; or null */
} ;
#define S4_NODEVICE UINT64_MAX
 /*
   s4_loop, also the read-only ones if all; replaces what was there. Each is asked in a child, none if timeout is 0.
   0 with errno
 */
extern int s4_loops_find (genalloc *loops, int all, s4_ms timeout) ;


 /* unseen.c: file systems of disks (ext4, xfs, f2fs) that live, but that no mount table shows */

typedef struct s4_unseen_s s4_unseen ;
struct s4_unseen_s { char const *name, *type ; uint64_t device ; } ;   /* "/dev/vda1" */
 /*
   s4_unseen, those that may be writable; replaces what was there. After s4_mounts_load_all(); 0 with errno: some of
   these may be in tables that could not be seen, or there may be more
 */
extern int s4_unseen_find (s4_mounts const *, genalloc *unseen) ;
 /*
   s4_storage_load_all() with them, as mounts that can only be reached by mounting their devices anew; -1 with errno:
   there may be more. ordered: with edges by the devices that files of loop devices lie on, as the kernel has them
 */
extern int s4_storage_load_whole (s4_storage *, s4_mounts *, int ordered) ;


 /* blocks.c: dm, md and loop devices that are in use, and what holds them, by /sys */

enum s4_blockkind_e { S4_NO_BLOCK, S4_BLOCK_DM, S4_BLOCK_MD, S4_BLOCK_LOOP } ;

typedef struct s4_block_s s4_block ;
struct s4_block_s
{
  enum s4_blockkind_e kind ;
  uint64_t device ;              /* S4_NODEVICE: not known */
  char const *name ;             /* "dm-0" */
  char const *what ;             /* "CRYPT data", "LVM vg-root", "raid1", or the file of a loop device */
  char const *mapped ;           /* dm: its name in /dev/mapper; else null */
  unsigned int suspended : 1 ;   /* dm: what is read and written waits until somebody resumes it */
  unsigned int external : 1 ;    /* md: another program, mdmon, writes its metadata */
  unsigned int container : 1 ;   /* md: only there for the arrays that are made in it */
} ;

 /* words of a report: "dm-0 (CRYPT data)" */
#define S4_BLOCK(b) (b)->name, " (", (b)->what, ")"

typedef struct s4_blockpart_s s4_blockpart ;
struct s4_blockpart_s { unsigned int of ; uint64_t device ; char const *name ; } ;

typedef struct s4_blockholder_s s4_blockholder ;
struct s4_blockholder_s { unsigned int of ; char const *name ; } ;

typedef struct s4_blocks_s s4_blocks ;
struct s4_blocks_s
{
  genalloc list ;      /* s4_block */
  genalloc parts ;     /* s4_blockpart: each of these as a whole, and its partitions */
  genalloc holders ;   /* s4_blockholder: what is made of them or of their partitions, of whatever kind */
} ;
#define S4_BLOCKS_ZERO { .list = GENALLOC_ZERO, .parts = GENALLOC_ZERO, .holders = GENALLOC_ZERO }

 /* that one, by its name, and if it is in use */
extern enum s4_blockkind_e s4_block_kind (char const *name) ;
 /* all of them; replaces what was there, whose strings stay. 0 with errno */
extern int s4_blocks_find (s4_blocks *) ;
extern unsigned int s4_blocks_count (s4_blocks const *) ;
extern s4_block const *s4_block_at (s4_blocks const *, unsigned int i) ;   /* good until they are found anew */


 /* detachplan.c: which block devices can be taken down, the uppermost first; pure */

enum s4_detach_e
{
  S4_DETACHES,
  S4_IS_MOUNTED,     /* it, or a partition of it */
  S4_IS_SWAP,
  S4_IS_HELD,        /* by a device that stays */
  S4_IS_SUSPENDED,
  S4_IS_CONTAINER,
  S4_IS_HUNG         /* was given up before */
} ;

typedef struct s4_detachplan_s s4_detachplan ;
struct s4_detachplan_s   /* indices are of devices in blocks->list */
{
  unsigned char *verdict ;     /* of each: enum s4_detach_e */
   /* S4_IS_MOUNTED: the mount point, or null: elsewhere; S4_IS_SWAP: its name; S4_IS_HELD: by which */
  char const **because ;
  unsigned char *stuck ;       /* of each: it lies on a suspended one, so it can't be flushed */
  unsigned int *order ;        /* those that go; then the arrays that stay and that mdmon has to make clean */
  unsigned int n ;             /* how many go */
  unsigned int nwait ;         /* how many of those arrays there are */
  unsigned int *needs ;        /* needs[needs_at[i]] .. needs[needs_at[i+1]-1]: what must be gone before device i */
  unsigned int *needs_at ;
} ;

typedef struct s4_detachpolicy_s s4_detachpolicy ;
struct s4_detachpolicy_s
{
  s4_mounts const *ms ;     /* after s4_mounts_load_all() */
  genalloc const *swaps ;   /* s4_swap */
  genalloc const *loops ;   /* s4_loop */
  genalloc const *hung ;    /* uint64_t: devices that were given up */
} ;
 /* its strings are those of the others. 0: no memory */
extern int s4_detachplan_make (s4_detachplan *, s4_blocks const *, s4_detachpolicy const *) ;
extern void s4_detachplan_free (s4_detachplan *) ;


 /* dm.c: dm devices, by the kernel's own interface; in a worker. control: from s4_dm_open() */

extern int s4_dm_open (void) ;                                    /* -1 */
extern int s4_dm_remove (int control, uint64_t device) ;          /* 0 or errno */
 /* a multipath device that keeps what it is given until a path comes back, and has none */
extern int s4_dm_waits_for_path (int control, uint64_t device) ;
 /* what it keeps fails, and what it is given, as long as it has no path; 0 or errno */
extern int s4_dm_fail_if_no_path (int control, uint64_t device) ;
 /* multipath.c: by what its status says it has no path that works; pure */
extern int s4_multipath_is_lost (char const *status) gccattr_pure ;


 /* detach.c: one block device; in a worker */

#define S4_DETACHED_DIRTY (-1)   /* it is gone, but mdmon has not made it clean within patience */

 /*
   Flushes it if so asked, and takes it down. 0: it is gone; S4_DETACHED_DIRTY; or errno, EBUSY: somebody has it. Not
   for containers
 */
extern int s4_detach (s4_block const *, int flush, s4_ms patience) ;
 /* until that time, for arrays whose metadata another program writes; 1: it is clean */
extern int s4_wait_clean (s4_block const *, s4_ms limit) ;


 /* detachpass.c: the storage stack, taken down by passes */

typedef struct s4_stall_s s4_stall ;
struct s4_stall_s    /* of a task */
{
  uint64_t progress ;   /* as it was seen first */
  s4_ms next ;          /* when to look for paths; 0: it has just begun */
} ;

typedef struct s4_takedown_s s4_takedown ;
struct s4_takedown_s
{
  s4_ms timeout ;            /* for one device, without progress */

  s4_blocks blocks ;         /* what there is, by the last look, who uses it, and the plan */
  s4_mounts ms ;
  stralloc swaptext ;
  genalloc swaps ;           /* s4_swap */
  genalloc loops ;           /* s4_loop */
  s4_detachplan plan ;       /* task k is to take device plan.order[k] down, or to wait for it */
  unsigned int *task_of ;    /* device -> task, or S4_NONE: not one that goes */
  s4_task *tasks ;           /* of the last pass */
  s4_stall *stalls ;

  genalloc hung ;            /* uint64_t: devices that were given up */
  unsigned int gone ;        /* in all */
  unsigned int dirty ;       /* of those: not made clean by mdmon */
  int dm_is_silent ;         /* it does not say anything of paths */
  int no_table ;             /* there is no mount table, and that was said */
  int loops_hang ;           /* one of their files did, when it was asked for */
  int over ;                 /* no more passes: what there is was not tried */
} ;
 /* looks, plans; 0 with errno. Without any device there is nothing more to be done */
extern int s4_takedown_plan (s4_takedown *) ;
 /* after a plan: the device of task k */
extern s4_block const *s4_takedown_block (s4_takedown const *, unsigned int k) ;
 /* walks along the plan; how many went, -1 with errno */
extern int s4_takedown_pass (s4_takedown *) ;
 /* no pass after this plan: all its tasks wait; 0 with errno */
extern int s4_takedown_stop (s4_takedown *) ;
 /* after a pass: what became of device i; null: it stays */
extern s4_task const *s4_takedown_task (s4_takedown const *, unsigned int i) ;
extern int s4_takedown_has_gone (s4_takedown const *, unsigned int i) ;
 /* of the time that a device has for doing nothing: then there is something that can be done about it */
extern s4_ms s4_takedown_half_time (s4_takedown const *) ;

 /*
   detachpaths.c: multipath devices that have no path are told to fail what waits for one. Those below the device of
   task k; or below devices that are busy, if none comes back for half of the time: how many were told
 */
extern void s4_takedown_fail_below (s4_takedown *, unsigned int k) ;
extern size_t s4_takedown_fail_busy (s4_takedown *) ;


 /* leftovers.c: what there is to tear down */

typedef struct s4_leftovers_s s4_leftovers ;
struct s4_leftovers_s
{
  unsigned int mounts ;
  unsigned int writable ;   /* superblocks that can lose data */
  unsigned int unseen ;     /* those in no table, as the ones that are still being unmounted */
  unsigned int swaps ;
  unsigned int devices ;    /* dm, md, loop in use */
} ;
 /* 1; -1 with errno: there may be more file systems than it could see; 0 with errno */
extern int s4_leftovers_count (s4_leftovers *) ;
 /*
   Workers that are unmounting what can lose data, of whatever step: it may be in no table any more. All processes are
   looked at, but without all only if there are children or siblings, and by pid 1 only if there are children. but:
   pid_t, who doesn't count; or null
 */
extern unsigned int s4_unmounts_count (int all, genalloc const *but) ;
 /* warns of so many of an earlier step */
extern void s4_unmounts_name (unsigned int n) ;
#define S4_UNMOUNTING "@umount "   /* how such a worker's name begins; then comes the mount point, cut off */


 /* swaps.c */

typedef struct s4_swap_s s4_swap ;
struct s4_swap_s
{
  char const *path ;      /* decoded */
  uint64_t used ;         /* KiB */
  unsigned int isfile : 1 ;
} ;
 /* pure; /proc/swaps (mm/swapfile.c:swap_show); the s4_swap point into text; 0: no memory */
extern int s4_swaps_parse (stralloc *text, genalloc *swaps) ;
 /* both replaced; a kernel without swap has none. 0 with errno */
extern int s4_swaps_load (stralloc *text, genalloc *swaps) ;


 /* swapkind.c: what swap lies on; pure */

enum s4_swapkind_e
{
  S4_SWAP_UNKNOWN, S4_SWAP_FILE, S4_SWAP_DM, S4_SWAP_LOOP, S4_SWAP_MD, S4_SWAP_ZRAM, S4_SWAP_ZRAM_BACKED,
  S4_SWAP_PARTITION
} ;
 /* 1: text is what a file says, whose name is below the device's directory in sysfs, chomped and 0-terminated */
typedef int s4_sysfile_func (char const *file, stralloc *text, void *data) ;
 /* by the files that there are; text: for read */
extern enum s4_swapkind_e s4_swapkind_of_device (s4_sysfile_func *read, stralloc *text, void *data) ;
extern int s4_swapkind_pins (enum s4_swapkind_e) gccattr_const ;              /* it keeps something busy, or may */
extern char const *s4_swapkind_reason (enum s4_swapkind_e) gccattr_const ;    /* to switch it off, or to leave it on */

 /* swapdev.c: by its name, which lies on a file system: in a worker. dev: its device, unless it is a file or unknown */
extern enum s4_swapkind_e s4_swap_kind (s4_swap const *, dev_t *dev) ;
 /* asks a child for those of all s4_swap: enum s4_swapkind_e, a char each; 0 with errno: only of the first ones */
extern int s4_swap_kinds (genalloc const *swaps, stralloc *kinds) ;


 /* memlimit.c: what could keep swap from being read back */

extern int s4_is_memory_limit (char const *text) gccattr_pure ;   /* what a cgroup's file says; pure */
 /*
   lifts those of cgroups that have something in the swap, or may; no strict accounting of memory any more. Reported.
   0 with errno: some limit may be left (ETIMEDOUT: could not look at all of them in time)
 */
extern int s4_memory_limits_lift (void) ;


 /* superblock.c, freeze.c, newfs.c: file systems as a whole; in workers */

 /* an O_PATH fd of that mount's root, -1; ESTALE: the path leads to another mount */
extern int s4_mount_open (s4_mount const *) ;
 /* the same of a new mount of the same device, which is nowhere in the tree; -1 */
extern int s4_mount_anew (s4_mount const *) ;
 /* an O_RDONLY fd for an O_PATH one, if that is a directory or file; -1 */
extern int s4_reopen (int fd) ;
extern int s4_make_readonly (int fd) ;               /* the superblock, nothing else of it; 0 or errno */
 /* the same by fsconfig(2), 0 or errno (ENOSYS before Linux 5.2); and its opposite */
extern int s4_reconfigure_readonly (int fd) ;
extern int s4_reconfigure_writable (int fd) ;
 /* not O_PATH; 0 or errno. Without freezing: EROFS, it is read-only now; EOPNOTSUPP: it was synced, that is all */
extern int s4_freeze (int fd) ;

 /* fsopen..fsmount: an fd on a detached mount; -1. "k=v" or "flag" */
extern int s4_newfs (char const *type, char const *const *options) ;
 /* the same without options, where nodes of devices can be used */
extern int s4_newfs_for_devices (char const *type) ;
 /* move_mount(2): a mount, detached or not, to dir; on top of what is mounted there */
extern int s4_mount_attach (int fd, char const *dir) ;
 /* the same, but below that; EINVAL before Linux 6.5 */
extern int s4_mount_attach_beneath (int fd, char const *dir) ;
 /* an fd on a detached copy of the mount on dir (open_tree(2)); -1 */
extern int s4_mount_clone (char const *dir) ;


 /* finish.c: what umountall, freeze and the last resort share */

 /* Each in workers, reported; how many are still as they were. timeout counts time without progress. */
extern unsigned int s4_readonly_these (s4_storage const *, s4_superblocks const *, s4_ms timeout) ;
extern unsigned int s4_freeze_these (s4_storage const *, s4_superblocks const *, s4_ms timeout) ;
 /* those that can lose data and are not frozen with others; 0: no memory */
extern int s4_freezable_find (s4_superblocks *, s4_storage const *) ;
extern int s4_sync (s4_ms timeout) ;                 /* sync(2) in a worker; 0: not finished in time */


 /* emergency.c: the kernel makes all that it can read-only, by itself (sysrq) */

 /* where nothing can be seen or no worker started. 1: it says that it has */
extern int s4_emergency_readonly (void) ;


 /* ladder.c: how the machine ends, and what is tried if it doesn't; pure */

enum s4_rung_e
{
  S4_CALL_KEXEC, S4_CALL_ARG, S4_CALL_REBOOT, S4_CALL_POWEROFF, S4_CALL_HALT,   /* reboot(2), in a child */
  S4_SYSRQ_RESET, S4_SYSRQ_OFF, S4_SYSRQ_SAVE,   /* sync and read-only, and what is said there */
  S4_BITE,                                       /* the watchdog resets the machine */
  S4_REST                                        /* for ever */
} ;
enum s4_outcome_e { S4_FAILED, S4_CAME_BACK, S4_SILENT } ;   /* S4_CAME_BACK: without an error */

extern enum s4_rung_e s4_ladder_first (enum s4_action_e, int arg) gccattr_const ;
 /* arg: there is one for a reboot; silent: some call of reboot(2) was */
extern enum s4_rung_e s4_ladder_next (enum s4_rung_e, enum s4_outcome_e, int arg, int silent) gccattr_const ;
 /* such a one ends in a reset, so that the watchdog may be armed */
extern int s4_ladder_resets (enum s4_rung_e) gccattr_const ;


 /* reboot.c */

 /* reboot(2), then down the ladder; exits only in a container */
extern void s4_hardreboot (enum s4_action_e, char const *arg) gccattr_noreturn ;
 /* Ctrl-Alt-Del is a hard reboot from now on; 0 with errno */
extern int s4_cad_resets (void) ;
 /* doc/overview.html, last resort; exits with code where it may */
extern void s4_lastresort (int code) gccattr_noreturn ;


 /* hands.c: what a process has open */

enum s4_hold_e { S4_HOLDS_FILE, S4_HOLDS_CWD, S4_HOLDS_ROOT, S4_HOLDS_EXE, S4_HOLDS_MAP } ;
#define S4_FDNAME_MAX 16   /* such a name also fits behind "/fdinfo/" into S4_PROCNAME */

typedef struct s4_hands_s s4_hands ;
struct s4_hands_s
{
  void (*file) (pid_t tid, char const *fd, void *data) ;   /* its /proc/TID/fd/FD; or null */
  int (*link) (pid_t tid, enum s4_hold_e, void *data) ;    /* s4_hold_link(); 0: it isn't there */
  void (*maps) (pid_t tid, void *data) ;                   /* for s4_maps_each(); or null */
  void *data ;
} ;
 /* calls these for each table of files, directories and memory that its threads have; 0 with errno: not allowed */
extern int s4_hands_look (s4_process const *, s4_hands const *) ;
 /* errno, which stays, says that this process may not be looked at, and it is there */
extern int s4_hands_denied (pid_t) ;
extern char const *s4_hold_link (enum s4_hold_e) gccattr_const ;   /* "/cwd", "/root" or "/exe" */
extern char const *s4_hold_name (enum s4_hold_e) gccattr_const ;   /* the words for it */
 /* f for each mapping of a file; that may block, if the process is about to change them and stuck in it */
typedef void s4_map_func (uint64_t device, char const *path, void *data) ;
extern void s4_maps_each (pid_t tid, s4_map_func *f, void *data) ;


 /* holders.c: who keeps mounts busy */

typedef struct s4_holder_s s4_holder ;
struct s4_holder_s
{
  unsigned int mount ;   /* index */
  pid_t pid ;
  enum s4_hold_e how ;
  char comm[S4_COMM_MAX] ;
} ;
 /* s4_holder, sorted by mount; replaces what was there. 0: these may be less than all, the time was up */
extern int s4_holders_find (s4_tree const *, unsigned int const *which, unsigned int n, s4_ms timeout,
  genalloc *holders) ;
 /* "12 sh (open file), ..." newly allocated; null: none */
extern char const *s4_holders_name (genalloc const *holders, unsigned int mount) ;


 /* busy.c: who keeps a file system or a block device busy; pure */

enum s4_busy_e
{
  S4_BUSY_FILE = S4_HOLDS_FILE, S4_BUSY_CWD = S4_HOLDS_CWD, S4_BUSY_ROOT = S4_HOLDS_ROOT,
  S4_BUSY_EXE = S4_HOLDS_EXE, S4_BUSY_MAP = S4_HOLDS_MAP,   /* a process: these come first */
  S4_BUSY_MOUNTED,         /* a mount of it: of a device, or at another place */
  S4_BUSY_CARRIES,         /* a mount on it */
  S4_BUSY_NAMESPACE,       /* another mount namespace has it; with a process that keeps that */
  S4_BUSY_OVERLAY,
  S4_BUSY_MAYBE_OVERLAY,
  S4_BUSY_LOOP,
  S4_BUSY_SWAP,
  S4_BUSY_DM,
  S4_BUSY_MD,
  S4_BUSY_BLOCK,           /* some other block device */
  S4_BUSY_KERNEL
} ;

#define S4_BUSY_NAME_MAX 512

typedef struct s4_busy_s s4_busy ;
struct s4_busy_s    /* without pointers: children answer with it */
{
  unsigned int target ;         /* index */
  enum s4_busy_e kind ;
  pid_t pid ;                   /* 0: no process */
  unsigned int more ;           /* files of this kind besides that one; or processes of that namespace */
  char comm[S4_COMM_MAX] ;
  char part[32] ;               /* the partition, or "" */
  char name[S4_BUSY_NAME_MAX] ; /* of the file, as /proc has it; the mount point, the device; cut */
} ;

typedef struct s4_busyplace_s s4_busyplace ;
struct s4_busyplace_s    /* a target is one of these, or a disk and its partitions */
{
  unsigned int target ;
  uint64_t device ;      /* of the file system, or the block device */
  unsigned int mount ;   /* id of the mount that a path lies on; 0: a block device */
  char const *part ;     /* or "" */
  char const *node ;     /* "/dev/NAME" of a block device, and another name of it, as sources of mounts; or null */
  char const *alias ;
} ;

typedef struct s4_placed_s s4_placed ;
struct s4_placed_s       /* where a path leads */
{
  uint64_t raw ;         /* the block device that it is, else S4_NODEVICE */
  uint64_t device ;      /* of the file system; S4_NODEVICE: not known */
  unsigned int mount ;   /* id, 0: not known */
} ;

 /* The next ones append s4_busy to found; places: s4_busyplace. 0: no memory */

extern int s4_busy_add (genalloc *found, s4_busyplace const *, enum s4_busy_e, char const *name) ;
 /* by the table of this mount namespace; layers of overlays may have names from below oldroot, or null */
extern int s4_busy_mounts (genalloc *found, genalloc const *places, s4_mounts const *, char const *oldroot) ;
 /* by that of another one: S4_BUSY_NAMESPACE and overlays, without a process */
extern int s4_busy_elsewhere (genalloc *found, genalloc const *places, s4_mounts const *) ;
 /* swaps: s4_swap, each with where it was placed */
extern int s4_busy_swaps (genalloc *found, genalloc const *places, s4_tree const *, genalloc const *swaps,
  s4_placed const *) ;
extern int s4_busy_loops (genalloc *found, genalloc const *places, s4_tree const *, genalloc const *loops) ;
 /* the mount in the table that a path lies on: by its id, else by its name; an index, or S4_NONE */
extern unsigned int s4_placed_mount (s4_tree const *, s4_placed const *, char const *path) ;
extern int s4_busy_is_on (s4_busyplace const *, s4_mount const *) ;   /* that mount is of it */
 /* appends the words for a report: "123 sh (open file /x, deleted)" */
extern int s4_busy_cat (stralloc *, s4_busy const *) ;
 /* adds those words for each of that target */
extern void s4_busy_names (s4_names *, genalloc const *found, unsigned int target) ;

 /* busyfind.c, busyprocs.c: the same of all that can be seen */

enum s4_sought_e { S4_SOUGHT, S4_NOT_THERE, S4_NO_TABLE } ;
 /*
   s4_busy of each of n paths, block devices or names of dm devices, what is one's behind what is another's; replaces
   what was there. S4_SOUGHT: errno is 0, or (ETIMEDOUT ...) says why some may be missing. S4_NOT_THERE: *which of the
   names is not there. S4_NO_TABLE: the mount table can't be read, with errno
 */
extern enum s4_sought_e s4_busy_find (genalloc *found, char const *const *names, unsigned int n, s4_ms timeout,
  unsigned int *which) ;
 /* of processes and other mount namespaces, in a child; 0 with errno: not all */
extern int s4_busy_processes (genalloc *found, genalloc const *places, s4_tree const *, unsigned int ntargets,
  s4_ms timeout) ;


 /* hold.c: directories that stay open */

typedef struct s4_held_s s4_held ;
struct s4_held_s
{
  char const *dir ;
  int fd ;             /* not close-on-exec; -1 */
  int err ;            /* 0, an errno, or: */
#define S4_STILL_AUTOFS 255   /* nothing was mounted there */
} ;
 /* opens these, side by side, in children; 1: all of them, else those that could be opened stay open */
extern int s4_hold_dirs (s4_held *, unsigned int n, s4_ms timeout) ;


 /* hook.c: one program, or a part of the chain, with a limit (hook, hookdir, settle) */

typedef pid_t s4_fork_func (int keep) ;   /* s4_fork_program or s4_fork_step */

 /*
   Executes argv and waits, naming it, until it has ended (S4_DONE, see wstat), or until that time: then SIGTERM,
   killgrace later SIGKILL for all that it has started (S4_LATE). S4_NOTSTARTED: it could not be executed.
   The last two are reported. Meanwhile this process is a subreaper.
 */
extern int s4_run (char const *const *argv, s4_fork_func *begin, s4_ms limit, s4_ms killgrace, int *wstat) ;

 /* A foreign program: 0, 1, 99 or 111, reported. */
extern int s4_hook (char const *const *argv, s4_ms timeout, s4_ms killgrace) ;
 /* the same, begun otherwise than by s4_fork_program */
extern int s4_hook_by (s4_fork_func *begin, char const *const *argv, s4_ms timeout, s4_ms killgrace) ;


 /* hookfiles.c: the files of directories that are to be run (hookdir, runonce) */

enum s4_hookfile_e { S4_HOOK_RUNS = '+', S4_HOOK_MASKS = '0', S4_HOOK_UNSAFE = 'w', S4_HOOK_NOT_EXECUTABLE = 'x' } ;

typedef struct s4_hookfile_s s4_hookfile ;
struct s4_hookfile_s
{
  char const *name ;          /* the last part of path */
  char const *path ;
  unsigned int rank ;         /* of its directory on the command line */
  enum s4_hookfile_e verdict ;
} ;
 /* appends s4_hookfile: path itself, or what is in that directory, which a child lists; 0 with errno. None is fine */
extern int s4_hookfiles_add (genalloc *files, char const *path, unsigned int rank) ;
extern void s4_hookfiles_sort (genalloc *files) ;   /* by name, those of one name by rank */
 /* whoever it belongs to, without a look at its directory; may block */
extern enum s4_hookfile_e s4_hookfile_judge (char const *path) ;
 /* others than root and this user can write it */
extern int s4_others_can_write (struct stat const *) ;


 /* sums.c: lines of sha256sum(1); pure */

#define S4_HASH_SIZE 32

typedef struct s4_sum_s s4_sum ;
struct s4_sum_s
{
  char const *name ;
  uint8_t hash[S4_HASH_SIZE] ;   /* SHA-256 of its content */
} ;
 /* cuts a line without its newline; 0: it is none */
extern int s4_sum_scan (char *line, s4_sum *) ;
 /* s4_sum, without lines that are empty or begin with '#'; 0 with errno, EINVAL: *bad is the number of a wrong line */
extern int s4_sums_parse (stralloc *text, genalloc *sums, size_t *bad) ;
 /*
   sumsload.c: those of a file, which a child reads; names are newly allocated. 0 with errno, EPERM: others than root
   can write it; or with *bad
 */
extern int s4_sums_load (char const *file, genalloc *sums, size_t *bad) ;
extern int s4_sum_cat (stralloc *, s4_sum const *) ;   /* appends the line, with its newline; 0: no memory */
extern int s4_sum_is (s4_sum const *, s4_sum const *) gccattr_pure ;   /* name and content are the same */

#define S4_STAMP_SUFFIX ".new"   /* of a stamp that is not in place yet */
enum s4_stampname_e { S4_STAMP_NONE, S4_STAMP_WHOLE, S4_STAMP_UNFINISHED } ;
extern enum s4_stampname_e s4_stamp_scan (char const *name) gccattr_pure ;
 /* the name of the stamp with such a content, of 2 * S4_HASH_SIZE + 1 bytes */
extern void s4_stamp_fmt (char *name, char const *content, size_t len) ;
 /* content, which is cut: that of the stamp of that name, whole, and a sum of a file's name; 0: it isn't */
extern int s4_stamp_parse (char const *name, stralloc *content, s4_sum *) ;


 /* stamps.c, stampsload.c, stampslock.c: the state directory of stage4-runonce; in children */

#define S4_DISK_TIMEOUT 30000   /* ms, for each read or write of this, and of what is to be run */

enum s4_known_e
{
  S4_KNOWN_NOT,
  S4_KNOWN_NAME,   /* a file of that name is there, with another content */
  S4_KNOWN         /* with that content */
} ;

typedef struct s4_stamp_s s4_stamp ;
struct s4_stamp_s
{
  s4_sum sum ;
  int64_t when ;             /* it was made, ns since 1970 */
  enum s4_known_e known ;    /* after s4_strangers_find() */
  int later ;                /* the same: not S4_KNOWN, and later than all that are */
} ;

typedef struct s4_stamps_s s4_stamps ;
struct s4_stamps_s
{
  stralloc text ;
  genalloc list ;    /* s4_stamp */
  genalloc waste ;   /* char const *: names of files that were begun only, or are torn */
  size_t torn ;      /* how many of these are torn */
} ;
#define S4_STAMPS_ZERO { .text = STRALLOC_ZERO, .list = GENALLOC_ZERO, .waste = GENALLOC_ZERO }

 /* replaces what was there; no directory: none. 0 with errno, EPERM: others than root can write it */
extern int s4_stamps_load (s4_stamps *, char const *dir) ;

typedef struct s4_stampslock_s s4_stampslock ;
struct s4_stampslock_s
{
  pid_t holder ;   /* the child that has the lock */
  int fd ;         /* it ends when this is closed */
} ;
 /* makes the directory, with its parents, and keeps others from it. 0 with errno, EWOULDBLOCK: somebody else has it */
extern int s4_stamps_lock (s4_stampslock *, char const *dir, s4_ms timeout) ;
 /* if we are killed, the lock stays as long as this one lives; the last one of them */
extern void s4_stamps_lock_with (s4_stampslock const *, pid_t) ;
extern void s4_stamps_unlock (s4_stampslock const *) ;   /* after a lock that went well */
extern int s4_stamps_clean (s4_stamps const *, char const *dir) ;   /* unlinks the waste; 0 with errno */
 /*
   By who has the lock: a stamp on disk, but not in place; then in place, on disk as well; or its end. They have
   S4_DISK_TIMEOUT at least. 0 with errno
 */
extern int s4_stamp_prepare (char const *dir, s4_sum const *, s4_ms timeout) ;
extern int s4_stamp_commit (char const *dir, s4_sum const *, s4_ms timeout) ;
extern int s4_stamp_drop (char const *dir, s4_sum const *) ;


 /* once.c: what stage4-runonce does with a file; pure */

enum s4_once_e
{
  S4_ONCE_RUN,
  S4_ONCE_DONE, S4_ONCE_MASKED, S4_ONCE_GONE,   /* nothing is left of these */
  S4_ONCE_NOT_EXECUTABLE, S4_ONCE_UNSAFE, S4_ONCE_UNREADABLE, S4_ONCE_NOT_ALLOWED,   /* refused */
  S4_ONCE_BEHIND                                /* it would run, if nothing before it had been refused */
} ;

typedef struct s4_once_s s4_once ;
struct s4_once_s
{
  s4_sum sum ;
  char const *path ;             /* its last part is the name */
  enum s4_hookfile_e verdict ;
  int err ;                      /* 0: sum is that of its content; ENOENT: it is gone; else why it can't be read */
  enum s4_once_e plan ;
} ;
 /* sets plan of each; stamps: s4_stamp; allowed: s4_sum, null: all; stop: after a refused one. How many are left */
extern size_t s4_once_plan (s4_once *, size_t n, genalloc const *stamps, genalloc const *allowed, int stop) ;
extern int s4_once_left (enum s4_once_e) gccattr_const ;      /* something is still to be done for it */
extern int s4_once_refused (enum s4_once_e) gccattr_const ;   /* it is never run as it is */
extern int s4_once_any (s4_once const *, size_t n) gccattr_pure ;   /* one of them is to be run */
extern char const *s4_once_reason (enum s4_once_e) gccattr_const ;   /* the words for it */

 /* oncelook.c: in a child, 0 with errno */

 /* newly allocated, by name: path itself, or what is in that directory. None is fine */
extern int s4_once_list (s4_once **, size_t *n, char const *path) ;
extern int s4_once_look (s4_once *, size_t n) ;   /* sets err, and the hash, of each */
extern int s4_once_look_again (s4_once *) ;       /* the same of one, and its verdict */

 /*
   oncerun.c: runs it as s4_hook() does, with /dev/null as its input, and the lock as long as it lives; S4_LEFT also if
   its content is not the same then. Reported
 */
extern int s4_once_run (s4_once const *, s4_stampslock const *, s4_ms timeout) ;


 /* strangers.c: records of what isn't here; pure. stamps: s4_stamp */

 /* sets known and later of each; single: records of other names count as known */
extern void s4_strangers_find (genalloc *stamps, s4_once const *, size_t n, int single) ;


 /* oncesay.c: what is said of both */

extern void s4_once_show (s4_once const *, size_t n, int mark) ;   /* the plan of -n; mark: nothing would be run */
extern void s4_once_say (s4_once const *) ;                        /* why it is not run */
extern void s4_strangers_show (genalloc const *stamps) ;           /* each: in the plan of -n, or at verbosity 2 */
extern void s4_strangers_say (genalloc const *stamps) ;            /* the later ones, if there are any */


 /* ramfs.c: the shutdown ramfs as it is used; manifest.c: the list in it */

#define S4_MANIFEST "stage4.manifest"
#define S4_OLDROOT "oldroot"

typedef struct s4_entry_s s4_entry ;
struct s4_entry_s
{
  char type ;              /* f: file, l: symbolic link, d: directory */
  mode_t mode ;
  uint64_t size ;
  uint64_t mtime ;         /* of the source, in seconds */
  char const *dst ;        /* without the leading slash */
  char const *src ;        /* f: where it was copied from; l: the link's content */
} ;
extern int s4_manifest_add (stralloc *, s4_entry const *) ;          /* a line; pure */
 /* the last line, for n entries; pure */
extern int s4_manifest_end (stralloc *, size_t n) ;
 /* pure; 0 with EINVAL: torn or not a manifest */
extern int s4_manifest_parse (stralloc *text, genalloc *entries) ;

 /* ramfill.c: filling a new ramfs; every failure is reported, 0 */

typedef struct s4_ramfill_s s4_ramfill ;
struct s4_ramfill_s
{
  int root ;              /* fd of the directory that is filled */
  uint64_t left ;         /* bytes that may still be copied */
  genalloc entries ;      /* s4_entry, one for each name inside */
  genalloc programs ;     /* those that have an interpreter */
  genalloc trees ;        /* char const *: directories inside that are copied whole */
} ;
extern int s4_ramfill_directory (s4_ramfill *, char const *dst, mode_t mode) ;
extern int s4_ramfill_link (s4_ramfill *, char const *dst, char const *target) ;
 /* a file or tree to the same path, with what it needs */
extern int s4_ramfill_path (s4_ramfill *, char const *path) ;
extern int s4_ramfill_as (s4_ramfill *, char const *src, char const *dst) ;       /* to another one */
 /* checks from inside, writes the manifest */
extern int s4_ramfill_finish (s4_ramfill *) ;

 /*
   elf.c: what executes a file that begins with head; interp: the interpreter's path, for scripts and dynamic
   programs. Pure.
 */
enum s4_exectype_e { S4_NOT_EXECUTABLE, S4_SCRIPT, S4_DYNAMIC, S4_STATIC, S4_LIBRARY } ;
extern enum s4_exectype_e s4_exec_type (char const *head, size_t len, char *interp, size_t max) ;

#define S4_NOBODY_KNOWS ((unsigned int)-1)

typedef struct s4_ramfs_s s4_ramfs ;
struct s4_ramfs_s
{
  char const *why ;      /* it can't be used */
  char const *path ;     /* the real one: no symbolic links, no // */
  unsigned int stale ;   /* files whose sources have changed since; S4_NOBODY_KNOWS: not seen in time */
} ;
 /*
   Looks at the ramfs in dir, in a child. 1: it is safe and whole, and prog (null: nothing) can be executed in it with
   the $PATH that will hold there; path, and stale if asked for, are set. 0: it isn't, why is set.
 */
extern int s4_ramfs_check (s4_ramfs *, char const *dir, char const *prog, s4_ms timeout, int look_for_stale) ;

#endif
