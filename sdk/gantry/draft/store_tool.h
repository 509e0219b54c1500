/* Interface of a store plugin's tools: what the files of a store that nobody has open say, for `gantry store verify|dump|repair`. A component of its own beside
 * the store's, so that it needs neither shards nor a broker.
 */
#ifndef GANTRY_DRAFT_STORE_TOOL_H
#define GANTRY_DRAFT_STORE_TOOL_H

#include "host.h"

GANTRY_EXTERN_C_BEGIN

#define GANTRY_STORE_TOOL_ID "gantry.store-tool.draft/1"

#define GANTRY_TOOL_VERIFY 1u /* every checksum of every file; changes nothing */
#define GANTRY_TOOL_DUMP 2u   /* records, index entries or rows; changes nothing */
#define GANTRY_TOOL_REPAIR 3u /* verifies, and says what it would do about each finding; does it with GANTRY_TOOL_APPLY */

#define GANTRY_TOOL_APPLY 1u
#define GANTRY_DUMP_RECORDS 1u
#define GANTRY_DUMP_ENTRIES 2u
#define GANTRY_DUMP_ROWS 4u
typedef struct gantry_store_tool_request {
  uint32_t size, action; /* GANTRY_TOOL_VERIFY ... */
  gantry_str data_dir;   /* exists; no broker has it open and none opens it meanwhile: the kernel holds its lock file */
  uint32_t flags;        /* GANTRY_TOOL_APPLY */
  uint32_t dump;         /* GANTRY_DUMP_* */
  /* What to dump of records and entries; rows are dumped whole. */
  gantry_str topic;      /* empty: all */
  int64_t queue_no;      /* -1: all */
  int64_t begin_off, end_off; /* queue offsets begin_off <= o < end_off */
} gantry_store_tool_request;

#define GANTRY_FINDING_NOTE 0u    /* nothing is wrong, or it is known already */
#define GANTRY_FINDING_DAMAGED 1u /* wrong, but nothing is lost with it: it can be made again from what else there is */
#define GANTRY_FINDING_LOST 2u    /* records or rows cannot be read any more */
typedef struct gantry_store_finding {
  uint32_t size, severity;
  gantry_str file;   /* path */
  int64_t position;  /* byte in the file; -1: all of it */
  uint64_t bytes;
  gantry_str topic;  /* of what is damaged; empty: no queue, or not known */
  int64_t queue_no;  /* -1 likewise */
  int64_t begin_off, end_off; /* queue offsets; both -1 likewise */
  gantry_str text;   /* what is wrong */
  gantry_str remedy; /* what repair does about it, did, or cannot do */
} gantry_store_finding;

#define GANTRY_ITEM_BAD 1u     /* its checksum is wrong */
#define GANTRY_ITEM_REFERS 2u  /* its body is that of an earlier record */
#define GANTRY_ITEM_DROPPED 4u /* its queue does not exist any more */
typedef struct gantry_store_item {
  uint32_t size, kind; /* one GANTRY_DUMP_* */
  gantry_str topic;    /* empty: not known */
  int64_t queue_no, offset;
  int64_t position;    /* of a record: log position */
  int64_t store_ms, tag;
  uint32_t bytes, flags; /* bytes: stored; flags: GANTRY_ITEM_* */
  const uint64_t *key_hashes;
  uint32_t n_keys, pad;
  gantry_str key, value; /* of a row */
} gantry_store_item;

/* All borrowed during the call. Answers OK, or CANCELLED to stop. [thread: control] [blocking: may] [owns: caller] [phase: started] */
typedef struct gantry_store_tool_sink {
  void *self;
  int32_t (*progress)(void *self, gantry_str what, uint64_t done_bytes, uint64_t total_bytes) GANTRY_NOEXCEPT;
  int32_t (*finding)(void *self, const gantry_store_finding *finding) GANTRY_NOEXCEPT;
  int32_t (*item)(void *self, const gantry_store_item *item) GANTRY_NOEXCEPT;
} gantry_store_tool_sink;

typedef struct gantry_store_tool_summary {
  uint32_t size, pad;
  uint64_t files, bytes, records, queues, rows;  /* looked at; rows as of the end */
  uint64_t notes, damaged, lost;                 /* findings by severity */
  uint64_t records_lost;                         /* as far as they can be counted */
  uint64_t repaired;                             /* with GANTRY_TOOL_APPLY: findings that are gone now */
} gantry_store_tool_summary;

typedef struct gantry_store_tool_v1 {
  /* OK: all was looked at, whatever was found. NOT_FOUND: no store there; UNSUPPORTED: of a format this build does not know; IO, NO_SPACE, CANCELLED, INVALID.
   * [thread: control] [blocking: may] [owns: borrowed during the call] [phase: started] */
  int32_t (*run)(void *self, const gantry_store_tool_request *request, const gantry_store_tool_sink *sink, gantry_store_tool_summary *out,
                 gantry_error *err) GANTRY_NOEXCEPT;
} gantry_store_tool_v1;

GANTRY_STATIC_ASSERT(sizeof(gantry_store_tool_request) == 72, "layout");
GANTRY_STATIC_ASSERT(sizeof(gantry_store_finding) == 112, "layout");
GANTRY_STATIC_ASSERT(sizeof(gantry_store_item) == 120, "layout");

GANTRY_EXTERN_C_END
#endif /* GANTRY_DRAFT_STORE_TOOL_H */
