/* Interface of a store plugin: one log, many queues, small ordered rows ("meta") under the same crash-consistency proof.
 *
 * A store owns files, index, I/O, recovery and retention. It knows nothing of groups, retry, delay or transactions, and treats a
 * record as opaque bytes except for three fix-up positions. Records of one queue get dense queue offsets in the order in which one
 * shard submitted them. A record becomes readable when it is acknowledged at the durability it asked for, in log order.
 */
#ifndef GANTRY_DRAFT_STORE_H
#define GANTRY_DRAFT_STORE_H

#include "host.h"

GANTRY_EXTERN_C_BEGIN

#define GANTRY_STORE_ID "gantry.store.draft/1"

/* Durability levels, each stronger than the one before. */
#define GANTRY_DURABILITY_DEFAULT 0u /* what broker.toml says */
#define GANTRY_DURABILITY_MEMORY 1u  /* in the broker's memory */
#define GANTRY_DURABILITY_WRITTEN 2u /* handed to the kernel: survives kill -9 */
#define GANTRY_DURABILITY_DURABLE 3u /* flushed: survives power loss */

/* Dense handle of a queue, valid while the store is open; an index into arrays on both sides. */
typedef uint64_t gantry_queue;
#define GANTRY_NO_QUEUE 0xFFFFFFFFFFFFFFFFull
#define GANTRY_QUEUE_NORMAL 0u
#define GANTRY_QUEUE_LIGHT 1u /* one of very many; nothing is allocated ahead for it */

typedef struct gantry_link { /* a record appears in this queue under this tag code */
  gantry_queue queue;
  int64_t tag; /* Java's String.hashCode of the tag, sign-extended; 0 = none */
} gantry_link;

#define GANTRY_NO_FIX 0xFFFFu
#define GANTRY_APPEND_SETTLES 1u /* the record settles what is stored already (delivers, commits, gives up); a small one is taken on a full disk, like meta rows */
typedef struct gantry_append {
  uint64_t user_data;
  const gantry_span *spans;      /* concatenated they are the record; borrowed until append returns: the store copies */
  const gantry_link *links;      /* 1..n_links queues; borrowed until append returns */
  const uint64_t *key_hashes;    /* for lookup by key; borrowed until append returns; NULL when n_keys is 0 */
  int64_t *link_offsets;         /* out, NULL or n_links queue offsets; filled before append returns */
  int64_t store_ms;              /* wall clock; also what seek_time searches */
  uint32_t n_spans, n_links, n_keys;
  uint32_t bytes;                /* sum of the spans; 1..store limit */
  uint16_t fix_queue_off;        /* byte offset within span 0 where the store writes the queue offset of link 0, big-endian 64-bit */
  uint16_t fix_phys_off;         /* the same for the log position of the record */
  uint16_t fix_store_ms;         /* the same for store_ms */
  uint16_t pad;
  uint32_t durability;           /* GANTRY_DURABILITY_* */
  uint32_t flags;                /* 0 or GANTRY_APPEND_SETTLES */
  /* A body that is stored already: base_bytes bytes at base_skip of the record at log position base_pos stand between spans 0 and 1 of
   * this record, without being written again. `bytes` counts them. base_bytes 0 = none. The store keeps them for as long as it keeps this
   * record, also after the base itself can no longer be read; the base may itself have a base. Reads give the whole record, and their max_bytes
   * counts it. The base is readable (acknowledged) by then, else NOT_FOUND; bytes past its end are INVALID. */
  int64_t base_pos;
  uint32_t base_skip, base_bytes;
  uint64_t reserved[4];          /* 0 */
} gantry_append;

#define GANTRY_READ_ANY_TAG 1u    /* ignore `tags` */
#define GANTRY_READ_INDEX_ONLY 2u /* records without bytes (bytes.n = 0), from the index alone: offset, position, tag, store time. max_bytes is ignored; a damaged
                                   * record is skipped with STOP_BAD only when the index knows of it */
typedef struct gantry_read {
  uint64_t user_data;
  gantry_queue queue;
  int64_t offset;
  const int64_t *tags; /* accepted tag codes; borrowed until read returns */
  uint32_t n_tags;
  uint32_t max_records; /* 1..1024 */
  uint32_t max_bytes;   /* the first record always fits */
  uint32_t flags;
  uint64_t reserved[2]; /* 0 */
} gantry_read;

