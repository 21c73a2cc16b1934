/* ISC license. */

/* Who keeps mounts busy, of the processes. In a child: a look at a dead file system may block. */

#include <skalibs/nonposix.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <skalibs/djbunix.h>
#include <skalibs/genalloc.h>

#include "stage4.h"

#define NAMED_MAX 6   /* holders of one mount that a report names */

struct search
{
  int out ;
  s4_tree const *tree ;
  unsigned char *wanted ;     /* of each mount of the table: is asked for */
  unsigned int *by_device ;   /* those, sorted */
  unsigned int n ;
  s4_process p ;
  pid_t *seen ;               /* of each mount of the table: the last process found there */
} ;

static s4_mount const *sorting ;   /* qsort(3) takes no context */

static int compare_device (void const *a, void const *b)
{
  uint64_t x = s4_mount_device(sorting + *(unsigned int const *)a) ;
  uint64_t y = s4_mount_device(sorting + *(unsigned int const *)b) ;
  return x < y ? -1 : x > y ;
}

static void found (struct search *s, unsigned int i, enum s4_hold_e how)
{
  s4_holder h = { .mount = i, .pid = s->p.pid, .how = how } ;
  if (s->seen[i] == s->p.pid) return ;
  s->seen[i] = s->p.pid ;
  memcpy(h.comm, s->p.comm, sizeof h.comm) ;
  s4_answer(s->out, &h, sizeof h) ;
}

static void found_mount (struct search *s, int id, enum s4_hold_e how)
{
  unsigned int i = id > 0 ? s4_tree_find(s->tree, (unsigned int)id) : S4_NONE ;
  if (i != S4_NONE && s->wanted[i]) found(s, i, how) ;
}

static void found_device (struct search *s, uint64_t device, enum s4_hold_e how)
{
  unsigned int low = 0, high = s->n ;
  while (low < high)
  {
    unsigned int mid = low + (high - low) / 2 ;
    if (s4_mount_device(s->tree->ms->m + s->by_device[mid]) < device) low = mid + 1 ; else high = mid ;
  }
  for (; low < s->n && s4_mount_device(s->tree->ms->m + s->by_device[low]) == device ; low++)
    found(s, s->by_device[low], how) ;
}

 /* Opening such a link with O_PATH asks nothing of the file system that it leads to. */

static int look_at_link (pid_t tid, enum s4_hold_e how, void *data)
{
  struct search *s = data ;
  char name[S4_PROCNAME] ;
  int fd = openat(s4_proc(), s4_proc_name(name, tid, s4_hold_link(how)), O_PATH | O_CLOEXEC) ;
  if (fd == -1) return 0 ;
  found_mount(s, s4_mount_id(fd), how) ;
  fd_close(fd) ;
  return 1 ;
}

static void look_at_file (pid_t tid, char const *fd, void *data)
{
  char name[S4_PROCNAME] ;
  strcat(s4_proc_name(name, tid, "/fdinfo/"), fd) ;
  found_mount(data, s4_mount_id_of_fdinfo(name), S4_HOLDS_FILE) ;
}

static void look_at_map (uint64_t device, char const *path, void *data)
{
  (void)path ;
  found_device(data, device, S4_HOLDS_MAP) ;
}

static void look_at_maps (pid_t tid, void *data)
{
  s4_maps_each(tid, &look_at_map, data) ;
}

static int look_at_process (pid_t pid, void *data)
{
  struct search *s = data ;
  s4_hands const hands = { .file = &look_at_file, .link = &look_at_link, .maps = &look_at_maps, .data = s } ;
  if (pid != getpid() && s4_process_read(pid, &s->p) && !s->p.kthread) s4_hands_look(&s->p, &hands) ;
  return 1 ;
}

static int search_all (int fd, void *data)
{
  struct search *s = data ;
  s->out = fd ;
  return s4_processes(&look_at_process, s) == 1 ? 0 : errno ;
}

static int compare_holders (void const *a, void const *b)
{
  s4_holder const *x = a, *y = b ;
  return x->mount != y->mount ? x->mount < y->mount ? -1 : 1 : x->pid < y->pid ? -1 : x->pid > y->pid ;
}

 /* What was found until a time-out is still worth naming. */

int s4_holders_find (s4_tree const *t, unsigned int const *which, unsigned int n, s4_ms timeout, genalloc *holders)
{
  struct search s = { .tree = t, .wanted = calloc(t->ms->n + 1, 1), .by_device = s4_numbers(n), .n = n,
    .seen = calloc(t->ms->n + 1, sizeof(pid_t)) } ;
  int complete = 0 ;
  holders->len = 0 ;
  if (n && s.wanted && s.by_device && s.seen)
  {
    for (unsigned int k = 0 ; k < n ; k++) s.wanted[which[k]] = 1 ;
    memcpy(s.by_device, which, n * sizeof *which) ;
    sorting = t->ms->m ;
    qsort(s.by_device, n, sizeof *which, &compare_device) ;
    complete = s4_ask(&search_all, &s, timeout, holders) ;
    genalloc_setlen(s4_holder, holders, genalloc_len(s4_holder, holders)) ;
    if (holders->len) qsort(holders->s, genalloc_len(s4_holder, holders), sizeof(s4_holder), &compare_holders) ;
  }
  free(s.wanted) ;
  free(s.by_device) ;
  free(s.seen) ;
  return complete ;
}

char const *s4_holders_name (genalloc const *holders, unsigned int mount)
{
  s4_holder const *h = genalloc_s(s4_holder, holders) ;
  s4_names names = S4_NAMES(NAMED_MAX) ;
  size_t low = 0, high = genalloc_len(s4_holder, holders) ;
  while (low < high)
  {
    size_t mid = low + (high - low) / 2 ;
    if (h[mid].mount < mount) low = mid + 1 ; else high = mid ;
  }
  for (size_t i = low ; i < genalloc_len(s4_holder, holders) && h[i].mount == mount ; i++)
    if (s4_names_next(&names)
     && !s4_cat(&names.text, S4_NUM(h[i].pid), " ", h[i].comm, " (", s4_hold_name(h[i].how), ")")) break ;
  return names.n ? s4_names_end(&names) : 0 ;
}
