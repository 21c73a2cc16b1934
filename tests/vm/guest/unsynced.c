/*
   unsynced -p DIR: prepares a directory
   unsynced DIR: changes it, and flushes nothing of that: a file written, one mapped and written through the map, one
     appended to, one renamed, one deleted. Says "ready" then, and keeps on writing the same through the map, while
     another thread maps and unmaps.
   unsynced -c DIR: what is there of it? Exit code 0: all
*/

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096
#define SIZE (16 * PAGE)

static char pattern[SIZE] ;

static void fail (char const *name)
{
  fprintf(stderr, "unsynced: %s: %s\n", name, strerror(errno)) ;
  exit(111) ;
}

static int put (char const *name, int flags, size_t len)
{
  int fd = open(name, O_RDWR | O_CREAT | flags, 0644) ;
  if (fd == -1 || write(fd, pattern, len) != (ssize_t)len) fail(name) ;
  return fd ;
}

static void prepare (void)
{
  int fd = put("mapped", 0, 0) ;
  if (ftruncate(fd, SIZE) == -1) fail("mapped") ;
  put("grows", 0, PAGE) ;
  put("before", 0, PAGE) ;
  put("deleted", 0, PAGE) ;
}

 /* While a writer waits in a page fault, and this here for his memory, nobody can read his command line. */

static void *map_and_unmap (void *data)
{
  for (;;)
  {
    void *p = mmap(0, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ;
    if (p != MAP_FAILED) munmap(p, PAGE) ;
    usleep(1000) ;
  }
  return data ;
}

static void change (void)
{
  char *map = mmap(0, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, put("mapped", 0, 0), 0) ;
  pthread_t thread ;
  if (map == MAP_FAILED) fail("mapped") ;
  memcpy(map, pattern, SIZE) ;
  put("written", 0, SIZE) ;
  put("grows", O_APPEND, PAGE) ;
  if (rename("before", "after") == -1) fail("before") ;
  if (unlink("deleted") == -1) fail("deleted") ;
  if (pthread_create(&thread, 0, &map_and_unmap, 0)) fail("thread") ;
  puts("ready") ;
  fflush(stdout) ;
  for (size_t i = 0 ;; i = (i + PAGE) % SIZE)
  {
    ((char volatile *)map)[i] = pattern[i] ;
    usleep(1000) ;
  }
}

 /* 1: it isn't as it should be */

static int wrong (char const *name, size_t len)
{
  static char buf[SIZE + 1] ;
  char const *what = 0 ;
  int fd = open(name, O_RDONLY | O_CLOEXEC) ;
  ssize_t r = fd == -1 ? -1 : read(fd, buf, sizeof buf) ;
  if (fd == -1) what = strerror(errno) ;
  else if (r != (ssize_t)len) what = "has another size" ;
  else if (memcmp(buf, pattern, PAGE) || memcmp(buf + len - PAGE, len == SIZE ? pattern + SIZE - PAGE : pattern, PAGE))
    what = "has another content" ;
  if (fd != -1) close(fd) ;
  if (what) printf("unsynced: %s: %s\n", name, what) ;
  return !!what ;
}

static int is_there (char const *name)
{
  if (access(name, F_OK) == -1) return 0 ;
  printf("unsynced: %s: is still there\n", name) ;
  return 1 ;
}

int main (int argc, char const *const *argv)
{
  char const *how = argc == 3 ? argv[1] : "" ;
  if (argc < 2 || argc > 3 || (argc == 3 && strcmp(how, "-p") && strcmp(how, "-c")))
  {
    fputs("usage: unsynced [ -p | -c ] dir\n", stderr) ;
    return 100 ;
  }
  for (size_t i = 0 ; i < SIZE ; i++) pattern[i] = (char)('a' + i % 23) ;
  if (chdir(argv[argc - 1]) == -1) fail(argv[argc - 1]) ;
  if (!*how) change() ;
  if (!strcmp(how, "-p")) return prepare(), 0 ;
  return wrong("written", SIZE) + wrong("mapped", SIZE) + wrong("grows", 2 * PAGE) + wrong("after", PAGE)
    + is_there("before") + is_there("deleted") > 0 ;
}