typedef struct gantry_record {
  gantry_span bytes; /* the record as appended, fix-ups applied; covered by the result's owner */
  int64_t queue_off;
  int64_t phys_pos;
  int64_t tag;
  int64_t store_ms; /* 0 when the store does not keep it outside the record */
} gantry_record;

#define GANTRY_STOP_END 1u   /* reached the end of the queue */
#define GANTRY_STOP_LIMIT 2u /* max_records or max_bytes, or enough entries scanned */
#define GANTRY_STOP_RANGE 3u /* offset below min or above max; n is 0 */
#define GANTRY_STOP_BAD 4u   /* a damaged record was skipped at next_off - 1; its place is counted and logged */
typedef struct gantry_read_result {
  uint32_t size, n;
  gantry_owner *owner; /* one release frees result, array and pins */
  const gantry_record *records;
  int64_t next_off, min_off, max_off; /* next_off: after the last entry scanned, matching or not */
  uint32_t stop, flags;
} gantry_read_result;

typedef struct gantry_key_query { /* newest first */
  uint64_t user_data;
  uint64_t hash;              /* one of the key_hashes of the records sought */
  int64_t begin_ms, end_ms;   /* store time, both included */
  int64_t before_pos;         /* only records before this log position; INT64_MAX = from the end of the log */
  uint32_t max_records, flags; /* 1..1024; 0 */
  uint64_t reserved[2];       /* 0 */
} gantry_key_query;

typedef struct gantry_queue_stat {
  int64_t min_off, max_off; /* readable records are min_off <= o < max_off */
  int64_t appended_off;     /* next offset to be given; >= max_off */
  int64_t first_store_ms;   /* of the oldest readable record; 0 when empty or unknown */
} gantry_queue_stat;

#define GANTRY_META_PUT 1u
#define GANTRY_META_DELETE 2u
typedef struct gantry_meta_op { /* key 1..1024 bytes, value 0..1 MiB; borrowed until meta_write returns */
  uint32_t op, pad;
  gantry_str key, value;
} gantry_meta_op;

/* How far a queue has been consumed. A store that drops old records by itself asks, so that it says when somebody still wanted them. */
typedef struct gantry_queue_name {
  gantry_str topic;
  uint32_t queue_no, pad;
} gantry_queue_name;
typedef struct gantry_consumed {
  int64_t offset;   /* every group has consumed all before it; 0 when no group is known there; INT64_MAX: nobody is to consume it */
  gantry_str group; /* the one that is furthest behind; empty: none is known there. Lives as long as the process */
} gantry_consumed;
typedef struct gantry_consumption {
  void *self;
  /* [thread: plugin] [blocking: never] [owns: borrowed during the call] [phase: started] */
  void (*consumed)(void *self, const gantry_queue_name *queues, uint32_t n, gantry_consumed *out) GANTRY_NOEXCEPT;
} gantry_consumption;

typedef struct gantry_store_open {
  uint32_t size, home_shard; /* the store submits and reaps its I/O on this shard */
  gantry_str data_dir;       /* exists, is writable, belongs to this process alone (the kernel holds a lock file) */
  uint32_t default_durability, pad;
  const gantry_consumption *consumption; /* NULL: nobody knows; else valid until stop returned */
} gantry_store_open;

/* Called during open with what was recovered, meta rows first. Borrowed during the call.
 * Both: [thread: control] [blocking: never] [owns: store] [phase: created] */
typedef struct gantry_recovery_sink {
  void *self;
  void (*on_meta)(void *self, gantry_str key, gantry_str value) GANTRY_NOEXCEPT;
  void (*on_queue)(void *self, gantry_queue queue, gantry_str topic, uint32_t queue_no, const gantry_queue_stat *stat) GANTRY_NOEXCEPT;
} gantry_recovery_sink;

