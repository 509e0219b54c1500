/* Broker semantics for protocols: topics, produce, fetch, offsets, sessions, locks. A process that is only a name server has no
 * such table: query returns NULL.
 *
 * Handles (topic, group) stay valid while the process runs; a deleted one answers NOT_FOUND. All strings handed out live as long as
 * the process.
 */
#ifndef GANTRY_DRAFT_BROKER_H
#define GANTRY_DRAFT_BROKER_H

#include "net.h"
#include "store.h"

GANTRY_EXTERN_C_BEGIN

#define GANTRY_BROKER_ID "gantry.broker.draft/1"
#define GANTRY_SESSION_ID "gantry.session.draft/1"

typedef uint64_t gantry_topic; /* 0 is none */
typedef uint64_t gantry_group; /* 0 is none */

/* ---- what a failed request failed on: cqe.flags of a negative completion, detail of a gantry_error ------------------------- */
#define GANTRY_SUBJECT_NONE 0u
#define GANTRY_SUBJECT_TOPIC 1u
#define GANTRY_SUBJECT_GROUP 2u
#define GANTRY_SUBJECT_QUEUE 3u
#define GANTRY_SUBJECT_SUBSCRIPTION 4u
#define GANTRY_SUBJECT_BODY 5u
#define GANTRY_SUBJECT_PROPERTIES 6u
#define GANTRY_SUBJECT_BROKER 7u
#define GANTRY_SUBJECT_STORE 8u
#define GANTRY_SUBJECT_FILTER 9u

/* ---- topics ------------------------------------------------------------------------------------------------------------------ */
#define GANTRY_PERM_INHERIT 1u
#define GANTRY_PERM_WRITE 2u
#define GANTRY_PERM_READ 4u
#define GANTRY_TOPIC_ORDER 1u  /* ordered topic */
#define GANTRY_TOPIC_SYSTEM 2u /* built in; clients may not send to it */
typedef struct gantry_topic_info {
  uint32_t size, flags; /* GANTRY_TOPIC_* */
  gantry_topic topic;
  gantry_str name; /* 1..127 of [%|a-zA-Z0-9_-] */
  uint32_t perm;   /* GANTRY_PERM_* */
  uint32_t read_queues, write_queues;
  uint32_t sys_flag; /* RocketMQ's topicSysFlag */
  gantry_str attributes; /* of RocketMQ 5.x: "key=value,key=value"; for topic_upsert changes to them: "+key=value,-key" */
} gantry_topic_info;
typedef void (*gantry_topic_fn)(void *arg, const gantry_topic_info *info) GANTRY_NOEXCEPT;

typedef struct gantry_topics_version { /* RocketMQ's DataVersion of all topics */
  int64_t timestamp_ms, counter;
} gantry_topics_version;

typedef struct gantry_broker_info {
  uint32_t size, pad;
  gantry_str cluster, name;
  int64_t id;                 /* 0 = master */
  uint32_t max_message_bytes; /* body limit */
  uint32_t perm;              /* of the broker, GANTRY_PERM_* */
  uint32_t default_durability, pad2; /* GANTRY_DURABILITY_* */
} gantry_broker_info;

