/* ISC license. */

/* The plan of detach for any devices, on each other in any way, in circles too, with any mounts, swaps and loops. */

#include <skalibs/genalloc.h>

#include "stage4.h"
#include "fuzz.h"

#define BLOCKS_MAX 24   /* sets of them are bits */
#define MOUNTS_MAX 8

struct input { uint8_t const *s ; size_t left ; } ;

static unsigned int byte (struct input *in)
{
  if (!in->left) return 0 ;
  in->left-- ;
  return *in->s++ ;
}

 /* Few enough that they meet. */

static char const *const names[] =
{
  "dm-0", "dm-1", "dm-2", "dm-3", "dm-4", "dm-5", "dm-6", "dm-7", "md0", "md1", "md2", "md3", "md4", "md5", "md6",
  "md7", "loop0", "loop1", "loop2", "loop3", "loop4", "loop5", "loop6", "loop7", "bcache0", "drbd0", ""
} ;
static char const *const partnames[] = { "md0p1", "md1p1", "loop0p1", "loop7p2", "md0p2", "" } ;
static char const *const whats[] = { "LVM one", "dm md0", "CRYPT two words", "dm ", "raid1", "" } ;
static char const *const places[] =
{
  "/dev/dm-0", "/dev/mapper/one", "/dev/mapper/two words", "/dev/mapper/", "/dev/md0", "/dev/md0p1", "/dev/loop0p1",
  "/dev/", "/", "", "none", "dm-1", "/dev/mapper/md0", "/mapper/one", "/dev/dm-1/mapper/dm-2", "/dev/loop1"
} ;
static char const *const types[] = { "ext4", "btrfs", "tmpfs", "nfs4", "overlay", "" } ;
static char const *const dirs[] = { "/", "/a", "/proc/7/root/b" } ;

#define ONE_OF(list, in) (list)[byte(in) % (sizeof (list) / sizeof *(list))]

static uint64_t number (struct input *in)
{
  unsigned int const b = byte(in) ;
  return (uint64_t)(b >> 5) << 32 | (b & 31) ;
}

static int append_number (genalloc *g, uint64_t u)
{
  return genalloc_append(uint64_t, g, &u) ;
}

 /* --- what the plan is made of --- */

struct world
{
  s4_blocks blocks ;
  s4_mount mounts[MOUNTS_MAX] ;
  s4_mounts ms ;
  genalloc swaps, loops, hung ;
} ;

static unsigned int count (struct world const *w)
{
  return s4_blocks_count(&w->blocks) ;
}

static s4_block const *block (struct world const *w, unsigned int i)
{
  return s4_block_at(&w->blocks, i) ;
}

static void add_part (struct world *w, unsigned int of, uint64_t device, char const *name)
{
  s4_blockpart const part = { .of = of, .device = device, .name = name } ;
  must(genalloc_append(s4_blockpart, &w->blocks.parts, &part)) ;
}

 /* Each name once, as in a directory. */

static void add_blocks (struct world *w, struct input *in)
{
  unsigned int const n = byte(in) % (BLOCKS_MAX + 1) ;
  for (unsigned int i = 0 ; i < n ; i++)
  {
    unsigned int const flags = byte(in) ;
    s4_block b = { .kind = (enum s4_blockkind_e)(S4_BLOCK_DM + i / 8), .name = names[i], .device = number(in),
      .what = ONE_OF(whats, in), .suspended = flags % 8 == 1, .container = flags % 16 == 2, .external = flags >> 7 } ;
    if (b.kind == S4_BLOCK_DM && !strchr(b.what, ' ')) b.what = "dm x" ;
    if (b.kind == S4_BLOCK_DM) b.mapped = strchr(b.what, ' ') + 1 ;
    must(genalloc_append(s4_block, &w->blocks.list, &b)) ;
    add_part(w, i, b.device, b.name) ;
    if (flags >> 6 == 1) add_part(w, i, number(in), ONE_OF(partnames, in)) ;
  }
}

