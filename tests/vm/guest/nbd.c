/*
  nbd DISK DEVICE: a server for a network block device, in this process, that serves DISK, and in a child the client,
  which makes it DEVICE. Says "ready" when it can be used. With SIGSTOP for the server the disk does not answer any more.
*/

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <endian.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/fs.h>
#include <linux/nbd.h>

static char data[1 << 20] ;

static int transfer (ssize_t (*f) (int, void *, size_t), int fd, void *buf, size_t n)
{
  for (size_t done = 0 ; done < n ; )
  {
    ssize_t r = f(fd, (char *)buf + done, n - done) ;
    if (r <= 0) return 0 ;
    done += (size_t)r ;
  }
  return 1 ;
}

static ssize_t put (int fd, void *buf, size_t n)
{
  return write(fd, buf, n) ;
}

static int serve (int sock, int disk)
{
  struct nbd_request q ;
  while (transfer(&read, sock, &q, sizeof q))
  {
    uint32_t const type = ntohl(q.type) & 0xffff, len = ntohl(q.len) ;
    off_t const from = (off_t)be64toh(q.from) ;
    struct nbd_reply a = { .magic = htonl(NBD_REPLY_MAGIC) } ;
    memcpy(a.handle, q.handle, sizeof a.handle) ;
    if (type == NBD_CMD_DISC) return 0 ;
    if (len > sizeof data) return 111 ;
    if (type == NBD_CMD_READ && pread(disk, data, len, from) != (ssize_t)len) return 111 ;
    if (type == NBD_CMD_WRITE && (!transfer(&read, sock, data, len) || pwrite(disk, data, len, from) != (ssize_t)len)) return 111 ;
    if (type == NBD_CMD_FLUSH && fsync(disk) == -1) return 111 ;
    if (!transfer(&put, sock, &a, sizeof a) || (type == NBD_CMD_READ && !transfer(&put, sock, data, len))) return 111 ;
  }
  return 0 ;
}

/* The call returns when the device is gone. */
static int connect_device (int sock, char const *device, unsigned long long size)
{
  int fd = open(device, O_RDWR | O_CLOEXEC) ;
  if (fd == -1 || ioctl(fd, NBD_SET_BLKSIZE, 512ul) == -1 || ioctl(fd, NBD_SET_SIZE_BLOCKS, (unsigned long)(size / 512)) == -1
   || ioctl(fd, NBD_SET_SOCK, sock) == -1 || ioctl(fd, NBD_SET_FLAGS, (unsigned long)NBD_FLAG_HAS_FLAGS | NBD_FLAG_SEND_FLUSH) == -1)
  {
    perror(device) ;
    return 111 ;
  }
  return ioctl(fd, NBD_DO_IT) == -1 ? 111 : 0 ;
}

static int is_there (char const *device, unsigned long long size)
{
  unsigned long long now = 0 ;
  int fd = open(device, O_RDONLY | O_CLOEXEC) ;
  int r = fd != -1 && !ioctl(fd, BLKGETSIZE64, &now) && now == size && read(fd, data, 512) == 512 ;
  if (fd != -1) close(fd) ;
  return r ;
}

int main (int argc, char const *const *argv)
{
  unsigned long long size = 0 ;
  int s[2] ;
  int disk = argc == 3 ? open(argv[1], O_RDWR | O_CLOEXEC) : -1 ;
  if (disk == -1 || ioctl(disk, BLKGETSIZE64, &size) == -1 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s) == -1)
  {
    fputs("usage: nbd DISK DEVICE\n", stderr) ;
    return 100 ;
  }
  if (!fork()) return connect_device(s[1], argv[2], size) ;
  if (!fork())
  {
    while (!is_there(argv[2], size)) usleep(10000) ;
    (void)!write(1, "ready\n", 6) ;
    return 0 ;
  }
  close(s[1]) ;
  return serve(s[0], disk) ;
}
