/* ISC license. */

/*
  Which processes keep a file system or a block device busy, and which other mount namespaces do. In a child: a look at
  a dead file system may block. What is least likely to comes first: tables, then files, then mappings.
*/

#include <skalibs/nonposix.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <skalibs/djbunix.h>
#include <skalibs/genalloc.h>
#include <skalibs/stralloc.h>

#include "stage4.h"

#define KINDS (S4_BUSY_MAP + 1)   /* that processes have */

struct id { unsigned int id ; uint64_t device ; } ;

struct view              /* a mount namespace */
{
  uint64_t ns ;
  s4_process p ;         /* that was the first one in there */
  unsigned int more ;    /* processes */
  int whole ;            /* it was seen from its root */
  genalloc found ;       /* s4_busy */
} ;

struct search
{
  int out ;
  pid_t parent ;               /* who asks, and its children, hold nothing */
  genalloc const *places ;     /* s4_busyplace */
  s4_tree const *tree ;        /* of our own namespace */
  uint64_t own_ns ;
  genalloc processes ;         /* s4_process */
  genalloc views ;             /* struct view */
  genalloc ids ;               /* struct id, sorted: all mounts of all tables */
  unsigned int ntargets ;
  unsigned char *by_mount ;    /* of each place: what is open on it counts, if it is in some table */
  int seeks_devices ;
  int err ;

  s4_process const *p ;        /* that is looked at */
  s4_busy *held ;              /* KINDS of each target: what it has; without pid if nothing */
} ;

static s4_busyplace const *place (struct search const *s, size_t k)
{
  return genalloc_s(s4_busyplace, s->places) + k ;
}

static size_t nplaces (struct search const *s)
{
  return genalloc_len(s4_busyplace, s->places) ;
}

 /* --- who there is --- */

static int note_process (pid_t pid, void *data)
{
  struct search *s = data ;
  s4_process p ;
  if (pid == getpid() || pid == s->parent || !s4_process_read(pid, &p) || p.kthread || p.ppid == s->parent) return 1 ;
  return genalloc_append(s4_process, &s->processes, &p) ;
}

 /* --- tables --- */

static int note_ids (struct search *s, s4_mount const *m, size_t n)
{
  for (size_t i = 0 ; i < n ; i++)
  {
    struct id const x = { .id = m[i].id, .device = s4_mount_device(m + i) } ;
    if (!genalloc_append(struct id, &s->ids, &x)) return 0 ;
    for (size_t k = 0 ; k < nplaces(s) ; k++) if (s4_busy_is_on(place(s, k), m + i)) s->by_mount[k] = 1 ;
  }
  return 1 ;
}

static int read_table (struct search *s, struct view *v, pid_t pid)
{
  stralloc text = STRALLOC_ZERO ;
  genalloc mounts = GENALLOC_ZERO ;
  char name[S4_PROCNAME] ;
  s4_mounts ms = S4_MOUNTS_ZERO ;
  int const there = s4_proc_read(s4_proc_name(name, pid, "/mountinfo"), &text) ;
  int ok = there && s4_mountinfo_parse(&text, &mounts) ;
  if (!there && s4_hands_denied(pid)) s->err = errno ;
  ms.m = genalloc_s(s4_mount, &mounts) ;
  ms.n = ms.nown = (unsigned int)genalloc_len(s4_mount, &mounts) ;
  if (ok && ms.n)
  {
    genalloc_setlen(s4_busy, &v->found, 0) ;
    ok = note_ids(s, ms.m, ms.n) && s4_busy_elsewhere(&v->found, s->places, &ms) ;
  }
  if (there && !ok) s->err = ENOMEM ;
  genalloc_free(s4_mount, &mounts) ;
  stralloc_free(&text) ;
  return ok && ms.n ;
}

static struct view *find_view (struct search *s, uint64_t ns)
{
  struct view *v = genalloc_s(struct view, &s->views) ;
  for (size_t i = genalloc_len(struct view, &s->views) ; i-- ; ) if (v[i].ns == ns) return v + i ;
  return 0 ;
}

 /* From a root within it only a part of a namespace can be seen: then the next process with another root is asked. */

static int look_at_namespace (struct search *s, s4_process const *p)
{
  char link[S4_BUSY_NAME_MAX] ;
  struct view *v ;
  uint64_t const ns = s4_proc_mountns(p->pid) ;
  int whole ;
  if (!ns)
  {
    if (s4_hands_denied(p->pid)) s->err = errno ;
    return 1 ;
  }
  if (ns == s->own_ns) return 1 ;
  v = find_view(s, ns) ;
  if (v) v->more++ ;
  if (v && v->whole) return 1 ;
  whole = s4_proc_link(p->pid, "/root", link, sizeof link) > 0 && !strcmp(link, "/") ;
  if (v && !whole) return 1 ;
  if (!v)
  {
    struct view const new = { .ns = ns, .p = *p, .found = GENALLOC_ZERO } ;
    if (!genalloc_append(struct view, &s->views, &new)) return 0 ;
    v = genalloc_s(struct view, &s->views) + genalloc_len(struct view, &s->views) - 1 ;
  }
  v->whole = read_table(s, v, p->pid) && whole ;
  return 1 ;
}

