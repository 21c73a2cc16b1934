/*
   fusehang DIR: a FUSE file system on DIR with a directory in it, "dir", whose names are asked for again
   at every step, and a file, "file", that takes what is written. When it is stopped, whoever walks into
   DIR/dir, or closes DIR/file, waits for ever: a hung mount, on demand. A file of 8 MiB, "disk", keeps it.
   Says "ready" when it is mounted.
*/

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <linux/fuse.h>

enum { ROOT_NODE = FUSE_ROOT_ID, DIR_NODE, FILE_NODE, DISK_NODE } ;

#define DISK_SIZE (8 << 20)
static char disk[DISK_SIZE] ;

static int fuse ;

static void reply (struct fuse_in_header const *in, int error, void const *body, size_t len)
{
  struct fuse_out_header out = { .len = (unsigned int)(sizeof out + len), .error = -error, .unique = in->unique } ;
  struct iovec v[2] = { { &out, sizeof out }, { (void *)body, len } } ;
  if (writev(fuse, v, len ? 2 : 1) < 0 && errno != ENOENT) perror("fusehang: reply") ;
}

static struct fuse_attr attr (unsigned long node)
{
  return (struct fuse_attr){ .ino = node, .mode = node >= FILE_NODE ? S_IFREG | 0644 : S_IFDIR | 0755, .nlink = 1,
    .size = node == DISK_NODE ? DISK_SIZE : 0 } ;
}

static void answer (struct fuse_in_header const *in, char const *arg)
{
  switch (in->opcode)
  {
    case FUSE_INIT :
    {
      struct fuse_init_out out = { .major = 7, .minor = 31, .max_write = 4096 } ;
      reply(in, 0, &out, sizeof out) ;
      break ;
    }
    case FUSE_GETATTR :
    {
      struct fuse_attr_out out = { .attr = attr(in->nodeid) } ;
      reply(in, 0, &out, sizeof out) ;
      break ;
    }
    case FUSE_LOOKUP :
    {
      unsigned long node = !strcmp(arg, "dir") ? DIR_NODE : !strcmp(arg, "disk") ? DISK_NODE : FILE_NODE ;
      struct fuse_entry_out out = { .nodeid = node, .attr = attr(node) } ;
      if (node == FILE_NODE && strcmp(arg, "file")) reply(in, ENOENT, 0, 0) ;
      else reply(in, 0, &out, sizeof out) ;
      break ;
    }
    case FUSE_WRITE :
    {
      struct fuse_write_in const *w = (struct fuse_write_in const *)arg ;
      struct fuse_write_out out = { .size = w->size } ;
      if (in->nodeid == DISK_NODE && w->offset + w->size <= DISK_SIZE) memcpy(disk + w->offset, w + 1, w->size) ;
      reply(in, 0, &out, sizeof out) ;
      break ;
    }
    case FUSE_READ :
    {
      struct fuse_read_in const *r = (struct fuse_read_in const *)arg ;
      size_t left = in->nodeid == DISK_NODE && r->offset < DISK_SIZE ? DISK_SIZE - r->offset : 0 ;
      reply(in, 0, disk + (left ? r->offset : 0), r->size < left ? r->size : left) ;
      break ;
    }
    case FUSE_FLUSH : reply(in, 0, 0, 0) ; break ;   /* else the kernel would not ask again */
    case FUSE_FORGET : case FUSE_BATCH_FORGET : case FUSE_INTERRUPT : break ;
    default : reply(in, ENOSYS, 0, 0) ;
  }
}

int main (int argc, char const *const *argv)
{
  static char buf[FUSE_MIN_READ_BUFFER + 65536] ;
  char options[64] ;
  if (argc != 2) return 100 ;
  fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC) ;
  snprintf(options, sizeof options, "fd=%d,rootmode=40755,user_id=0,group_id=0", fuse) ;
  if (fuse < 0 || mount("fusehang", argv[1], "fuse", 0, options) < 0)
  {
    perror("fusehang") ;
    return 111 ;
  }
  puts("ready") ;
  fflush(stdout) ;
  for (;;)
  {
    ssize_t r = read(fuse, buf, sizeof buf) ;
    if (r < 0 && (errno == EINTR || errno == ENOENT)) continue ;
    if (r <= 0) return 0 ;
    answer((struct fuse_in_header *)buf, buf + sizeof(struct fuse_in_header)) ;
  }
}
