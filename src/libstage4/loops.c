/* ISC license. */

/*
  Loop devices, and what their files lie on. A file's name alone does not say that: it is from the mount namespace that
  opened it. The kernel knows, but asks the file system, which may hang.
*/

#include <skalibs/nonposix.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include <linux/loop.h>

#include <skalibs/djbunix.h>
#include <skalibs/genalloc.h>
#include <skalibs/stralloc.h>
#include <skalibs/types.h>

#include "stage4.h"

struct search
{
  genalloc *loops ;   /* s4_loop */
  int all ;
} ;

 /* Read-only ones can lose nothing: of these there may be hundreds. */

static int add_if_meant (char const *name, void *data)
{
  struct search const *s = data ;
  s4_loop x = { .backing = S4_NODEVICE, .raw = S4_NODEVICE } ;
  stralloc text = STRALLOC_ZERO ;
  int r = 1 ;
  if (s4_block_kind(name) != S4_BLOCK_LOOP || (!s->all && s4_sys_says("1", "/sys/block/", name, "/ro"))) goto end ;
  if (!s4_sys_number("/sys/block/", name, &x.device)) goto end ;
  x.file = s4_sys_read_at(&text, "/sys/block/", name, "/loop/backing_file") ? s4_concat(text.s) : 0 ;
  x.name = s4_concat("/dev/", name) ;
  r = genalloc_append(s4_loop, s->loops, &x) ;
 end:
  stralloc_free(&text) ;
  return r ;
}

 /* The kernel's encoding of a device number (huge_encode_dev). */

static uint64_t decode_device (uint64_t d)
{
  return (d >> 8 & 0xfff) << 32 | (d & 0xff) | (d >> 12 & 0xfff00) ;
}

static void tell_backing (unsigned int i, stralloc *answer, void *data)
{
  struct loop_info64 info ;
  int fd = open(genalloc_s(s4_loop, (genalloc *)data)[i].name, O_RDONLY | O_NONBLOCK | O_CLOEXEC) ;
  if (fd == -1) return ;
  if (!ioctl(fd, LOOP_GET_STATUS64, &info))
    s4_cat(answer, S4_NUM((int64_t)decode_device(info.lo_device)), " ",
      S4_NUM(info.lo_rdevice ? (int64_t)decode_device(info.lo_rdevice) : -1)) ;
  fd_close(fd) ;
}

int s4_loops_find (genalloc *loops, int all, s4_ms timeout)
{
  struct search s = { .loops = loops, .all = all } ;
  char (*answers)[S4_ANSWER_MAX] ;
  unsigned int n ;
  genalloc_setlen(s4_loop, loops, 0) ;
  if (s4_sys_each("/sys/block", &add_if_meant, &s) != 1) return 0 ;
  n = (unsigned int)genalloc_len(s4_loop, loops) ;
  answers = calloc(n + 1, sizeof *answers) ;
  if (!answers) return 0 ;
  if (timeout) s4_ask_each(n, &tell_backing, loops, s4_limit(timeout), answers) ;
  for (unsigned int i = 0 ; i < n ; i++)
  {
    s4_loop *x = genalloc_s(s4_loop, loops) + i ;
    size_t len = uint64_scan(answers[i], &x->backing) ;
    if (len) uint64_scan(answers[i] + len + 1, &x->raw) ;   /* not of "-1" */
  }
  free(answers) ;
  return 1 ;
}