/* ---- produce ----------------------------------------------------------------------------------------------------------------- */
typedef struct gantry_produce { /* spans are borrowed until produce returns */
  uint64_t user_data;
  gantry_topic topic;
  int32_t queue_no; /* < 0: the broker picks */
  uint32_t flags;   /* GANTRY_PRODUCE_* */
  gantry_span body; /* 1..max_message_bytes */
  gantry_span props; /* RocketMQ's property string: key 0x01 value 0x02 ..., up to 32767 bytes */
  int64_t born_ms;
  int64_t deliver_at_ms; /* wall clock; 0 or past = now. RocketMQ's properties for it (DELAY, TIMER_*) are understood as well; a level goes first */
  uint8_t born_host[16]; /* network order */
  uint32_t born_host_bytes; /* 4 or 16 */
  uint32_t born_port;
  uint32_t msg_flag;   /* the user's flag, opaque */
  uint32_t sys_flags;  /* RocketMQ's sysFlag; host address bits are set by the broker */
  uint32_t reconsume_times;
  uint32_t durability; /* GANTRY_DURABILITY_DEFAULT or a level */
  int32_t max_reconsume_times; /* to a %RETRY% topic with at least so many reconsume_times: a dead letter; < 0: as the group says */
  uint32_t pad;
  gantry_str lead_props; /* entries that the protocol adds, each closed by 0x02, up to GANTRY_LEAD_PROPS_BYTES: stored in front of props.
                          * What the broker acts on is read from props alone */
  uint64_t reserved[5]; /* 0 */
} gantry_produce;
#define GANTRY_LEAD_PROPS_BYTES 256u
#define GANTRY_PRODUCE_BY_PRIORITY 1u /* a priority among the properties (_SYS_MSG_PRIORITY_) names the queue, instead of queue_no */

/* ---- fetch ------------------------------------------------------------------------------------------------------------------- */
#define GANTRY_FETCH_FOUND 0u
#define GANTRY_FETCH_NO_NEW 1u     /* offset is the end (or the queue is empty and offset 0) */
#define GANTRY_FETCH_NO_MATCHED 2u /* scanned, everything filtered out: go on at next_off */
#define GANTRY_FETCH_MOVED 3u      /* offset outside [min, max]: correct to next_off */
typedef struct gantry_fetch {
  uint64_t user_data;
  gantry_group group;
  gantry_topic topic;
  uint32_t queue_no;
  uint32_t max_records;
  int64_t offset;
  int64_t commit_offset; /* < 0: nothing to commit; otherwise remembered lazily, also when the fetch is parked */
  int64_t wait_ms;       /* > 0: park until something matches or this long */
  int64_t sub_version;   /* of the subscription the client means; newer than the known one: E_STALE */
  gantry_str expr_type;  /* "" or "TAG"; anything else needs a filter plugin, else E_UNSUPPORTED */
  gantry_str expr;       /* used when flags has GANTRY_FETCH_OWN_EXPR; borrowed until fetch returns */
  uint32_t max_bytes, flags;
  uint64_t reserved[3];  /* 0 */
} gantry_fetch;
#define GANTRY_FETCH_OWN_EXPR 1u /* filter by expr; otherwise by what the group's clients registered for the topic */

typedef struct gantry_fetch_result { /* cqe.aux of a fetch with status OK */
  uint32_t size, outcome; /* GANTRY_FETCH_* */
  gantry_owner *owner;    /* one release frees everything; the records' spans are covered by it */
  const gantry_record *records;
  uint32_t n, pad;
  int64_t next_off, min_off, max_off;
} gantry_fetch_result;

typedef struct gantry_lock_item {
  gantry_str topic;
  uint32_t queue_no, held; /* out: 1 when the caller holds it now */
} gantry_lock_item;

typedef struct gantry_message_query { /* spans are borrowed until message_query returns */
  uint64_t user_data;
  gantry_str topic;         /* by name; it need not exist any more */
  gantry_str key;           /* one word of KEYS, or a UNIQ_KEY */
  int64_t begin_ms, end_ms; /* store time, both included */
  uint32_t max_messages;    /* 1..1024 */
  uint32_t flags;           /* 0 */
  uint64_t reserved[2];     /* 0 */
} gantry_message_query;

typedef struct gantry_committed { /* what a group has committed in a queue */
  gantry_group group;
  gantry_topic topic;
  gantry_str group_name, topic_name;
  int64_t offset;
  uint32_t queue_no, pad;
} gantry_committed;
typedef void (*gantry_committed_fn)(void *arg, const gantry_committed *row) GANTRY_NOEXCEPT;

typedef struct gantry_send_back {
  uint64_t user_data;
  gantry_group group;
  int64_t phys_pos;            /* log position of the message */
  int32_t delay_level;         /* < 0: to the dead letters; 0: by the number of deliveries so far; otherwise this level */
  int32_t max_reconsume_times; /* deliveries after the first that make it a dead letter; < 0: as the group says */
  uint64_t reserved[4];        /* 0 */
} gantry_send_back;

