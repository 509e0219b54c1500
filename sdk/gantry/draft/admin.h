/* What administrators ask of a broker: groups and their settings, deleting, queues entry by entry, statistics. Beside gantry.broker; query returns NULL where
 * there is no broker.
 */
#ifndef GANTRY_DRAFT_ADMIN_H
#define GANTRY_DRAFT_ADMIN_H

#include "broker.h"

GANTRY_EXTERN_C_BEGIN

#define GANTRY_ADMIN_ID "gantry.admin.draft/1"

/* ---- groups: RocketMQ's SubscriptionGroupConfig -------------------------------------------------------------------------------- */
#define GANTRY_GROUP_CONSUME 1u   /* may consume */
#define GANTRY_GROUP_BROADCAST 2u /* may consume broadcasting */
#define GANTRY_GROUP_NOTIFY 4u    /* members are told when one comes or goes */
#define GANTRY_GROUP_FROM_MIN 8u  /* kept for tools; means nothing here, as in RocketMQ's brokers */
#define GANTRY_GROUP_ORDERLY 16u  /* kept for tools and proxies */
#define GANTRY_GROUP_DEFAULT_FLAGS (GANTRY_GROUP_CONSUME | GANTRY_GROUP_BROADCAST | GANTRY_GROUP_NOTIFY | GANTRY_GROUP_FROM_MIN)
typedef struct gantry_group_settings {
  uint32_t size, flags;     /* GANTRY_GROUP_* */
  gantry_str name;          /* 1..255 of [%|a-zA-Z0-9_-] */
  uint32_t retry_queues;    /* of a %RETRY% topic that is made from now on, up to 65536; 0: what is given back is dropped */
  uint32_t retry_max_times; /* deliveries after the first, before a message becomes a dead letter */
  int64_t broker_id, slow_broker_id; /* kept for tools */
  uint32_t sys_flag;        /* kept for tools */
  uint32_t consume_timeout_min; /* kept for tools */
} gantry_group_settings;
typedef void (*gantry_group_fn)(void *arg, const gantry_group_settings *group) GANTRY_NOEXCEPT;

/* ---- queues -------------------------------------------------------------------------------------------------------------------- */
typedef struct gantry_queue_read {
  uint64_t user_data;
  gantry_topic topic;
  int64_t offset;
  uint32_t queue_no;
  uint32_t max_records; /* 1..1024 */
  uint32_t max_bytes;   /* up to 16 MiB; the first record always fits */
  uint32_t flags;       /* 0 or GANTRY_READ_INDEX_ONLY */
} gantry_queue_read;

/* ---- statistics ---------------------------------------------------------------------------------------------------------------- */
#define GANTRY_STAT_TOPIC_PUT 0u /* messages stored in a topic */
#define GANTRY_STAT_GROUP_GET 1u /* messages handed to a group from a topic */
#define GANTRY_STAT_BROKER_PUT 2u
#define GANTRY_STAT_BROKER_GET 3u
typedef struct gantry_stat_span { /* what came within a time */
  int64_t messages, bytes, span_ms; /* span_ms 0: not observed yet */
} gantry_stat_span;
typedef struct gantry_stat {
  uint32_t size, pad;
  int64_t messages, bytes;            /* since the process started */
  gantry_stat_span minute, hour, day; /* sampled every 10 s, 10 min, 1 h: the newest minute, hour and day, or what there is of them */
} gantry_stat;

typedef struct gantry_broker_runtime {
  uint32_t size, pad;
  int64_t boot_ms;             /* wall clock */
  int64_t put_messages, put_bytes, get_messages; /* since the process started */
  int64_t put_yesterday_morning, put_today_morning, get_yesterday_morning, get_today_morning; /* totals at midnight, local time; 0 before the first one */
  double put_per_s[3], get_per_s[3];             /* of the newest 10 s, 1 min, 10 min */
  int64_t log_begin_pos, log_end_pos, durable_pos;
  uint64_t bytes_on_disk, free_bytes;
  uint64_t disk_bytes;        /* as in gantry_store_stats, as the following */
  uint64_t write_bytes_per_s;
  int64_t full_in_ms;
  uint32_t space, pad2;
  uint64_t dropped_unconsumed;
  uint64_t bad_records;       /* damaged records met, by reads and at the start */
  uint64_t scrub_done_bytes, scrub_total_bytes;
  int64_t scrub_last_ms;
  uint64_t scrub_bad_records;
} gantry_broker_runtime;

typedef struct gantry_broker_settings { /* [broker] and [store] ack of broker.toml; strings live as long as the process */
  uint32_t size, auto_create_topics, auto_create_groups, default_topic_queues;
  gantry_str delay_levels; /* "1s 5s 10s" */
  int64_t max_timer_delay_ms, transaction_timeout_ms, transaction_check_interval_ms;
  uint32_t transaction_check_max, pad;
  int64_t retention_ms; /* age from which messages may be dropped; 0: never, < 0: the store has no such setting */
} gantry_broker_settings;