#define GANTRY_SPACE_FINE 0u
#define GANTRY_SPACE_SHORT 1u    /* the log can no longer grow: what is prepared is being used up, or old records make room */
#define GANTRY_SPACE_REFUSING 2u /* appends are answered NO_SPACE */
typedef struct gantry_store_stats {
  uint64_t size; /* sizeof */
  int64_t log_begin_pos, log_end_pos, durable_pos;
  uint64_t bytes_on_disk, free_bytes;
  uint64_t segments, queues;
  uint64_t meta_rows; /* of acknowledged writes; may lag behind them for a moment, so that asking never waits for background work */
  uint64_t writes_total, flushes_total, bytes_written_total;
  uint64_t recovered_bytes_scanned, recovered_bytes_cut; /* at the last open */
  uint64_t bad_records_total;
  char engine[64]; /* "io_uring, O_DIRECT" or what it fell back to and why */
  uint64_t disk_bytes;    /* of the file system: what is in use and what is free for this user; 0 = unknown */
  uint64_t write_bytes_per_s; /* growth of the log in the newest minutes */
  int64_t full_in_ms;     /* at that rate, until no more records can be taken; 0 = not in sight */
  uint32_t space, pad;    /* GANTRY_SPACE_* */
  uint64_t dropped_unconsumed_total; /* records that retention or a full disk took before every group had consumed them */
  uint64_t scrub_done_bytes, scrub_total_bytes; /* of the present pass over stored data in the background; 0, 0: there is none */
  int64_t scrub_last_ms;  /* wall clock when the newest whole pass ended; 0 = none yet */
  uint64_t scrub_bad_records_total; /* damaged records that passes found, each pass anew */
  /* What retention would have dropped but for retain_from, when it looked last: the oldest of it, from held_begin_pos, goes when nothing before
   * held_file_end_pos is held; all of it when nothing before held_end_pos is. All 0: nothing. */
  int64_t held_begin_pos, held_file_end_pos, held_end_pos;
} gantry_store_stats;

/* `self` is the component instance. Functions that take a cq return the number of requests accepted (0..n) or a GANTRY_E_* for none;
 * each accepted request completes exactly once, never from inside the call. */