static int compare_id (void const *a, void const *b)
{
  struct id const *x = a, *y = b ;
  return x->id < y->id ? -1 : x->id > y->id ;
}

static void tell_namespaces (struct search *s)
{
  struct view *v = genalloc_s(struct view, &s->views) ;
  for (size_t i = 0 ; i < genalloc_len(struct view, &s->views) ; i++)
    for (size_t k = 0 ; k < genalloc_len(s4_busy, &v[i].found) ; k++)
    {
      s4_busy *b = genalloc_s(s4_busy, &v[i].found) + k ;
      b->pid = v[i].p.pid ;
      b->more = v[i].more ;
      memcpy(b->comm, v[i].p.comm, sizeof b->comm) ;
      s4_answer(s->out, b, sizeof *b) ;
    }
}

static void look_at_namespaces (struct search *s)
{
  s4_process const *p = genalloc_s(s4_process, &s->processes) ;
  size_t const n = genalloc_len(s4_process, &s->processes) ;
  int ok = note_ids(s, s->tree->ms->m, s->tree->ms->n) ;
  s->own_ns = s4_proc_mountns(getpid()) ;
  for (size_t i = 0 ; ok && i < n ; i++) ok = look_at_namespace(s, p + i) ;
  if (!ok) s->err = ENOMEM ;
  if (s->ids.len) qsort(s->ids.s, genalloc_len(struct id, &s->ids), sizeof(struct id), &compare_id) ;
  tell_namespaces(s) ;
}

 /* --- what a process has --- */

static void hold (struct search *s, unsigned int target, enum s4_busy_e kind, char const *name)
{
  s4_busy *b = s->held + target * KINDS + kind ;
  if (b->pid)
  {
    b->more++ ;
    return ;
  }
  *b = (s4_busy){ .target = target, .kind = kind, .pid = s->p->pid } ;
  memcpy(b->comm, s->p->comm, sizeof b->comm) ;
  strncpy(b->name, name, sizeof b->name - 1) ;
}

static void tell_held (struct search *s)
{
  for (unsigned int i = 0 ; i < s->ntargets * KINDS ; i++)
  {
    if (s->held[i].pid) s4_answer(s->out, s->held + i, sizeof s->held[i]) ;
    s->held[i].pid = 0 ;
  }
}

 /* Of a device that is mounted its mounts are named, not what is open on them. */

static void hold_on (struct search *s, uint64_t device, int in_table, enum s4_busy_e kind, char const *name)
{
  for (size_t k = 0 ; k < nplaces(s) ; k++)
    if (place(s, k)->device == device && (place(s, k)->mount || !in_table || (kind == S4_BUSY_MAP && !s->by_mount[k])))
      hold(s, place(s, k)->target, kind, name) ;
}

static uint64_t const *device_of_id (struct search const *s, int id)
{
  struct id const x = { .id = (unsigned int)id } ;
  struct id const *found ;
  if (id <= 0 || !s->ids.len) return 0 ;
  found = bsearch(&x, s->ids.s, genalloc_len(struct id, &s->ids), sizeof x, &compare_id) ;
  return found ? &found->device : 0 ;
}

static void look_at_file (pid_t tid, char const *fd, void *data)
{
  struct search *s = data ;
  char link[S4_BUSY_NAME_MAX] ;
  char rest[S4_PROCNAME] = "/fd/" ;
  char name[S4_PROCNAME] ;
  uint64_t const *known ;
  uint64_t device, raw ;
  strcat(rest, fd) ;
  if (s4_proc_link(tid, rest, link, sizeof link) <= 0 || link[0] != '/') return ;   /* pipes, sockets ... */
  strcat(s4_proc_name(name, tid, "/fdinfo/"), fd) ;
  known = device_of_id(s, s4_mount_id_of_fdinfo(name)) ;
  if (known) hold_on(s, *known, 1, S4_BUSY_FILE, link) ;
  if (known && (!s->seeks_devices || strncmp(link, "/dev/", 5))) return ;
  if (!s4_file_device(s4_proc(), s4_proc_name(name, tid, rest), &device, &raw)) return ;
  if (!known) hold_on(s, device, 0, S4_BUSY_FILE, link) ;
  if (raw != S4_NODEVICE) for (size_t k = 0 ; k < nplaces(s) ; k++)
    if (!place(s, k)->mount && place(s, k)->device == raw) hold(s, place(s, k)->target, S4_BUSY_FILE, link) ;
}

 /* Some network file systems are asked even by O_PATH whether the directory is still there. */

static int may_be_asked (struct search const *s, char const *path)
{
  unsigned int const i = s4_tree_holding(s->tree, path) ;
  return i == S4_NONE || s4_fsclass(s->tree->ms->m[i].type) != S4_FS_NETWORK ;
}