static void add_holders (struct world *w, struct input *in)
{
  unsigned int const n = byte(in) % 64 ;
  for (unsigned int k = 0 ; k < n && count(w) ; k++)
  {
    s4_blockholder const h = { .of = byte(in) % count(w), .name = ONE_OF(names, in) } ;
    must(genalloc_append(s4_blockholder, &w->blocks.holders, &h)) ;
  }
}

static void add_mounts (struct world *w, struct input *in)
{
  unsigned int const n = byte(in) % (MOUNTS_MAX + 1), others = byte(in) % 4 ;
  for (unsigned int k = 0 ; k < n ; k++)
  {
    uint64_t const device = number(in) ;
    w->mounts[k] = (s4_mount){ .id = k + 1, .major = (unsigned int)(device >> 32), .minor = (unsigned int)device,
      .root = "/", .dir = ONE_OF(dirs, in), .type = ONE_OF(types, in), .source = ONE_OF(places, in),
      .superoptions = "rw" } ;
  }
  w->ms = (s4_mounts){ .m = w->mounts, .n = n, .nown = n } ;
  for (unsigned int k = 0, u = 0 ; k < others ; k++)
  {
    u += byte(in) ;   /* sorted */
    must(append_number(&w->ms.devices, (uint64_t)(u >> 5) << 32 | (u & 31))) ;
  }
}

static void add_swaps (struct world *w, struct input *in)
{
  unsigned int const n = byte(in) % 4 ;
  for (unsigned int k = 0 ; k < n ; k++)
  {
    s4_swap const sw = { .path = ONE_OF(places, in), .isfile = byte(in) & 1 } ;
    must(genalloc_append(s4_swap, &w->swaps, &sw)) ;
  }
}

static void add_loops (struct world *w, struct input *in)
{
  unsigned int const n = byte(in) % 16 ;
  for (unsigned int k = 0 ; k < n ; k++)
  {
    unsigned int const b = byte(in) ;
    s4_loop x = { .name = "/dev/loop0", .device = number(in), .backing = S4_NODEVICE, .raw = S4_NODEVICE } ;
    if (b & 7) x.raw = number(in) ;
    if (b & 8 && count(w)) x.device = block(w, b % count(w))->device ;
    if (b & 16 && count(w)) x.raw = block(w, byte(in) % count(w))->device ;
    must(genalloc_append(s4_loop, &w->loops, &x)) ;
  }
}

static void add_hung (struct world *w, struct input *in)
{
  unsigned int const n = byte(in) % 4 ;
  for (unsigned int k = 0 ; k < n ; k++) must(append_number(&w->hung, number(in))) ;
}

static void world_free (struct world *w)
{
  genalloc_free(s4_block, &w->blocks.list) ;
  genalloc_free(s4_blockpart, &w->blocks.parts) ;
  genalloc_free(s4_blockholder, &w->blocks.holders) ;
  genalloc_free(uint64_t, &w->ms.devices) ;
  genalloc_free(s4_swap, &w->swaps) ;
  genalloc_free(s4_loop, &w->loops) ;
  genalloc_free(uint64_t, &w->hung) ;
}

 /* --- what lies on what, counted once more --- */

struct relation
{
  uint32_t above[BLOCKS_MAX] ;   /* of each device: those made of it, at first; then all that stand on it */
  uint32_t direct[BLOCKS_MAX] ;
  uint32_t foreign ;             /* held by others */
} ;

static uint32_t bit (unsigned int i)
{
  return UINT32_C(1) << i ;
}

static unsigned int index_of (struct world const *w, char const *name)
{
  unsigned int i = 0 ;
  while (i < count(w) && strcmp(block(w, i)->name, name)) i++ ;
  return i ;
}

