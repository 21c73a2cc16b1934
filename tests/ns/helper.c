/*
  What the tests in namespaces need and busybox hasn't: processes that behave in a certain way, a box
  (mount and pid namespace) with a limit, times in milliseconds, strange stderrs. One static binary.

    helper ms                      milliseconds since the boot, as stage4 counts them
    helper box SECONDS cmd...      cmd as pid 1 of new mount, pid and (for names of sockets) network namespaces; "box: exit N", "box: signal N" or "box: late" at last
    helper nobody cmd...           cmd as uid 65534 of a new user namespace in which nobody is root
    helper victim [options]        see below; prints the pid once it is ready
    helper full cmd...             cmd with a full pipe as stderr that nobody reads; "full: exit N, N ms, N bytes" at last
    helper records cmd...          cmd with a socket as stderr that keeps records; prints each as "length text"
    helper pending cmd...          cmd with SIGTERM ignored, blocked, and sent already
    helper code cmd...             cmd with the variable ?, which shells don't let pass, as CODE
    helper walker cmd...           cmd with STAGE4_WALK=its own pid
    helper respawn N FILE SCRIPT   keeps N children alive, until there is FILE; then executes sh SCRIPT
    helper setsid cmd...           cmd in a session of its own, without waiting
    helper lock                    takes the name by which a chain shows that it is under way; ends when stdin does
    helper spoilt cmd...           cmd with what stage4-begin should mend
    helper look                    a look at this process: ignored and blocked signals, parent-death signal, limits
    helper login cmd...            cmd in the foreground of a terminal: its parent leads the session, its grandparent has the other end
    helper threads COMM [@]        a process whose first thread has ended, with a name and another thread; its pid
    helper thread cwd|file|map PATH a process that holds that by one thread only, as its own working directory, or whose first thread has ended; its pid
    helper traced                  a process that is traced, and stopped by that; its pid and that of its tracer, which ignores SIGTERM
    helper bare                    a process without any argument, not even argv[0]; its pid
    helper zombie [-s]             a process whose child is dead, and not waited for; -s: it is stopped; the pids of both
    helper supervisor FILE         ignores SIGTERM; starts a child as soon as the last one ends, which notes itself in FILE; its pid
    helper terminal cmd...         cmd in a process group of its own, in a session with a terminal that somebody else leads
    helper reader FILE STOP        reads the manifest FILE over and over until there is STOP; "good N, torn N, missing N" at last
    helper without CAP cmd...      cmd as a root that can't have the capability with that number
*/

#define _GNU_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void die (char const *what)
{
  fprintf(stderr, "helper: %s: %s\n", what, strerror(errno)) ;
  exit(125) ;
}

static long long now (void)
{
  struct timespec ts ;
  clock_gettime(CLOCK_BOOTTIME, &ts) ;
  return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000 ;
}

static void run (char **argv)
{
  execvp(argv[0], argv) ;
  fprintf(stderr, "helper: %s: %s\n", argv[0], strerror(errno)) ;
  _exit(127) ;
}

static void put (char const *file, char const *text)
{
  int fd = open(file, O_WRONLY | O_CREAT | O_APPEND, 0644) ;
  if (fd == -1 || write(fd, text, strlen(text)) == -1) die(file) ;
  close(fd) ;
}

static int code_of (int wstat)
{
  return WIFEXITED(wstat) ? WEXITSTATUS(wstat) : 128 + WTERMSIG(wstat) ;
}

 /* Waits for pid, SECONDS at most: 1 it has ended. */

static int wait_for (pid_t pid, int seconds, int *wstat)
{
  struct pollfd x = { .fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN } ;
  if (x.fd == -1) die("pidfd_open") ;
  if (poll(&x, 1, seconds * 1000) != 1) return 0 ;
  close(x.fd) ;
  return waitpid(pid, wstat, 0) == pid ;
}