typedef struct gantry_store_v1 {
  /* Recovers and feeds the sink. IO, CORRUPT, NO_SPACE, CONFIG with text naming file and remedy.
   * [thread: control] [blocking: may] [owns: borrowed during the call] [phase: created] */
  int32_t (*open)(void *self, const gantry_store_open *args, const gantry_recovery_sink *sink, gantry_error *err) GANTRY_NOEXCEPT;
  /* Finds or makes a queue; it is durable no later than its first record. LIMIT, NOT_WRITABLE.
   * [thread: shard or control] [blocking: never] [owns: copies topic] [phase: started] */
  int32_t (*queue_open)(void *self, gantry_str topic, uint32_t queue_no, uint32_t kind, gantry_queue *out) GANTRY_NOEXCEPT;
  /* Copies the records into the log. Completion: result = log position, aux = queue offset of link 0.
   * Inline: AGAIN (buffers full: retry after the next completion; hold no read results meanwhile, the room may be theirs), NOT_WRITABLE, NO_SPACE, INVALID; with a base also UNSUPPORTED, NOT_FOUND and STALE
   * (the store would rather not refer to it: it is old, or not at hand; the next one may be taken): append the whole record instead. Completion: OK, IO, NO_SPACE, NOT_WRITABLE, CANCELLED.
   * Once an append to a queue has completed with a failure, no later one to that queue may complete with OK until the store is opened again: who reads the
   * queue relies on there being no gaps.
   * [thread: shard] [blocking: never] [owns: borrowed during the call] [phase: started] */
  int32_t (*append)(void *self, uint32_t shard, const gantry_append *reqs, uint32_t n, gantry_cq cq) GANTRY_NOEXCEPT;
  /* Request i is answered inline (inline_out[i] set, no completion) when its data is at hand, else inline_out[i] is NULL and a completion
   * follows with aux = pointer to gantry_read_result. Status OK, NOT_FOUND, IO, CORRUPT, CANCELLED.
   * [thread: shard] [blocking: never] [owns: caller releases result->owner] [phase: started] */
  int32_t (*read)(void *self, uint32_t shard, const gantry_read *reqs, uint32_t n, const gantry_read_result **inline_out, gantry_cq cq) GANTRY_NOEXCEPT;
  /* One record by log position (1 record in the result). A position where no record begins: NOT_FOUND, never a crash.
   * Inline and completion as for read. [thread: shard] [blocking: never] [owns: caller releases result->owner] [phase: started] */
  int32_t (*read_at)(void *self, uint32_t shard, int64_t phys_pos, uint64_t user_data, const gantry_read_result **inline_out, gantry_cq cq) GANTRY_NOEXCEPT;
  /* NOT_FOUND for a handle never given. [thread: any] [blocking: never] [owns: caller] [phase: started] */
  int32_t (*queue_stat)(void *self, gantry_queue queue, gantry_queue_stat *out) GANTRY_NOEXCEPT;
  /* Completion: result = first offset whose store_ms >= ms, or max_off when all are older.
   * [thread: shard] [blocking: never] [owns: nothing] [phase: started] */
  int32_t (*seek_time)(void *self, uint32_t shard, gantry_queue queue, int64_t ms, uint64_t user_data, gantry_cq cq) GANTRY_NOEXCEPT;
  /* All ops of one call hold together or not at all. One completion at the wanted durability; cq 0 = none wanted.
   * Inline: OK, AGAIN, LIMIT, NOT_WRITABLE. [thread: shard or control] [blocking: never] [owns: copies] [phase: started] */
  int32_t (*meta_write)(void *self, const gantry_meta_op *ops, uint32_t n, uint32_t durability, uint64_t user_data, gantry_cq cq) GANTRY_NOEXCEPT;
  /* Everything accepted so far becomes durable; one completion. [thread: shard] [blocking: never] [owns: nothing] [phase: started] */
  int32_t (*sync)(void *self, uint32_t shard, uint64_t user_data, gantry_cq cq) GANTRY_NOEXCEPT;
  /* Forgets the queue and its records become garbage; the handle is dead. [thread: shard or control] [blocking: never] [owns: nothing] [phase: started] */
  int32_t (*queue_drop)(void *self, gantry_queue queue) GANTRY_NOEXCEPT;
  /* Records by key, newest first. Completion: aux = gantry_read_result; queue_off and tag of its records are -1 and 0, next_off is the before_pos to go
   * on with, or -1 when nothing older matches. A page may end early when its records are big; a damaged record is left out, counted and logged, so that a
   * page may even be empty with a next_off. No record is missed, but look at each: different keys may have one hash, a store time that is not kept outside
   * the record matches any range, and records of dropped queues are found until retention takes them. IO, CANCELLED. Inline: OK, INVALID, UNSUPPORTED.
   * [thread: shard] [blocking: never] [owns: caller releases result->owner] [phase: started] */
  int32_t (*query_key)(void *self, uint32_t shard, const gantry_key_query *query, gantry_cq cq) GANTRY_NOEXCEPT;
  /* Retention leaves alone what lies at or after this log position, until told otherwise; INT64_MAX = nothing is held. After open nothing is held.
   * [thread: any] [blocking: never] [owns: nothing] [phase: created] */
  void (*retain_from)(void *self, int64_t phys_pos) GANTRY_NOEXCEPT;
  /* [thread: any] [blocking: never] [owns: caller] [phase: started] */
  void (*stats)(void *self, gantry_store_stats *out) GANTRY_NOEXCEPT;
  /* Why appends are answered NO_SPACE at the moment, for whoever sent them: what is full, who fills it, what to do. Returns the bytes written to `out`, not
   * terminated; 0: nothing is refused. [thread: any] [blocking: never] [owns: caller] [phase: started] */
  uint32_t (*refusal)(void *self, char *out, uint32_t bytes) GANTRY_NOEXCEPT;
} gantry_store_v1;

GANTRY_STATIC_ASSERT(sizeof(gantry_link) == 16, "layout");
GANTRY_STATIC_ASSERT(sizeof(gantry_append) == 128, "layout");
GANTRY_STATIC_ASSERT(sizeof(gantry_read) == 64, "layout");
GANTRY_STATIC_ASSERT(sizeof(gantry_key_query) == 64, "layout");
GANTRY_STATIC_ASSERT(sizeof(gantry_record) == 56, "layout");
GANTRY_STATIC_ASSERT(sizeof(gantry_read_result) == 56, "layout");
GANTRY_STATIC_ASSERT(sizeof(gantry_queue_stat) == 32, "layout");

GANTRY_EXTERN_C_END
#endif /* GANTRY_DRAFT_STORE_H */