static void relate_loops (struct relation *r, struct world const *w)
{
  for (size_t k = 0 ; k < genalloc_len(s4_loop, &w->loops) ; k++)
  {
    s4_loop const *x = genalloc_s(s4_loop, &w->loops) + k ;
    s4_blockpart const *part = genalloc_s(s4_blockpart, &w->blocks.parts) ;
    unsigned int i = 0 ;
    while (i < count(w) && block(w, i)->device != x->device) i++ ;
    if (i == count(w)) continue ;
    for (size_t p = 0 ; p < genalloc_len(s4_blockpart, &w->blocks.parts) ; p++)
      if (part[p].device == x->raw) r->direct[part[p].of] |= bit(i) ;
  }
}

static void relate (struct relation *r, struct world const *w)
{
  unsigned int const n = count(w) ;
  *r = (struct relation){ .foreign = 0 } ;
  for (size_t k = 0 ; k < genalloc_len(s4_blockholder, &w->blocks.holders) ; k++)
  {
    s4_blockholder const *h = genalloc_s(s4_blockholder, &w->blocks.holders) + k ;
    unsigned int const i = index_of(w, h->name) ;
    if (i < n) r->direct[h->of] |= bit(i) ;
    else r->foreign |= bit(h->of) ;
  }
  relate_loops(r, w) ;
  memcpy(r->above, r->direct, sizeof r->above) ;
  for (unsigned int k = 0 ; k < n ; k++)
    for (unsigned int i = 0 ; i < n ; i++) if (r->above[i] & bit(k)) r->above[i] |= r->above[k] ;
}

 /* --- what must hold --- */

static int is_mounted (struct world const *w, uint64_t device)
{
  for (unsigned int k = 0 ; k < w->ms.n ; k++)
    if (w->mounts[k].major && s4_mount_device(w->mounts + k) == device) return 1 ;
  return s4_has_device(&w->ms.devices, device) ;
}

static int was_given_up (struct world const *w, uint64_t device)
{
  for (size_t k = 0 ; k < genalloc_len(uint64_t, &w->hung) ; k++)
    if (genalloc_s(uint64_t, &w->hung)[k] == device) return 1 ;
  return 0 ;
}

 /* by its name for the kernel */
static int is_swap (struct world const *w, char const *name)
{
  for (size_t k = 0 ; k < genalloc_len(s4_swap, &w->swaps) ; k++)
  {
    s4_swap const *sw = genalloc_s(s4_swap, &w->swaps) + k ;
    if (!sw->isfile && !strncmp(sw->path, "/dev/", 5) && !strcmp(sw->path + 5, name)) return 1 ;
  }
  return 0 ;
}

static uint32_t staying (s4_detachplan const *p, unsigned int n)
{
  uint32_t set = 0 ;
  for (unsigned int i = 0 ; i < n ; i++) if (p->verdict[i] != S4_DETACHES) set |= bit(i) ;
  return set ;
}

 /* A pointer that is one of the input's, not one that only says the same. */

static int says_why (struct world const *w, s4_detachplan const *p, struct relation const *r, unsigned int i)
{
  char const *because = p->because[i] ;
  int found = 0 ;
  switch ((enum s4_detach_e)p->verdict[i])
  {
    case S4_DETACHES : return !because ;
    case S4_IS_MOUNTED :
      for (unsigned int k = 0 ; k < w->ms.n ; k++) found |= because == w->mounts[k].dir ;
      return found || (!because && genalloc_len(uint64_t, &w->ms.devices)) ;
    case S4_IS_SWAP :
      for (size_t k = 0 ; k < genalloc_len(s4_swap, &w->swaps) ; k++)
        found |= because == genalloc_s(s4_swap, &w->swaps)[k].path && !genalloc_s(s4_swap, &w->swaps)[k].isfile ;
      return found ;
    case S4_IS_HELD :
      if (!because) return 0 ;
      if (index_of(w, because) == count(w)) return !!(r->foreign & bit(i)) ;
      return !!(r->direct[i] & staying(p, count(w)) & bit(index_of(w, because))) ;
    case S4_IS_SUSPENDED : return block(w, i)->suspended && !because ;
    case S4_IS_CONTAINER : return block(w, i)->container && !because ;
    case S4_IS_HUNG : return was_given_up(w, block(w, i)->device) && !because ;
  }
  return 0 ;
}