static int do_box (int argc, char **argv)
{
  int wstat ;
  pid_t pid ;
  if (argc < 2) return 100 ;
  if (unshare(CLONE_NEWNS | CLONE_NEWPID) == -1) die("unshare") ;
  unshare(CLONE_NEWNET) ;   /* without it tests that run side by side see each other's chains */
  pid = fork() ;
  if (pid == -1) die("fork") ;
  if (!pid)
  {
    prctl(PR_SET_PDEATHSIG, SIGKILL) ;
    run(argv + 1) ;
  }
  if (!wait_for(pid, atoi(argv[0]), &wstat))
  {
    kill(pid, SIGKILL) ;
    printf("box: late\n") ;
    return 124 ;
  }
  if (WIFSIGNALED(wstat)) printf("box: signal %d\n", WTERMSIG(wstat)) ;
  else printf("box: exit %d\n", WEXITSTATUS(wstat)) ;
  return code_of(wstat) ;
}

static int do_nobody (int argc, char **argv)
{
  if (!argc) return 100 ;
  if (unshare(CLONE_NEWUSER) == -1) die("unshare") ;
  put("/proc/self/setgroups", "deny") ;
  put("/proc/self/uid_map", "65534 0 1") ;
  put("/proc/self/gid_map", "65534 0 1") ;
  run(argv) ;
  return 0 ;
}

 /*
   A process in its own session, in the background:
     -a argv0  -n comm  -f file (open)  -d dir (working directory)  -m file (mapped)  -R dir (root)  -u (unlinks the file of -f)
     -l file   logs the numbers of the signals it gets, all that can be caught
     -i        ignores SIGTERM        -c ms    takes so long to end after SIGTERM
     -x file   its last act: the time into the file           -F n   at SIGTERM, leaves a child behind that does the same, n times
     -t ms     ends by itself then    -p       has a controlling terminal     -S   is stopped      -H   ends at SIGHUP
     -q        has the file of -f in a socket's queue, where nobody sees it
 */

struct victim
{
  char *argv0, *comm, *file, *dir, *mapped, *root, *log, *last ;
  int unlink, ignore, clean, forks, life, tty, stop, hup, queue ;
} ;

static void note (char const *file, long long n)
{
  char text[32] ;
  snprintf(text, sizeof text, "%lld\n", n) ;
  if (file) put(file, text) ;
}

static void nap (int ms)
{
  struct timespec ts = { ms / 1000, ms % 1000 * 1000000L } ;
  while (nanosleep(&ts, &ts) == -1 && errno == EINTR) ;
}

static void take_tty (void)
{
  int master = posix_openpt(O_RDWR | O_NOCTTY) ;
  if (master == -1 || grantpt(master) || unlockpt(master) || open(ptsname(master), O_RDWR) == -1) die("no terminal") ;
}

static void live (struct victim *v, int logfd)
{
  sigset_t all ;
  long long end = v->life ? now() + v->life : LLONG_MAX ;
  sigfillset(&all) ;
  for (;;)
  {
    long long left = end - now() ;
    struct timespec ts = { left / 1000, left % 1000 * 1000000 } ;
    int sig ;
    if (left <= 0) break ;
    sig = sigtimedwait(&all, 0, v->life ? &ts : 0) ;
    if (sig == -1) continue ;
    if (logfd >= 0) dprintf(logfd, "%d\n", sig) ;
    if (sig == SIGHUP && v->hup) break ;
    if (sig != SIGTERM || v->ignore) continue ;
    if (v->forks-- > 0 && !fork()) continue ;
    nap(v->clean) ;
    break ;
  }
  note(v->last, now()) ;
  _exit(0) ;
}

 /* Into a socket to this process itself. */

static void queue (int fd)
{
  char control[CMSG_SPACE(sizeof(int))] = { 0 } ;
  struct iovec v = { "", 1 } ;
  struct msghdr msg = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control } ;
  struct cmsghdr *c = CMSG_FIRSTHDR(&msg) ;
  int p[2] ;
  c->cmsg_level = SOL_SOCKET ;
  c->cmsg_type = SCM_RIGHTS ;
  c->cmsg_len = CMSG_LEN(sizeof(int)) ;
  memcpy(CMSG_DATA(c), &fd, sizeof fd) ;
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, p) == -1 || sendmsg(p[0], &msg, 0) == -1) die("socketpair") ;
  close(fd) ;
}