static int look_at_link (pid_t tid, enum s4_hold_e how, void *data)
{
  struct search *s = data ;
  char link[S4_BUSY_NAME_MAX] ;
  char name[S4_PROCNAME] ;
  uint64_t const *known ;
  uint64_t device, raw ;
  int fd ;
  if (s4_proc_link(tid, s4_hold_link(how), link, sizeof link) <= 0)
  {
    if (s4_hands_denied(tid)) s->err = errno ;
    return 0 ;
  }
  if (!may_be_asked(s, link))
  {
    hold_on(s, s4_mount_device(s->tree->ms->m + s4_tree_holding(s->tree, link)), 1, (enum s4_busy_e)how, link) ;
    return 1 ;
  }
  fd = openat(s4_proc(), s4_proc_name(name, tid, s4_hold_link(how)), O_PATH | O_CLOEXEC) ;
  if (fd == -1) return 1 ;
  known = device_of_id(s, s4_mount_id(fd)) ;
  if (known) hold_on(s, *known, 1, (enum s4_busy_e)how, link) ;
  else if (s4_file_device(fd, "", &device, &raw)) hold_on(s, device, 0, (enum s4_busy_e)how, link) ;
  fd_close(fd) ;
  return 1 ;
}

 /* --- mappings --- */

struct maps
{
  struct search *s ;
  pid_t tid ;
  char exe[S4_BUSY_NAME_MAX] ;   /* named already */
  char last[S4_BUSY_NAME_MAX] ;  /* a file has several */
} ;

static int is_wanted (struct search const *s, uint64_t device)
{
  for (size_t k = 0 ; k < nplaces(s) ; k++) if (place(s, k)->device == device) return 1 ;
  return 0 ;
}

static void look_at_map (uint64_t device, char const *path, void *data)
{
  struct maps *m = data ;
  if (path[0] != '/' || !is_wanted(m->s, device)) return ;
  if (!*m->exe) s4_proc_link(m->tid, "/exe", m->exe, sizeof m->exe) ;
  if (!strncmp(path, m->exe, sizeof m->exe - 1) || !strncmp(path, m->last, sizeof m->last - 1)) return ;
  strncpy(m->last, path, sizeof m->last - 1) ;
  hold_on(m->s, device, 1, S4_BUSY_MAP, path) ;
}

static void look_at_maps (pid_t tid, void *data)
{
  struct maps m = { .s = data, .tid = tid } ;
  s4_maps_each(tid, &look_at_map, &m) ;
}

static int has_memory (pid_t tid, enum s4_hold_e how, void *data)
{
  char link[2] ;
  (void)data ;
  return how == S4_HOLDS_EXE && s4_proc_link(tid, "/exe", link, sizeof link) > 0 ;
}

 /* --- all --- */

static void look_at_all (struct search *s, s4_hands const *hands)
{
  s4_process const *p = genalloc_s(s4_process, &s->processes) ;
  for (size_t i = 0 ; i < genalloc_len(s4_process, &s->processes) ; i++)
  {
    s->p = p + i ;
    if (!s4_hands_look(p + i, hands)) s->err = errno ;
    tell_held(s) ;
  }
}

static int search_all (int fd, void *data)
{
  struct search *s = data ;
  s4_hands const files = { .file = &look_at_file, .link = &look_at_link, .data = s } ;
  s4_hands const maps = { .link = &has_memory, .maps = &look_at_maps, .data = s } ;
  s->out = fd ;
  for (size_t k = 0 ; k < nplaces(s) ; k++) s->seeks_devices |= !place(s, k)->mount ;
  if (s4_processes(&note_process, s) != 1) return errno ? errno : EIO ;
  look_at_namespaces(s) ;
  look_at_all(s, &files) ;
  look_at_all(s, &maps) ;
  return s->err ;
}

int s4_busy_processes (genalloc *found, genalloc const *places, s4_tree const *t, unsigned int ntargets,
  s4_ms timeout)
{
  struct search s = { .parent = getpid(), .places = places, .tree = t, .ntargets = ntargets,
    .processes = GENALLOC_ZERO, .views = GENALLOC_ZERO, .ids = GENALLOC_ZERO,
    .by_mount = calloc(genalloc_len(s4_busyplace, places) + 1, 1),
    .held = calloc(ntargets * KINDS + 1, sizeof(s4_busy)) } ;
  genalloc answers = GENALLOC_ZERO ;   /* s4_busy */
  int ok = 0, e ;
  if (s.by_mount && s.held)
  {
    ok = s4_ask(&search_all, &s, timeout, &answers) ;
    e = errno ;
    for (size_t i = 0 ; i < genalloc_len(s4_busy, &answers) ; i++)
    {
      if (genalloc_append(s4_busy, found, genalloc_s(s4_busy, &answers) + i)) continue ;
      ok = 0 ;
      e = ENOMEM ;
    }
    errno = e ;
  }
  free(s.by_mount) ;
  free(s.held) ;
  genalloc_free(s4_busy, &answers) ;
  return ok ;
}