static void check_verdicts (struct world const *w, s4_detachplan const *p, struct relation const *r)
{
  unsigned int const n = count(w) ;
  uint32_t const stays = staying(p, n) ;
  uint32_t suspended = 0 ;
  for (unsigned int i = 0 ; i < n ; i++) if (block(w, i)->suspended) suspended |= bit(i) ;
  for (unsigned int i = 0 ; i < n ; i++)
  {
    must(says_why(w, p, r, i)) ;
    if (r->direct[i] & stays) must(stays & bit(i)) ;
    if ((suspended | r->foreign) & bit(i)) must(stays & bit(i)) ;
    if (block(w, i)->container || was_given_up(w, block(w, i)->device)) must(stays & bit(i)) ;
  }
  for (unsigned int i = 0 ; i < n ; i++)   /* stuck is what stands on a suspended one, and nothing else */
  {
    int on_one = 0 ;
    for (unsigned int k = 0 ; k < n ; k++) on_one |= suspended & bit(k) && r->above[k] & bit(i) ;
    must(!!p->stuck[i] == on_one) ;
  }
  for (size_t k = 0 ; k < genalloc_len(s4_blockpart, &w->blocks.parts) ; k++)
  {
    s4_blockpart const *part = genalloc_s(s4_blockpart, &w->blocks.parts) + k ;
    if (is_mounted(w, part->device)) must(p->verdict[part->of] == S4_IS_MOUNTED || p->verdict[part->of] == S4_IS_SWAP) ;
    if (is_swap(w, part->name)) must(p->verdict[part->of] == S4_IS_SWAP || p->verdict[part->of] == S4_IS_MOUNTED) ;
  }
}

static void check_order (s4_detachplan const *p, struct relation const *r, unsigned int n)
{
  unsigned int place[BLOCKS_MAX] ;
  uint32_t seen = 0 ;
  for (unsigned int k = 0 ; k < p->n ; k++)
  {
    must(p->order[k] < n && !(seen & bit(p->order[k]))) ;
    seen |= bit(p->order[k]) ;
    place[p->order[k]] = k ;
  }
  must((seen ^ staying(p, n)) == bit(n) - 1) ;
  for (unsigned int i = 0 ; i < n ; i++)
    for (unsigned int j = 0 ; j < n ; j++)
      if (seen & bit(i) && r->direct[i] & bit(j) && !(r->above[j] & bit(i))) must(place[j] < place[i]) ;
}

static void check_needs (s4_detachplan const *p, struct relation const *r, unsigned int n)
{
  for (unsigned int i = 0 ; i < n ; i++)
  {
    uint32_t set = 0 ;
    must(p->needs_at[i] <= p->needs_at[i+1]) ;
    for (unsigned int k = p->needs_at[i] ; k < p->needs_at[i+1] ; k++)
    {
      must(p->needs[k] < n) ;
      set |= bit(p->needs[k]) ;
    }
    must(set == r->direct[i]) ;
  }
}

int LLVMFuzzerTestOneInput (uint8_t const *data, size_t size)
{
  struct input in = { .s = data, .left = size } ;
  struct world w = { .blocks = S4_BLOCKS_ZERO } ;
  s4_detachpolicy const policy = { .ms = &w.ms, .swaps = &w.swaps, .loops = &w.loops, .hung = &w.hung } ;
  struct relation r ;
  s4_detachplan p ;
  add_blocks(&w, &in) ;
  add_holders(&w, &in) ;
  add_mounts(&w, &in) ;
  add_swaps(&w, &in) ;
  add_loops(&w, &in) ;
  add_hung(&w, &in) ;
  relate(&r, &w) ;
  must(s4_detachplan_make(&p, &w.blocks, &policy)) ;
  check_verdicts(&w, &p, &r) ;
  check_order(&p, &r, count(&w)) ;
  check_needs(&p, &r, count(&w)) ;
  s4_detachplan_free(&p) ;
  must(!p.n && !p.order && !p.verdict) ;
  world_free(&w) ;
  return 0 ;
}