static int do_victim (int argc, char **argv)
{
  struct victim v = { 0 } ;
  sigset_t all ;
  int p[2], o, wstat ;
  char c ;
  pid_t pid ;
  while ((o = getopt(argc + 1, argv - 1, "a:n:f:d:m:R:l:ic:x:F:t:pSHuq")) != -1) switch (o)
  {
    case 'a' : v.argv0 = optarg ; break ;
    case 'n' : v.comm = optarg ; break ;
    case 'f' : v.file = optarg ; break ;
    case 'd' : v.dir = optarg ; break ;
    case 'm' : v.mapped = optarg ; break ;
    case 'R' : v.root = optarg ; break ;
    case 'l' : v.log = optarg ; break ;
    case 'i' : v.ignore = 1 ; break ;
    case 'c' : v.clean = atoi(optarg) ; break ;
    case 'x' : v.last = optarg ; break ;
    case 'F' : v.forks = atoi(optarg) ; break ;
    case 't' : v.life = atoi(optarg) ; break ;
    case 'p' : v.tty = 1 ; break ;
    case 'S' : v.stop = 1 ; break ;
    case 'H' : v.hup = 1 ; break ;
    case 'u' : v.unlink = 1 ; break ;
    case 'q' : v.queue = 1 ; break ;
    default : return 100 ;
  }
  if (v.argv0 && strcmp(getenv("VICTIM") ? getenv("VICTIM") : "", v.argv0))
  {
    char **again = calloc((size_t)argc + 3, sizeof *again) ;
    setenv("VICTIM", v.argv0, 1) ;
    again[0] = v.argv0 ;
    again[1] = "victim" ;
    for (int i = 0 ; i < argc ; i++) again[i+2] = argv[i] ;
    execv("/proc/self/exe", again) ;
    die("exec") ;
  }
  if (pipe(p) == -1) die("pipe") ;
  pid = fork() ;
  if (pid == -1) die("fork") ;
  if (!pid)
  {
    int logfd = -1, fd = -1, null ;
    setsid() ;
    sigfillset(&all) ;
    sigprocmask(SIG_SETMASK, &all, 0) ;
    if (v.tty) take_tty() ;
    null = open("/dev/null", O_RDWR) ;
    if (null == -1) die("/dev/null") ;
    if (v.log && (logfd = open(v.log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644)) == -1) die(v.log) ;
    if (v.file && (fd = open(v.file, O_RDWR | O_CREAT, 0644)) == -1) die(v.file) ;
    if (v.unlink) unlink(v.file) ;
    if (v.queue) queue(fd) ;
    if (v.dir && chdir(v.dir) == -1) die(v.dir) ;
    if (v.mapped)
    {
      fd = open(v.mapped, O_RDONLY) ;
      if (fd == -1 || mmap(0, 4096, PROT_READ, MAP_PRIVATE, fd, 0) == MAP_FAILED) die(v.mapped) ;
      close(fd) ;
    }
    if (v.root && chroot(v.root) == -1) die(v.root) ;
    if (v.comm) prctl(PR_SET_NAME, v.comm) ;
    dup2(null, 0) ;
    dup2(null, 1) ;
    dup2(null, 2) ;
    close(null) ;
    close(p[0]) ;
    if (write(p[1], "", 1) == -1) _exit(125) ;
    close(p[1]) ;
    if (v.stop) raise(SIGSTOP) ;
    live(&v, logfd) ;
  }
  close(p[1]) ;
  if (read(p[0], &c, 1) != 1) return 125 ;
  if (v.stop && (waitpid(pid, &wstat, WUNTRACED) != pid || !WIFSTOPPED(wstat))) die("not stopped") ;
  printf("%d\n", (int)pid) ;
  return 0 ;
}