/* Set in the flags of a produce's completion, beside the queue number: the message waits for its due time and can be recalled by its log position. */
#define GANTRY_PRODUCED_TIMED 0x80000000u
typedef struct gantry_recall {
  uint64_t user_data;
  gantry_str topic;    /* that it was sent to; borrowed until recall returns */
  gantry_str uniq_key; /* its UNIQ_KEY, or empty; borrowed until recall returns */
  int64_t phys_pos;    /* log position that its produce completed with */
  uint64_t reserved[3]; /* 0 */
} gantry_recall;

#define GANTRY_END_COMMIT 8u    /* numbers as in RocketMQ's sysFlag */
#define GANTRY_END_ROLLBACK 12u
typedef struct gantry_end_transaction {
  uint64_t user_data;
  gantry_str group;    /* producer group, as the half message's PGROUP says; borrowed until end_transaction returns */
  int64_t queue_off;   /* queue offset and log position that its produce completed with */
  int64_t phys_pos;
  uint32_t end, flags; /* GANTRY_END_*; 0 */
  uint64_t reserved[3]; /* 0 */
} gantry_end_transaction;

#define GANTRY_OFFSET_EXACT 1u /* offset_query: NOT_FOUND unless committed; otherwise RocketMQ's rule for new groups applies */

typedef struct gantry_broker_v1 {
  /* [thread: any] [blocking: never] [owns: caller] [phase: created] */
  void (*info)(const gantry_host *host, gantry_broker_info *out) GANTRY_NOEXCEPT;
  /* Address written into stored messages, from which clients build message ids; set once by the protocol that answers look-ups by id.
   * [thread: control] [blocking: never] [owns: copies] [phase: created] */
  void (*set_store_host)(const gantry_host *host, const uint8_t *ip, uint32_t ip_bytes, uint32_t port) GANTRY_NOEXCEPT;

  /* NOT_FOUND. [thread: any] [blocking: never] [owns: caller] [phase: started] */
  int32_t (*topic_find)(const gantry_host *host, gantry_str name, gantry_topic_info *out) GANTRY_NOEXCEPT;
  /* Finds or auto-creates by RocketMQ's rules from default_topic (must exist with the inherit permission), with min(queues, its write
   * queues). NOT_FOUND with text, INVALID (name), DENIED (system topic), NOT_WRITABLE.
   * [thread: shard] [blocking: never] [owns: caller] [phase: started] */
  int32_t (*topic_ensure)(const gantry_host *host, gantry_str name, gantry_str default_topic, int32_t queues, uint32_t sys_flag, gantry_topic_info *out, gantry_error *err) GANTRY_NOEXCEPT;
  /* Creates or changes. Shrinking keeps existing queues readable. INVALID, DENIED, LIMIT.
   * [thread: shard] [blocking: never] [owns: borrowed] [phase: started] */
  int32_t (*topic_upsert)(const gantry_host *host, const gantry_topic_info *info, gantry_error *err) GANTRY_NOEXCEPT;
  /* [thread: any] [blocking: never] [owns: borrowed during fn] [phase: started] */
  void (*topic_list)(const gantry_host *host, gantry_topic_fn fn, void *arg) GANTRY_NOEXCEPT;
  /* [thread: any] [blocking: never] [owns: caller] [phase: started] */
  void (*topics_version)(const gantry_host *host, gantry_topics_version *out) GANTRY_NOEXCEPT;

  /* Finds, or creates when create is 1 and auto-creation is on. 0 = none. [thread: shard] [blocking: never] [owns: nothing] [phase: started] */
  gantry_group (*group_find)(const gantry_host *host, gantry_str name, uint32_t create) GANTRY_NOEXCEPT;
  /* [thread: any] [blocking: never] [owns: kernel] [phase: started] */
  gantry_str (*group_name)(const gantry_host *host, gantry_group group) GANTRY_NOEXCEPT;

  /* Stores messages; in order per connection and queue. Returns the number accepted; fewer than n means E_AGAIN for the rest.
   * Completion: OK: result = queue offset, aux = log position, flags = queue number, perhaps with GANTRY_PRODUCED_TIMED. Failures: flags = GANTRY_SUBJECT_*:
   * NOT_FOUND, LIMIT/INVALID (body, properties, queue), RANGE (due too far ahead), DENIED, UNSUPPORTED, IO, NO_SPACE, NOT_WRITABLE,
   * TIMEOUT (stored, durability not confirmed). [thread: shard] [blocking: never] [owns: borrowed during the call] [phase: started] */
  int32_t (*produce)(const gantry_host *host, const gantry_produce *reqs, uint32_t n, gantry_cq cq) GANTRY_NOEXCEPT;
  /* Completion: OK: aux = gantry_fetch_result, the receiver releases its owner. Failures: flags = subject: NOT_FOUND (group, topic, subscription; FILTER: the
   * registered expression does not compile), DENIED (group, topic, broker), INVALID (queue), STALE (subscription), UNSUPPORTED, SYNTAX and LIMIT (expression), IO.
   * Same return as produce. [thread: shard] [blocking: never] [owns: borrowed during the call] [phase: started] */
  int32_t (*fetch)(const gantry_host *host, const gantry_fetch *reqs, uint32_t n, gantry_cq cq) GANTRY_NOEXCEPT;

  /* Remembers a consumer offset (lower values rewind). cq 0: lazily, written within a second. Otherwise completes when it is written at the
   * broker's durability. NOT_FOUND, INVALID. [thread: shard] [blocking: never] [owns: nothing] [phase: started] */
  int32_t (*offset_commit)(const gantry_host *host, gantry_group group, gantry_topic topic, uint32_t queue_no, int64_t offset, uint64_t user_data, gantry_cq cq) GANTRY_NOEXCEPT;
  /* NOT_FOUND: nothing committed (and the rule for new groups does not give 0). [thread: shard] [blocking: never] [owns: caller] [phase: started] */
  int32_t (*offset_query)(const gantry_host *host, gantry_group group, gantry_topic topic, uint32_t queue_no, uint32_t flags, int64_t *out) GANTRY_NOEXCEPT;

  /* NOT_FOUND for a queue never used (out is zeroed). [thread: shard] [blocking: never] [owns: caller] [phase: started] */
  int32_t (*queue_stat)(const gantry_host *host, gantry_topic topic, uint32_t queue_no, gantry_queue_stat *out) GANTRY_NOEXCEPT;
  /* Completion: result = offset as gantry_store_v1.seek_time. NOT_FOUND inline. [thread: shard] [blocking: never] [owns: nothing] [phase: started] */
  int32_t (*seek_time)(const gantry_host *host, gantry_topic topic, uint32_t queue_no, int64_t ms, uint64_t user_data, gantry_cq cq) GANTRY_NOEXCEPT;
  /* The message stored at a log position. Completion as for fetch with n = 1, or NOT_FOUND. [thread: shard] [blocking: never] [owns: nothing] [phase: started] */
  int32_t (*message_at)(const gantry_host *host, int64_t phys_pos, uint64_t user_data, gantry_cq cq) GANTRY_NOEXCEPT;

  /* Locks queues of a group for a client, for 60 s or until renewed or unlocked; sets held in each item.
   * [thread: shard] [blocking: never] [owns: borrowed] [phase: started] */
  int32_t (*queue_lock)(const gantry_host *host, gantry_str group, gantry_str client_id, gantry_lock_item *items, uint32_t n) GANTRY_NOEXCEPT;
  /* Ignores what another client holds. [thread: shard] [blocking: never] [owns: borrowed] [phase: started] */
  int32_t (*queue_unlock)(const gantry_host *host, gantry_str group, gantry_str client_id, const gantry_lock_item *items, uint32_t n) GANTRY_NOEXCEPT;
  /* Committed offsets of a group (0 = all groups) in a topic (0 = all topics), in no order. For tools: it looks through all offsets.
   * [thread: shard] [blocking: never] [owns: borrowed during fn] [phase: started] */
  void (*offset_list)(const gantry_host *host, gantry_group group, gantry_topic topic, gantry_committed_fn fn, void *arg) GANTRY_NOEXCEPT;
  /* Messages of a topic by key, newest first. Completion: OK: aux = gantry_fetch_result (n may be 0), the receiver releases its owner; IO, CANCELLED.
   * Inline: OK, INVALID, UNSUPPORTED (the store has no look-up by key). [thread: shard] [blocking: never] [owns: borrowed] [phase: started] */
  int32_t (*message_query)(const gantry_host *host, const gantry_message_query *query, gantry_cq cq) GANTRY_NOEXCEPT;

  /* A consumer gives a message back: it is stored again for %RETRY%group and delivered after a delay, or stored in %DLQ%group. Inline: OK, NOT_FOUND (group).
   * Completion: OK; failures: flags = subject: BODY (no message there: NOT_FOUND, INVALID, IO), TOPIC (DENIED), STORE.
   * [thread: shard] [blocking: never] [owns: borrowed] [phase: started] */
  int32_t (*send_back)(const gantry_host *host, const gantry_send_back *req, gantry_cq cq) GANTRY_NOEXCEPT;
  /* Takes back a message that waits for its due time: it will not be delivered. Inline: OK, CLOSED. Completion: OK, also when it was recalled before;
   * NOT_FOUND: no such message waits or waited there; STALE: it is delivered, or about to be; AGAIN: the broker is starting or busy; what the store refuses.
   * [thread: shard] [blocking: never] [owns: borrowed] [phase: started] */
  int32_t (*recall)(const gantry_host *host, const gantry_recall *req, gantry_cq cq) GANTRY_NOEXCEPT;
  /* Commits or rolls back a transaction. A message with the property TRAN_MSG=true is stored by produce where nobody reads it; committed it is stored once more
   * in the topic and queue that it was sent to. Inline: OK, INVALID, CLOSED. Completion: OK: result = 0, or 1 when it was ended before, one way or the other
   * (nothing is delivered a second time). Failures: flags = subject: NOT_FOUND (BODY: no half message there; TOPIC: it is for a topic or queue that is
   * gone), INVALID (GROUP: of another group; QUEUE: another queue offset), AGAIN: the broker is busy with this one, or starting; what the store refuses.
   * Whom nobody ends is asked about: GANTRY_EVENT_CHECK_TRANSACTION. [thread: shard] [blocking: never] [owns: borrowed] [phase: started] */
  int32_t (*end_transaction)(const gantry_host *host, const gantry_end_transaction *req, gantry_cq cq) GANTRY_NOEXCEPT;
} gantry_broker_v1;