typedef struct gantry_admin_v1 {
  /* Completion when every change that was accepted before, of topics too, survives what an acknowledged message survives: OK; what the store failed with.
   * Inline: OK, CLOSED. [thread: shard] [blocking: never] [owns: nothing] [phase: started] */
  int32_t (*settle)(const gantry_host *host, uint64_t user_data, gantry_cq cq) GANTRY_NOEXCEPT;
  /* Deletes a topic: its name, queues and messages, what groups have committed in it and popped from it, and their pop retry topics. Who waits for its
   * messages is answered NOT_FOUND. A topic of that name made later is a new one. An unknown name is OK.
   * Inline: OK; DENIED (built in), NOT_WRITABLE, CLOSED. AGAIN, NO_SPACE: nothing changed. Completion when it survives what an acknowledged message survives:
   * OK; what the store failed with: the topic is gone, but may be back after a restart.
   * [thread: shard] [blocking: never] [owns: copies] [phase: started] */
  int32_t (*topic_delete)(const gantry_host *host, gantry_str name, uint64_t user_data, gantry_cq cq, gantry_error *err) GANTRY_NOEXCEPT;
  /* NOT_FOUND. [thread: shard] [blocking: never] [owns: caller] [phase: started] */
  int32_t (*group_settings)(const gantry_host *host, gantry_str name, gantry_group_settings *out) GANTRY_NOEXCEPT;
  /* Makes a group or changes it. Inline: OK; INVALID (name), LIMIT (retry queues), AGAIN, NOT_WRITABLE, NO_SPACE, CLOSED: nothing changed. Completion as above; cq 0: none wanted.
   * [thread: shard] [blocking: never] [owns: copies] [phase: started] */
  int32_t (*group_upsert)(const gantry_host *host, const gantry_group_settings *settings, uint64_t user_data, gantry_cq cq, gantry_error *err) GANTRY_NOEXCEPT;
  /* Deletes a group and what it has popped; with drop_offsets also what it has committed and its pop retry topics. An unknown name is OK.
   * Inline and completion as topic_delete. [thread: shard] [blocking: never] [owns: copies] [phase: started] */
  int32_t (*group_delete)(const gantry_host *host, gantry_str name, uint32_t drop_offsets, uint64_t user_data, gantry_cq cq, gantry_error *err) GANTRY_NOEXCEPT;
  /* [thread: shard] [blocking: never] [owns: borrowed during fn] [phase: started] */
  void (*group_list)(const gantry_host *host, gantry_group_fn fn, void *arg) GANTRY_NOEXCEPT;
  /* RocketMQ's DataVersion of all groups. [thread: shard] [blocking: never] [owns: caller] [phase: started] */
  void (*groups_version)(const gantry_host *host, gantry_topics_version *out) GANTRY_NOEXCEPT;
  /* Records of a queue whoever they are for. Completion: OK: aux = gantry_fetch_result (outcome FOUND, n may be 0), the receiver releases its owner; NOT_FOUND
   * (deleted meanwhile), IO, CORRUPT, CANCELLED. Inline: OK; NOT_FOUND (topic, or a queue never used), INVALID.
   * [thread: shard] [blocking: never] [owns: borrowed] [phase: started] */
  int32_t (*queue_read)(const gantry_host *host, const gantry_queue_read *req, gantry_cq cq) GANTRY_NOEXCEPT;
  /* NOT_FOUND: nothing was counted under these names. `topic` for TOPIC_PUT, both for GROUP_GET.
   * [thread: shard] [blocking: never] [owns: caller] [phase: started] */
  int32_t (*stat)(const gantry_host *host, uint32_t kind, gantry_str topic, gantry_str group, gantry_stat *out) GANTRY_NOEXCEPT;
  /* [thread: shard] [blocking: never] [owns: caller] [phase: started] */
  void (*runtime)(const gantry_host *host, gantry_broker_runtime *out) GANTRY_NOEXCEPT;
  /* [thread: any] [blocking: never] [owns: kernel] [phase: created] */
  void (*settings)(const gantry_host *host, gantry_broker_settings *out) GANTRY_NOEXCEPT;
  /* Why messages are refused with NO_SPACE at the moment, as gantry_store_v1.refusal. [thread: any] [blocking: never] [owns: caller] [phase: started] */
  uint32_t (*refusal)(const gantry_host *host, char *out, uint32_t bytes) GANTRY_NOEXCEPT;
} gantry_admin_v1;

GANTRY_STATIC_ASSERT(sizeof(gantry_group_settings) == 56, "layout");
GANTRY_STATIC_ASSERT(sizeof(gantry_queue_read) == 40, "layout");
GANTRY_STATIC_ASSERT(sizeof(gantry_stat) == 96, "layout");

GANTRY_EXTERN_C_END
#endif /* GANTRY_DRAFT_ADMIN_H */