static int do_full (int argc, char **argv)
{
  int p[2], wstat ;
  long long start ;
  long bytes = 0 ;
  pid_t pid ;
  if (!argc) return 100 ;
  if (pipe2(p, O_CLOEXEC) == -1) die("pipe") ;
  fcntl(p[1], F_SETFL, O_NONBLOCK) ;
  while (write(p[1], "x", 1) == 1) bytes++ ;
  fcntl(p[1], F_SETFL, 0) ;
  start = now() ;
  pid = fork() ;
  if (!pid)
  {
    dup2(p[1], 2) ;
    run(argv) ;
  }
  close(p[1]) ;
  if (waitpid(pid, &wstat, 0) != pid) die("wait") ;
  printf("full: exit %d, %lld ms, %ld bytes\n", code_of(wstat), now() - start, bytes) ;
  return code_of(wstat) ;
}

static int do_records (int argc, char **argv)
{
  static char buf[1 << 16] ;
  int p[2], wstat ;
  ssize_t r ;
  pid_t pid ;
  if (!argc) return 100 ;
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, p) == -1) die("socketpair") ;
  pid = fork() ;
  if (!pid)
  {
    dup2(p[1], 2) ;
    run(argv) ;
  }
  close(p[1]) ;
  while ((r = read(p[0], buf, sizeof buf)) > 0)
  {
    printf("%zd ", r) ;
    for (ssize_t i = 0 ; i < r ; i++) if (buf[i] != '\n') putchar(buf[i]) ; else fputs(i + 1 < r ? "<newline>" : "", stdout) ;
    puts(buf[r-1] == '\n' ? "" : "<no newline>") ;
  }
  if (waitpid(pid, &wstat, 0) != pid) die("wait") ;
  return code_of(wstat) ;
}

static int do_walker (int argc, char **argv)
{
  char pid[16] ;
  if (!argc) return 100 ;
  snprintf(pid, sizeof pid, "%d", (int)getpid()) ;
  setenv("STAGE4_WALK", pid, 1) ;
  run(argv) ;
  return 0 ;
}

static int do_pending (int argc, char **argv)
{
  sigset_t term ;
  if (!argc) return 100 ;
  sigemptyset(&term) ;
  sigaddset(&term, SIGTERM) ;
  sigprocmask(SIG_BLOCK, &term, 0) ;
  signal(SIGTERM, SIG_IGN) ;   /* where it is blocked it stays pending nevertheless */
  kill(getpid(), SIGTERM) ;
  run(argv) ;
  return 0 ;
}

static int do_code (int argc, char **argv)
{
  if (!argc) return 100 ;
  setenv("CODE", getenv("?") ? getenv("?") : "unset", 1) ;
  run(argv) ;
  return 0 ;
}

static int do_respawn (int argc, char **argv)
{
  char *sleeper[] = { "sleep", "1000", 0 } ;
  char *after[] = { "sh", argv[2], 0 } ;
  if (argc != 3) return 100 ;
  for (int missing = atoi(argv[0]) ; access(argv[1], F_OK) ; missing = wait(0) > 0)
    while (missing-- > 0) if (!fork()) run(sleeper) ;
  run(after) ;
  return 0 ;
}

static int do_setsid (int argc, char **argv)
{
  pid_t pid ;
  if (!argc) return 100 ;
  pid = fork() ;
  if (pid == -1) die("fork") ;
  if (pid) return 0 ;
  setsid() ;
  run(argv) ;
  return 0 ;
}

static int do_lock (int argc, char **argv)
{
  struct sockaddr_un const name = { .sun_family = AF_UNIX, .sun_path = "\0stage4-chain" } ;
  int fd = socket(AF_UNIX, SOCK_STREAM, 0) ;
  char c ;
  (void)argc ;
  (void)argv ;
  if (bind(fd, (struct sockaddr const *)&name, offsetof(struct sockaddr_un, sun_path) + 13) == -1) die("bind") ;
  puts("locked") ;
  fflush(stdout) ;
  while (read(0, &c, 1) > 0) ;
  return 0 ;
}

 /* Sets up what stage4-begin should undo, then executes. */

