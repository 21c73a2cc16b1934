/* ISC license. */

/* The block devices that are made of others, or of files, and so can be taken down: what /sys says of them. */

#include <errno.h>
#include <string.h>

#include <skalibs/genalloc.h>
#include <skalibs/stralloc.h>

#include "stage4.h"

struct look
{
  s4_blocks *blocks ;
  unsigned int of ;     /* index of the device that is looked at */
} ;

static int read_of (char const *name, char const *file, stralloc *text)
{
  return s4_sys_read_at(text, "/sys/block/", name, file) ;
}

 /* Not if it isn't there; but what can't be read for another reason counts as there. */

static int has (char const *name, char const *file, stralloc *text)
{
  return read_of(name, file, text) || (errno != ENOENT && errno != ENODEV && errno != ENXIO) ;
}

 /* A number that md has given up is there until the last one closes it: its state is "clear" then. */

enum s4_blockkind_e s4_block_kind (char const *name)
{
  static stralloc text = STRALLOC_ZERO ;
  if (!strncmp(name, "dm-", 3)) return has(name, "/dm/name", &text) ? S4_BLOCK_DM : S4_NO_BLOCK ;
  if (!strncmp(name, "loop", 4)) return has(name, "/loop/backing_file", &text) ? S4_BLOCK_LOOP : S4_NO_BLOCK ;
  if (strncmp(name, "md", 2) || !has(name, "/md/array_state", &text)) return S4_NO_BLOCK ;
  return text.len && !strcmp(text.s, "clear") ? S4_NO_BLOCK : S4_BLOCK_MD ;
}

 /* --- each kind --- */

 /* Who makes a dm device puts his own name before the uuid: CRYPT-LUKS2-..., LVM-..., mpath-... */

static void look_at_dm (s4_block *b)
{
  stralloc name = STRALLOC_ZERO, uuid = STRALLOC_ZERO ;
  int const has_uuid = read_of(b->name, "/dm/uuid", &uuid) && uuid.len ;
  if (has_uuid) uuid.s[strcspn(uuid.s, "-")] = 0 ;
  b->mapped = read_of(b->name, "/dm/name", &name) ? s4_concat(name.s) : "" ;
  b->what = s4_concat(has_uuid ? uuid.s : "dm", " ", b->mapped) ;
  b->suspended = s4_sys_says("1", "/sys/block/", b->name, "/dm/suspended") ;
  stralloc_free(&name) ;
  stralloc_free(&uuid) ;
}

 /* Of a container it is "external:imsm", of an array in it "external:/md127/0" (admin-guide/md.rst). */

static void look_at_md (s4_block *b)
{
  stralloc text = STRALLOC_ZERO ;
  b->what = read_of(b->name, "/md/level", &text) && text.len ? s4_concat(text.s) : "no level" ;
  if (read_of(b->name, "/md/metadata_version", &text) && !strncmp(text.s, "external:", 9))
  {
    b->external = 1 ;
    b->container = !strchr("/-", text.s[9]) ;
  }
  if (b->container) b->what = "container" ;
  stralloc_free(&text) ;
}

static void look_at_loop (s4_block *b)
{
  stralloc text = STRALLOC_ZERO ;
  b->what = read_of(b->name, "/loop/backing_file", &text) ? s4_concat(text.s) : "" ;
  stralloc_free(&text) ;
}

 /* --- what holds them --- */

static int note_holder (char const *name, void *data)
{
  struct look const *l = data ;
  s4_blockholder const x = { .of = l->of, .name = s4_concat(name) } ;
  return genalloc_append(s4_blockholder, &l->blocks->holders, &x) ;
}

static int note_holders (struct look *l, char const *dir, char const *name)
{
  stralloc path = STRALLOC_ZERO ;
  int const ok = s4_cat(&path, dir, name, "/holders") && s4_sys_each(path.s, &note_holder, l) == 1 ;
  stralloc_free(&path) ;
  return ok ;
}

static int note_part (struct look *l, char const *dir, char const *name, uint64_t device)
{
  s4_blockpart const x = { .of = l->of, .device = device, .name = s4_concat(name) } ;
  return genalloc_append(s4_blockpart, &l->blocks->parts, &x) && note_holders(l, dir, name) ;
}

static int note_partition (char const *dir, char const *name, uint64_t device, void *data)
{
  return note_part(data, dir, name, device) ;
}

static int note_parts (struct look *l, s4_block const *b)
{
  stralloc dir = STRALLOC_ZERO ;
  int const ok = note_part(l, "/sys/block/", b->name, b->device) && s4_cat(&dir, "/sys/block/", b->name, "/")
   && s4_dev_partitions(dir.s, &note_partition, l) == 1 ;
  stralloc_free(&dir) ;
  return ok ;
}

static int note_block (char const *name, void *data)
{
  struct look *l = data ;
  s4_block b = { .kind = s4_block_kind(name) } ;
  if (b.kind == S4_NO_BLOCK) return 1 ;
  if (!s4_sys_number("/sys/block/", name, &b.device)) b.device = S4_NODEVICE ;   /* it stays, and is named */
  b.name = s4_concat(name) ;
  switch (b.kind)
  {
    case S4_BLOCK_DM : look_at_dm(&b) ; break ;
    case S4_BLOCK_MD : look_at_md(&b) ; break ;
    default : look_at_loop(&b) ;
  }
  l->of = s4_blocks_count(l->blocks) ;
  return genalloc_append(s4_block, &l->blocks->list, &b) && note_parts(l, &b) ;
}

int s4_blocks_find (s4_blocks *blocks)
{
  struct look l = { .blocks = blocks } ;
  genalloc_setlen(s4_block, &blocks->list, 0) ;
  genalloc_setlen(s4_blockpart, &blocks->parts, 0) ;
  genalloc_setlen(s4_blockholder, &blocks->holders, 0) ;
  return s4_sys_each("/sys/block", &note_block, &l) == 1 ;
}

unsigned int s4_blocks_count (s4_blocks const *blocks)
{
  return (unsigned int)genalloc_len(s4_block, &blocks->list) ;
}

s4_block const *s4_block_at (s4_blocks const *blocks, unsigned int i)
{
  return genalloc_s(s4_block, &blocks->list) + i ;
}
