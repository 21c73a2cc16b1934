/*
   Terminals that take nothing any more, as stdout and stderr of PROG.

     terminal serial DEVICE PROG...    stderr is a serial line, stopped by the ^S that it has heard, and full
     terminal pty PROG...              a pty that nobody reads, and full
     terminal console PROG...          the same, and what is written to /dev/console goes there
     terminal stopped PROG...          a pty that was stopped, as by ^S
     terminal lead DEVICE              leads a session with DEVICE as its terminal; prints "ready", and stays
     terminal pipe PROG...             stderr is a pipe that nobody reads, and full
     terminal broken PROG...           stderr is a pipe without a reader
     terminal stop DEVICE              stops and fills it likewise; prints "ready" and stays, with DEVICE open
*/

#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#ifndef TIOCM_LOOP
#define TIOCM_LOOP 0x8000   /* include/uapi/asm-generic/termios.h */
#endif

static char text[4096] ;

static void die (char const *what)
{
  perror(what) ;
  exit(111) ;
}

 /* Until nothing goes for half a second: a serial line takes some more as it sends. */

static void fill (int fd)
{
  int flags = fcntl(fd, F_GETFL) ;
  fcntl(fd, F_SETFL, flags | O_NONBLOCK) ;
  for (int idle = 0 ; idle < 50 ; idle++)
  {
    while (write(fd, text, sizeof text) > 0 || write(fd, text, 1) > 0) idle = 0 ;
    usleep(10000) ;
  }
  fcntl(fd, F_SETFL, flags) ;
}

static int open_or_die (char const *file, int flags)
{
  int fd = open(file, flags | O_NOCTTY | O_NONBLOCK) ;
  if (fd == -1) die(file) ;
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK) ;
  return fd ;
}

 /* The other end stays open in another process: with a name that begins with '@' nobody kills it. */

static int spare_reader (int fd)
{
  if (fork()) return close(fd) ;
  setsid() ;
  signal(SIGTERM, SIG_IGN) ;
  for (;;) pause() ;
}

 /* In the loop of its test mode it hears what it says. */

static int stopped_line (char const *device)
{
  int fd = open_or_die(device, O_RDWR) ;
  int loop = TIOCM_LOOP ;
  struct termios t ;
  if (tcgetattr(fd, &t)) die(device) ;
  cfmakeraw(&t) ;
  t.c_iflag |= IXON ;
  t.c_cflag |= CLOCAL | CREAD ;
  if (tcsetattr(fd, TCSANOW, &t) || ioctl(fd, TIOCMBIS, &loop) || write(fd, "\023", 1) != 1) die(device) ;
  usleep(200000) ;
  fill(fd) ;
  return fd ;
}

static void be_output (int fd)
{
  dup2(fd, 1) ;
  dup2(fd, 2) ;
  close(fd) ;
}

static void make_pty (int stopped, int console)
{
  int master = open_or_die("/dev/ptmx", O_RDWR) ;
  int unlocked = 0, slave ;
  if (ioctl(master, TIOCSPTLCK, &unlocked)) die("TIOCSPTLCK") ;
  slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY) ;
  if (slave == -1) die("TIOCGPTPEER") ;
  if (stopped) tcflow(slave, TCOOFF) ;
  else fill(slave) ;
  if (console && ioctl(slave, TIOCCONS)) die("TIOCCONS") ;
  spare_reader(master) ;
  be_output(slave) ;
}

static void make_pipe (int broken)
{
  int p[2] ;
  if (pipe(p)) die("pipe") ;
  if (broken) close(p[0]) ;
  else
  {
    fill(p[1]) ;
    spare_reader(p[0]) ;
  }
  dup2(p[1], 2) ;
  close(p[1]) ;
}

static void stay (void)
{
  (void)!write(1, "ready\n", 6) ;
  for (;;) pause() ;
}

int main (int argc, char **argv)
{
  char const *kind = argc > 2 ? argv[1] : "" ;
  char **prog = argv + 2 ;
  memset(text, '.', sizeof text) ;
  if (!strcmp(kind, "stop"))
  {
    stopped_line(argv[2]) ;
    stay() ;
  }
  if (!strcmp(kind, "lead"))
  {
    int fd ;
    setsid() ;
    fd = open_or_die(argv[2], O_RDWR) ;
    if (ioctl(fd, TIOCSCTTY, 0)) die("TIOCSCTTY") ;
    stay() ;
  }
  if (!strcmp(kind, "serial"))
  {
    int fd = stopped_line(argv[2]) ;
    dup2(fd, 2) ;
    close(fd) ;
    prog++ ;
  }
  else if (!strcmp(kind, "pty") || !strcmp(kind, "stopped") || !strcmp(kind, "console"))
    make_pty(*kind == 's', *kind == 'c') ;
  else if (!strcmp(kind, "pipe") || !strcmp(kind, "broken")) make_pipe(*kind == 'b') ;
  else return 100 ;
  execvp(prog[0], prog) ;
  return 127 ;
}