static int do_spoilt (int argc, char **argv)
{
  sigset_t all ;
  struct rlimit rl = { 64, 4096 } ;
  if (!argc) return 100 ;
  sigfillset(&all) ;
  sigprocmask(SIG_SETMASK, &all, 0) ;
  prctl(PR_SET_PDEATHSIG, SIGUSR1) ;
  umask(0) ;
  setpriority(PRIO_PROCESS, 0, 10) ;
  setrlimit(RLIMIT_NOFILE, &rl) ;
  rl.rlim_cur = rl.rlim_max = RLIM_INFINITY ;
  setrlimit(RLIMIT_CORE, &rl) ;
  for (int i = 10 ; i < 20 ; i++) dup2(open("/", O_RDONLY), i) ;
  run(argv) ;
  return 0 ;
}

static int do_look (int argc, char **argv)
{
  struct sigaction sa ;
  struct rlimit rl ;
  sigset_t set ;
  int sig, blocked = 0, pdeath = 0 ;
  mode_t mask = umask(0) ;
  (void)argc ;
  (void)argv ;
  printf("ignored") ;
  for (sig = 1 ; sig < 32 ; sig++) if (!sigaction(sig, 0, &sa) && sa.sa_handler == SIG_IGN) printf(" %d", sig) ;
  sigprocmask(SIG_SETMASK, 0, &set) ;
  for (sig = 1 ; sig < 65 ; sig++) blocked += sigismember(&set, sig) == 1 ;
  prctl(PR_GET_PDEATHSIG, &pdeath) ;
  printf("\nblocked %d\npdeathsig %d\numask %03o\n", blocked, pdeath, (unsigned int)mask) ;
  printf("leader %d\ntty %d\n", getsid(0) == getpid(), open("/dev/tty", O_RDWR | O_NOCTTY) >= 0) ;
  getrlimit(RLIMIT_CORE, &rl) ;
  printf("core %lld\n", (long long)rl.rlim_cur) ;
  getrlimit(RLIMIT_NOFILE, &rl) ;
  printf("files %lld %lld\n", (long long)rl.rlim_cur, (long long)rl.rlim_max) ;
  errno = 0 ;
  printf("priority %d\n", getpriority(PRIO_PROCESS, 0)) ;
  return 0 ;
}

 /* What a shell with job control does: cmd leads a group, but not the session. Its 0, 1 and 2 stay. */

static int do_terminal (int argc, char **argv)
{
  int wstat ;
  pid_t pid ;
  if (!argc) return 100 ;
  pid = fork() ;
  if (pid == -1) die("fork") ;
  if (pid) return waitpid(pid, &wstat, 0) == pid ? code_of(wstat) : 125 ;
  setsid() ;
  signal(SIGHUP, SIG_IGN) ;
  take_tty() ;
  pid = fork() ;
  if (!pid)
  {
    signal(SIGHUP, SIG_DFL) ;
    setpgid(0, 0) ;
    run(argv) ;
  }
  if (waitpid(pid, &wstat, 0) != pid) die("wait") ;
  _exit(code_of(wstat)) ;
}

 /* A whole manifest ends with "end N" and has N lines before that. */

static int is_whole_manifest (char const *s, size_t len)
{
  char end[32] ;
  int lines = 0, n ;
  for (size_t i = 0 ; i < len ; i++) lines += s[i] == '\n' ;
  n = snprintf(end, sizeof end, "\nend %d\n", lines - 1) ;
  return len > (size_t)n && !memcmp(s + len - n, end, (size_t)n) ;
}

static int do_reader (int argc, char **argv)
{
  static char buf[1 << 20] ;
  long good = 0, torn = 0, missing = 0 ;
  if (argc != 2) return 100 ;
  while (access(argv[1], F_OK))
  {
    size_t len = 0 ;
    ssize_t r ;
    int fd = open(argv[0], O_RDONLY | O_CLOEXEC) ;
    if (fd == -1) { missing++ ; continue ; }
    while ((r = read(fd, buf + len, sizeof buf - len)) > 0) len += (size_t)r ;
    close(fd) ;
    if (is_whole_manifest(buf, len)) good++ ; else torn++ ;
  }
  printf("good %ld, torn %ld, missing %ld\n", good, torn, missing) ;
  return 0 ;
}

