/*
   nfs serve: the kernel's NFS server, for a client behind the link "server"; writes the handle of what it exports, a
     tmpfs that only it sees, to /fh. Says "ready"
   nfs mount3 DIR, nfs mount4 DIR [PATH]: mounts that, as a client in a network namespace of its own. Nothing that is
     known of it is believed for long
   nfs write FILE: opens it, says "ready", waits for SIGUSR1, writes 8 MiB, says "written"; nfs fsync FILE:
     waits until that has arrived before it says so
*/

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/nfs_mount.h>

#define SERVER "10.0.0.1"
#define CLIENT "10.0.0.2"
#define FOREVER "2147483647"
#define EXPORT_FLAGS "9234"   /* fsid, no subtree check, asynchronous, any port */

static void die (char const *what)
{
  perror(what) ;
  exit(111) ;
}

static void say (char const *word)
{
  puts(word) ;
  fflush(stdout) ;
}

static void tell (char const *file, char const *text)
{
  int fd = open(file, O_WRONLY | O_CLOEXEC) ;
  if (fd == -1 || write(fd, text, strlen(text)) != (ssize_t)strlen(text)) die(file) ;
  close(fd) ;
}

/* Whatever the kernel wants to have registered is. */
static void be_rpcbind (void)
{
  struct sockaddr_in const a = { .sin_family = AF_INET, .sin_port = htons(111) } ;
  int s = socket(AF_INET, SOCK_STREAM, 0) ;
  if (s == -1 || bind(s, (struct sockaddr const *)&a, sizeof a) == -1 || listen(s, 9) == -1) die("rpcbind") ;
  if (fork()) { close(s) ; return ; }
  for (;;)
  {
    int fd = accept(s, 0, 0) ;
    unsigned int in[256] ;
    if (fork()) { close(fd) ; continue ; }
    while (read(fd, in, sizeof in) > 8)
    {
      unsigned int out[8] = { htonl(0x80000000u | 28), in[1], htonl(1), 0, 0, 0, 0, htonl(1) } ;
      if (write(fd, out, sizeof out) != sizeof out) break ;
    }
    _exit(0) ;
  }
}

static void write_handle (void)
{
  char handle[256] ;
  ssize_t r = -1 ;
  int fd = open("/proc/fs/nfsd/filehandle", O_RDWR) ;
  if (fd != -1 && write(fd, "guest /srv 64\n", 14) == 14) r = read(fd, handle, sizeof handle) ;
  if (r <= 0) die("filehandle") ;
  close(fd) ;
  fd = open("/fh", O_WRONLY | O_CREAT, 0644) ;
  if (write(fd, handle, (size_t)r) != r) die("/fh") ;
  close(fd) ;
}

static void make_directory (char const *dir)
{
  if (mkdir(dir, 0755) == -1) die(dir) ;
}

static void serve (void)
{
  if (unshare(CLONE_NEWNS) == -1 || mount(0, "/", 0, MS_REC | MS_PRIVATE, 0) == -1) die("unshare") ;
  make_directory("/srv") ;
  if (mount("srv", "/srv", "tmpfs", 0, 0) == -1 || mount("nfsd", "/proc/fs/nfsd", "nfsd", 0, 0) == -1) die("mount") ;
  make_directory("/srv/dir") ;
  make_directory("/srv/dir/dir") ;
  be_rpcbind() ;
  tell("/proc/net/rpc/auth.unix.ip/channel", "nfsd " CLIENT " " FOREVER " guest\n") ;
  tell("/proc/net/rpc/nfsd.export/channel", "guest /srv " FOREVER " " EXPORT_FLAGS " 65534 65534 0\n") ;
  tell("/proc/net/rpc/nfsd.fh/channel", "guest 1 \\x00000000 " FOREVER " /srv\n") ;
  tell("/proc/fs/nfsd/portlist", "tcp 2049\n") ;
  tell("/proc/fs/nfsd/threads", "4\n") ;
  tell("/proc/fs/nfsd/v4_end_grace", "Y\n") ;
  write_handle() ;
  say("ready") ;
  for (;;) pause() ;
}

static void mount3 (char const *dir)
{
  struct nfs_mount_data d = { .version = NFS_MOUNT_VERSION, .timeo = 600, .retrans = 2, .pseudoflavor = 1,
    .flags = NFS_MOUNT_VER3 | NFS_MOUNT_TCP | NFS_MOUNT_NONLM | NFS_MOUNT_UNSHARED } ;
  char handle[256] = "" ;
  int fd = open("/fh", O_RDONLY) ;
  if (fd == -1 || read(fd, handle, sizeof handle - 1) <= 0) die("/fh") ;
  for (char const *s = handle + 2 ; sscanf(s, "%2hhx", d.root.data + d.root.size) == 1 ; s += 2) d.root.size++ ;
  d.addr.sin_family = AF_INET ;
  d.addr.sin_port = htons(2049) ;
  inet_aton(SERVER, &d.addr.sin_addr) ;
  strcpy(d.hostname, SERVER) ;
  if (mount(SERVER ":/srv", dir, "nfs", 0, &d) == -1) die("mount3") ;
}

static void mount4 (char const *dir, char const *path)
{
  char source[256] ;
  snprintf(source, sizeof source, SERVER ":%s", path) ;
  if (mount(source, dir, "nfs4", 0, "vers=4.2,addr=" SERVER ",clientaddr=" CLIENT ",actimeo=0,nosharecache") == -1)
    die("mount4") ;
}

static void write_file (char const *file, int wait)
{
  static char buf[8 << 20] ;
  sigset_t usr1 ;
  int sig ;
  int fd = open(file, O_WRONLY | O_CREAT, 0644) ;
  if (fd == -1) die(file) ;
  sigemptyset(&usr1) ;
  sigaddset(&usr1, SIGUSR1) ;
  sigprocmask(SIG_BLOCK, &usr1, 0) ;
  say("ready") ;
  sigwait(&usr1, &sig) ;
  if (write(fd, buf, sizeof buf) < 0 || (wait && fsync(fd) == -1)) die("write") ;
  say("written") ;
  for (;;) pause() ;
}

int main (int argc, char const *const *argv)
{
  char const *what = argc > 1 ? argv[1] : "" ;
  if (!strcmp(what, "serve")) serve() ;
  else if (argc < 3) return 100 ;
  else if (!strcmp(what, "mount3")) mount3(argv[2]) ;
  else if (!strcmp(what, "mount4")) mount4(argv[2], argc > 3 ? argv[3] : "/") ;
  else write_file(argv[2], !strcmp(what, "fsync")) ;
  return 0 ;
}