/* ---- sessions ----------------------------------------------------------------------------------------------------------------- */
#define GANTRY_MODEL_BROADCASTING 0u
#define GANTRY_MODEL_CLUSTERING 1u
#define GANTRY_CONSUME_ACTIVELY 0u  /* pull */
#define GANTRY_CONSUME_PASSIVELY 1u /* push */
typedef struct gantry_subscription {
  gantry_str topic, expr_type, expr; /* expr_type "" = TAG; expr "*" or "" = everything, or "a || b" */
  int64_t version;
} gantry_subscription;
typedef struct gantry_consumer {
  gantry_str group;
  const gantry_subscription *subscriptions;
  uint32_t n_subscriptions;
  uint32_t consume_type, model, consume_from; /* consume_from: RocketMQ's ordinal 0 LAST, 4 FIRST, 5 TIMESTAMP */
} gantry_consumer;
typedef struct gantry_heartbeat { /* all borrowed during the call */
  uint32_t size, language; /* language: RocketMQ's code */
  gantry_conn conn;
  gantry_str client_id, peer;
  const gantry_str *producer_groups;
  const gantry_consumer *consumers;
  uint32_t n_producer_groups, n_consumers;
  int32_t version; /* RocketMQ's client version number */
  uint32_t pad;
} gantry_heartbeat;
typedef void (*gantry_client_fn)(void *arg, gantry_str client_id) GANTRY_NOEXCEPT;
typedef void (*gantry_consumer_fn)(void *arg, const gantry_consumer *group) GANTRY_NOEXCEPT;
typedef struct gantry_member { /* a client's connection in a group, as its last heartbeat said */
  gantry_conn conn;
  gantry_str group, client_id, peer;
  int64_t seen_ms; /* wall clock of the last heartbeat */
  uint32_t shard, language; /* shard: the connection's */
  int32_t version;
  uint32_t pad;
} gantry_member;
typedef void (*gantry_member_fn)(void *arg, const gantry_member *member) GANTRY_NOEXCEPT;