static int do_without (int argc, char **argv)
{
  if (argc < 2) return 100 ;
  if (prctl(PR_CAPBSET_DROP, atoi(argv[0]), 0, 0, 0) == -1) die("capability") ;
  run(argv + 1) ;
  return 0 ;
}

 /* --- processes that others find hard to see or to end; each tells its pid, in its own session --- */

 /* What is told is on stdout, which the process then gives up. */

static void hush (void)
{
  int null = open("/dev/null", O_RDWR) ;
  dup2(null, 0) ;
  dup2(null, 1) ;
  dup2(null, 2) ;
  close(null) ;
}

static void tell (pid_t a, pid_t b)
{
  if (b) printf("%d %d\n", (int)a, (int)b) ; else printf("%d\n", (int)a) ;
  fflush(stdout) ;
  hush() ;
}

 /* Returns in the new process only. */

static void apart (void)
{
  pid_t pid = fork() ;
  if (pid == -1) die("fork") ;
  if (pid) _exit(0) ;
  setsid() ;
}

static int thread (void *comm)
{
  char text[1024] = "" ;
  prctl(PR_SET_NAME, "another thread") ;
  while (!strstr(text, "State:\tZ"))
  {
    int fd = open("/proc/self/status", O_RDONLY) ;
    if (fd == -1 || read(fd, text, sizeof text - 1) <= 0) _exit(125) ;
    close(fd) ;
    nap(1) ;
  }
  (void)comm ;
  tell(getpid(), 0) ;
  for (;;) pause() ;
  return 0 ;
}

 /* By clone(2): not even a libc has a way to end only the first thread, and say so. */

static int do_threads (int argc, char **argv)
{
  static char stack[1 << 16] __attribute__((aligned(16))) ;
  if (argc < 1) return 100 ;
  if (argc > 1 && !getenv("THREADS"))
  {
    setenv("THREADS", "", 1) ;
    execl("/proc/self/exe", argv[1], "threads", argv[0], argv[1], (char *)0) ;
    die("exec") ;
  }
  apart() ;
  prctl(PR_SET_NAME, argv[0]) ;
  if (clone(&thread, stack + sizeof stack, CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM, argv[0]) == -1)
    die("clone") ;
  syscall(SYS_exit, 0) ;
  return 125 ;
}

 /* The working directory of this thread, not of the first one. */

static int holding_own (void *dir)
{
  if (chdir(dir) == -1) _exit(125) ;
  tell(getpid(), 0) ;
  for (;;) pause() ;
  return 0 ;
}

static int do_thread (int argc, char **argv)
{
  static char stack[1 << 16] __attribute__((aligned(16))) ;
  int flags = CLONE_VM | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM ;
  int own, fd ;
  if (argc != 2) return 100 ;
  own = !strcmp(argv[0], "cwd") ;
  apart() ;
  if (!own)
  {
    flags |= CLONE_FS ;
    fd = open(argv[1], O_RDWR | O_CREAT, 0644) ;
    if (fd == -1) die(argv[1]) ;
    if (!strcmp(argv[0], "map"))
    {
      if (mmap(0, 1, PROT_READ, MAP_PRIVATE, fd, 0) == MAP_FAILED) die("mmap") ;
      close(fd) ;
    }
  }
  if (clone(own ? &holding_own : &thread, stack + sizeof stack, flags, argv[1]) == -1) die("clone") ;
  if (own) for (;;) pause() ;
  syscall(SYS_exit, 0) ;
  return 125 ;
}

static int do_traced (int argc, char **argv)
{
  int wstat ;
  pid_t pid ;
  (void)argc ;
  (void)argv ;
  apart() ;
  signal(SIGTERM, SIG_IGN) ;
  pid = fork() ;
  if (!pid)
  {
    setsid() ;
    hush() ;
    signal(SIGTERM, SIG_DFL) ;
    if (ptrace(PTRACE_TRACEME, 0, 0, 0) == -1) die("ptrace") ;
    raise(SIGUSR1) ;
    for (;;) pause() ;
  }
  if (waitpid(pid, &wstat, 0) != pid || !WIFSTOPPED(wstat)) die("not stopped") ;
  tell(pid, getpid()) ;
  for (;;) pause() ;
  return 0 ;
}

