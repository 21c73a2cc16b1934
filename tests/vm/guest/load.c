/*
  The load of the demo: one small process, of the kind that argv[1] says. Says "ready" on stdout when it has got to
  where it stays.
*/

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void ready (void)
{
  signal(SIGPIPE, SIG_IGN) ;   /* who doesn't care may have gone */
  (void)!write(1, "ready\n", 6) ;
  signal(SIGPIPE, SIG_DFL) ;
}

static void wait_for_ever (void)
{
  ready() ;
  for (;;) pause() ;
}

static void create (char const *file)
{
  int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0644) ;
  if (fd < 0 || write(fd, "done\n", 5) != 5 || fsync(fd) < 0)
  {
    perror(file) ;
    exit(111) ;
  }
}

/* Tidies up for 200 ms when it is told to go; the file is the proof that it was allowed to. */
static int cleaner (char const *file)
{
  sigset_t term ;
  int sig ;
  sigemptyset(&term) ;
  sigaddset(&term, SIGTERM) ;
  sigprocmask(SIG_BLOCK, &term, 0) ;
  ready() ;
  sigwait(&term, &sig) ;
  usleep(200000) ;
  create(file) ;
  return 0 ;
}

/* Never stops writing; keeps the file short. Is ready when it has written to it. */
static int writer (char const *file)
{
  char buf[4096] ;
  int fd = open(file, O_WRONLY | O_CREAT, 0644) ;
  memset(buf, 'w', sizeof buf) ;
  for (unsigned int i = 0 ;; i++)
  {
    if (pwrite(fd, buf, sizeof buf, i % 256 * sizeof buf) != sizeof buf)
    {
      perror(file) ;
      return 111 ;
    }
    if (!i) ready() ;
  }
}

/*
   Has megabytes of its memory in the swap, and nowhere else: what has just been written there stays in memory, too, until
   it is read and given up again.
*/
static int swapped (char const *megabytes)
{
  char volatile sum = 0 ;
  size_t len = strtoul(megabytes, 0, 10) << 20 ;
  void *p = mmap(0, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ;
  if (p == MAP_FAILED)
  {
    perror("mmap") ;
    return 111 ;
  }
  memset(p, 's', len) ;
  for (unsigned int i = 0 ; i < 3 ; i++)
  {
    madvise(p, len, MADV_PAGEOUT) ;
    usleep(100000) ;
    for (size_t k = 0 ; k < len && i < 2 ; k += 4096) sum += ((char volatile *)p)[k] ;
  }
  wait_for_ever() ;
  return 0 ;
}

/* Not what is said to be available: the kernel counts the initramfs as cache. */
static unsigned long unused (void)
{
  char text[4096] = "" ;
  int fd = open("/proc/meminfo", O_RDONLY | O_CLOEXEC) ;
  ssize_t r = fd == -1 ? 0 : read(fd, text, sizeof text - 1) ;
  char const *s = r > 0 ? strstr(text, "MemFree:") : 0 ;
  if (fd != -1) close(fd) ;
  return s ? strtoul(s + 8, 0, 10) / 1024 : 0 ;
}

/* Takes all memory but so many megabytes, and can't be ended by the kernel. */
static int full (char const *megabytes)
{
  unsigned long left = strtoul(megabytes, 0, 10) ;
  size_t len = 1 << 18 ;
  int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC) ;
  if (fd == -1 || write(fd, "-1000", 5) != 5) return 111 ;
  close(fd) ;
  while (unused() > left)
  {
    void *p = mmap(0, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ;
    if (p == MAP_FAILED) return 111 ;
    memset(p, 'f', len) ;
  }
  wait_for_ever() ;
  return 0 ;
}

int main (int argc, char const *const *argv)
{
  char const *kind = argc > 1 ? argv[1] : "" ;
  char const *arg = argc > 2 ? argv[2] : 0 ;
  if (!strcmp(kind, "stubborn")) signal(SIGTERM, SIG_IGN) ;
  if (!strcmp(kind, "sleeper") || !strcmp(kind, "stubborn")) wait_for_ever() ;
  if (arg && !strcmp(kind, "cleaner")) return cleaner(arg) ;
  if (arg && !strcmp(kind, "writer")) return writer(arg) ;
  if (arg && !strcmp(kind, "swapped")) return swapped(arg) ;
  if (arg && !strcmp(kind, "full")) return full(arg) ;
  fputs("usage: load sleeper | stubborn | cleaner FILE | writer FILE | swapped MEGABYTES | full MEGABYTES\n", stderr) ;
  return 100 ;
}