typedef struct gantry_session_v1 {
  /* Registers or renews a client on a connection; makes groups and their %RETRY% topics. An expression that does not compile is accepted; fetches by it are
   * refused. Members of a group whose membership or
   * topics changed get GANTRY_EVENT_CONSUMERS_CHANGED, the new one included. A client silent for 120 s is dropped.
   * [thread: shard, the connection's] [blocking: never] [owns: copies] [phase: started] */
  int32_t (*heartbeat)(const gantry_host *host, const gantry_heartbeat *hb, gantry_error *err) GANTRY_NOEXCEPT;
  /* Empty group = none of that kind. [thread: shard] [blocking: never] [owns: borrowed] [phase: started] */
  void (*unregister)(const gantry_host *host, gantry_conn conn, gantry_str client_id, gantry_str producer_group, gantry_str consumer_group) GANTRY_NOEXCEPT;
  /* Forgets everything registered on the connection; call from conn_close. [thread: shard] [blocking: never] [owns: nothing] [phase: started] */
  void (*conn_closed)(const gantry_host *host, gantry_conn conn) GANTRY_NOEXCEPT;
  /* Each member once. NOT_FOUND when the group has no member. [thread: shard] [blocking: never] [owns: borrowed during fn] [phase: started] */
  int32_t (*consumers)(const gantry_host *host, gantry_str group, gantry_client_fn fn, void *arg) GANTRY_NOEXCEPT;
  /* What the members of a consumer group registered (`about`), then each member's connection (`each`); with an empty name all groups that have
   * members, one after the other. Either function may be NULL. NOT_FOUND when there is no member.
   * [thread: shard] [blocking: never] [owns: borrowed during the functions] [phase: started] */
  int32_t (*consumer_group)(const gantry_host *host, gantry_str group, gantry_consumer_fn about, gantry_member_fn each, void *arg) GANTRY_NOEXCEPT;
  /* Connections of a producer group; with an empty name those of all groups, group by group. NOT_FOUND when there is none.
   * [thread: shard] [blocking: never] [owns: borrowed during fn] [phase: started] */
  int32_t (*producer_group)(const gantry_host *host, gantry_str group, gantry_member_fn fn, void *arg) GANTRY_NOEXCEPT;
  /* Whether messages can be filtered by an expression. OK, also for any tag expression; UNSUPPORTED: no filter plugin for its type; SYNTAX and LIMIT with text.
   * [thread: shard] [blocking: never] [owns: borrowed] [phase: started] */
  int32_t (*check_filter)(const gantry_host *host, gantry_str expr_type, gantry_str expr, gantry_error *err) GANTRY_NOEXCEPT;
} gantry_session_v1;

GANTRY_STATIC_ASSERT(sizeof(gantry_produce) == 192, "layout");
GANTRY_STATIC_ASSERT(sizeof(gantry_send_back) == 64, "layout");
GANTRY_STATIC_ASSERT(sizeof(gantry_recall) == 72, "layout");
GANTRY_STATIC_ASSERT(sizeof(gantry_end_transaction) == 72, "layout");
GANTRY_STATIC_ASSERT(sizeof(gantry_fetch) == 128, "layout");
GANTRY_STATIC_ASSERT(sizeof(gantry_fetch_result) == 56, "layout");

GANTRY_EXTERN_C_END
#endif /* GANTRY_DRAFT_BROKER_H */