static int do_bare (int argc, char **argv)
{
  char *none[] = { 0 } ;
  (void)argc ;
  (void)argv ;
  execve("/proc/self/exe", none, none) ;   /* Linux 5.18 makes it one empty argument */
  die("exec") ;
  return 125 ;
}

static int be_bare (void)
{
  apart() ;
  tell(getpid(), 0) ;
  for (;;) pause() ;
  return 0 ;
}

static int do_zombie (int argc, char **argv)
{
  siginfo_t info ;
  pid_t pid ;
  (void)argv ;
  apart() ;
  pid = fork() ;
  if (!pid) _exit(0) ;
  if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) == -1) die("waitid") ;
  tell(getpid(), pid) ;
  if (argc) raise(SIGSTOP) ;
  for (;;) pause() ;
}

static int do_supervisor (int argc, char **argv)
{
  char text[32] ;
  if (argc != 1) return 100 ;
  apart() ;
  signal(SIGTERM, SIG_IGN) ;
  for (int first = 1 ;; first = 0)
  {
    pid_t pid = fork() ;
    if (!pid)
    {
      setsid() ;
      hush() ;
      signal(SIGTERM, SIG_DFL) ;
      for (;;) pause() ;
    }
    snprintf(text, sizeof text, "%d\n", (int)pid) ;
    put(argv[0], text) ;
    if (first) tell(getpid(), pid) ;
    waitpid(pid, 0, 0) ;
  }
}

 /* As in a login: the leader is no ancestor that job control knows of, and the terminal goes with either. */

static int do_login (int argc, char **argv)
{
  int master = posix_openpt(O_RDWR | O_NOCTTY) ;
  char buf[1024] ;
  pid_t pid ;
  if (!argc || master == -1 || grantpt(master) || unlockpt(master)) die("no terminal") ;
  pid = fork() ;
  if (!pid)
  {
    int tty ;
    setsid() ;
    tty = open(ptsname(master), O_RDWR) ;
    close(master) ;
    pid = fork() ;
    if (!pid)
    {
      setpgid(0, 0) ;
      signal(SIGTTOU, SIG_IGN) ;
      if (tcsetpgrp(tty, getpid()) == -1) die("tcsetpgrp") ;
      signal(SIGTTOU, SIG_DFL) ;
      for (int fd = 0 ; fd < 3 ; fd++) dup2(tty, fd) ;
      close(tty) ;
      run(argv) ;
    }
    for (;;) pause() ;
  }
  while (read(master, buf, sizeof buf) > 0) ;
  for (;;) pause() ;
  return 0 ;
}

static int do_ms (int argc, char **argv)
{
  (void)argc ;
  (void)argv ;
  printf("%lld\n", now()) ;
  return 0 ;
}

int main (int argc, char **argv)
{
  static struct { char const *name ; int (*f) (int, char **) ; } const all[] =
  {
    { "ms", &do_ms }, { "box", &do_box }, { "nobody", &do_nobody }, { "victim", &do_victim }, { "full", &do_full },
    { "records", &do_records }, { "walker", &do_walker }, { "pending", &do_pending }, { "code", &do_code }, { "respawn", &do_respawn }, { "setsid", &do_setsid }, { "lock", &do_lock },
    { "spoilt", &do_spoilt }, { "look", &do_look },
    { "terminal", &do_terminal }, { "reader", &do_reader }, { "without", &do_without },
    { "login", &do_login }, { "threads", &do_threads }, { "thread", &do_thread }, { "traced", &do_traced }, { "bare", &do_bare }, { "zombie", &do_zombie },
    { "supervisor", &do_supervisor },
  } ;
  if (!argc || !*argv[0]) return be_bare() ;
  for (size_t i = 0 ; argc > 1 && i < sizeof all / sizeof *all ; i++)
    if (!strcmp(argv[1], all[i].name))
    {
      int r = (*all[i].f)(argc - 2, argv + 2) ;
      return fflush(stdout) ? 125 : r ;
    }
  fprintf(stderr, "helper: what?\n") ;
  return 100 ;
}
