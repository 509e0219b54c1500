/* Pop consumption for protocols: messages are handed to whoever asks, invisible for a while, and come again unless they are acknowledged.
 * And queues that the broker assigns to the members of a group. A process without a broker has no such tables: query returns NULL.
 *
 * A handle of a popped message is (group, topic, queue, offset, pop time): the time tells this delivery from another one of the same message.
 */
#ifndef GANTRY_DRAFT_POP_H
#define GANTRY_DRAFT_POP_H

#include "broker.h"

GANTRY_EXTERN_C_BEGIN

#define GANTRY_POP_ID "gantry.pop.draft/1"
#define GANTRY_ASSIGNMENT_ID "gantry.assignment.draft/1"

#define GANTRY_POP_MAX_RECORDS 32u
#define GANTRY_POP_ORDERED_QUEUE 999 /* revive_queue of what was popped in order: RocketMQ's number */

#define GANTRY_POP_ORDER 1u    /* in order: a queue gives nothing until everything popped from it is acknowledged or visible again */
#define GANTRY_POP_LOOK 2u     /* only says whether there is something to pop; nothing becomes invisible */
#define GANTRY_POP_FROM_END 4u /* a group that is new to a queue begins at its newest message; otherwise at the oldest */
typedef struct gantry_pop {
  uint64_t user_data;
  gantry_group group;
  gantry_topic topic;
  int32_t queue_no;      /* < 0: any */
  uint32_t max_records;  /* 1..GANTRY_POP_MAX_RECORDS */
  int64_t invisible_ms;  /* 1..INT32_MAX; not looked at with GANTRY_POP_LOOK */
  int64_t wait_ms;       /* > 0: park until something can be popped or this long */
  gantry_str expr_type;  /* "" or "TAG"; anything else needs a filter plugin, else E_UNSUPPORTED. Borrowed until pop returns, as the next two */
  gantry_str expr;       /* "" or "*": everything */
  gantry_str attempt;    /* in order: who asks with the same text again gets the same messages again, blocked or not */
  uint32_t flags, pad;
  gantry_conn conn;      /* who waits; see cancel */
  uint64_t reserved[2];  /* 0 */
} gantry_pop;

#define GANTRY_POP_FOUND 0u
#define GANTRY_POP_NOTHING 1u /* and the wait is over */
#define GANTRY_POP_FULL 2u    /* nothing there, and too many wait already */
typedef struct gantry_pop_part { /* what one queue gave, in the order of its offsets */
  gantry_topic topic;            /* the topic asked for, or the group's retry topic for it */
  uint32_t queue_no, retry;      /* retry: 1 = of the retry topic */
  int64_t start_off;             /* where the pop began in the queue */
  uint32_t first, n;             /* its records */
  const uint32_t *deliveries;    /* in order: how often each record was delivered before; otherwise NULL */
} gantry_pop_part;
typedef struct gantry_pop_result { /* cqe.aux of a pop with status OK */
  uint32_t size, outcome;          /* GANTRY_POP_* */
  gantry_owner *owner;             /* one release frees everything; covers the records' bytes */
  const gantry_record *records;
  const gantry_pop_part *parts;
  uint32_t n, n_parts;
  int64_t pop_ms, invisible_ms;
  int64_t rest; /* messages left in the queues looked at, matching or not */
  int32_t revive_queue;
  uint32_t pad;
} gantry_pop_result;

#define GANTRY_POP_VOID 1 /* handle_status: unknown, acknowledged before or visible again: nothing was done */
typedef struct gantry_pop_handle {
  gantry_group group;
  gantry_topic topic;
  uint32_t queue_no;
  uint32_t flags; /* GANTRY_POP_ORDER */
  int64_t offset, pop_ms;
  int32_t status; /* out: OK, GANTRY_POP_VOID; in order also INVALID: not among what was popped last */
  uint32_t pad;
} gantry_pop_handle;

#define GANTRY_POP_KEEP_COUNT 1u /* the next delivery does not count as one */
typedef struct gantry_pop_change { /* how long a popped message stays invisible, from now */
  uint64_t user_data;
  gantry_pop_handle handle;
  int64_t invisible_ms;      /* in: 0..INT32_MAX; out with handle.pop_ms: the new handle */
  uint32_t flags, pad;
} gantry_pop_change;

typedef struct gantry_pop_v1 {
  /* Completion: OK: aux = gantry_pop_result, the receiver releases its owner. Failures: flags = GANTRY_SUBJECT_*: IO.
   * Inline: OK; NOT_FOUND (group, topic), DENIED (group, topic), INVALID (numbers), LIMIT (the names of topic and group are together too long for a retry
   * topic), SYNTAX, UNSUPPORTED and LIMIT (expression), with err->detail = subject; CLOSED.
   * [thread: shard] [blocking: never] [owns: borrowed during the call] [phase: started] */
  int32_t (*pop)(const gantry_host *host, const gantry_pop *req, gantry_cq cq, gantry_error *err) GANTRY_NOEXCEPT;
  /* Acknowledges n messages and sets each status. Inline: PENDING: a completion follows when that has left the process (it survives kill -9): OK, IO,
   * NO_SPACE, NOT_WRITABLE. OK: nothing had to be written. AGAIN, NOT_WRITABLE, NO_SPACE, CLOSED: acknowledged in memory, but it may come again after a crash.
   * [thread: shard] [blocking: never] [owns: borrowed] [phase: started] */
  int32_t (*ack)(const gantry_host *host, gantry_pop_handle *handles, uint32_t n, uint64_t user_data, gantry_cq cq) GANTRY_NOEXCEPT;
  /* Completion and inline as ack. With handle.status OK the old handle is void and the struct holds the new one.
   * [thread: shard] [blocking: never] [owns: borrowed] [phase: started] */
  int32_t (*change_invisible)(const gantry_host *host, gantry_pop_change *change, gantry_cq cq) GANTRY_NOEXCEPT;
  /* Ends the parked pops of a connection that is gone: CANCELLED. [thread: shard] [blocking: never] [owns: nothing] [phase: started] */
  void (*cancel)(const gantry_host *host, gantry_conn conn) GANTRY_NOEXCEPT;
  /* Pops parked for this group, topic and queue (< 0: for any). [thread: shard] [blocking: never] [owns: nothing] [phase: started] */
  uint32_t (*waiting)(const gantry_host *host, gantry_group group, gantry_topic topic, int32_t queue_no) GANTRY_NOEXCEPT;
} gantry_pop_v1;

/* ---- assignment -------------------------------------------------------------------------------------------------------------- */
#define GANTRY_MODE_UNSET 0u
#define GANTRY_MODE_PULL 1u
#define GANTRY_MODE_POP 2u
typedef struct gantry_request_mode { /* how members of a group get messages of a topic */
  uint32_t mode;                     /* GANTRY_MODE_* */
  int32_t pop_share_queues;          /* pop: each member also pops the queues of this many members after it; < 1: all pop everywhere */
} gantry_request_mode;

typedef struct gantry_broker_queues { /* what a broker has of a topic */
  gantry_str broker;
  uint32_t read_queues;
  uint32_t pad;
} gantry_broker_queues;
typedef struct gantry_assign {
  gantry_str topic, group, client_id;
  gantry_str strategy;                 /* name of an allocator: AVG, AVG_BY_CIRCLE, ... */
  const gantry_broker_queues *brokers; /* the other brokers that have the topic, in any order; this one counts as it is now */
  uint32_t n_brokers;
  uint32_t broadcasting;               /* 1: every member has every queue */
} gantry_assign;
typedef void (*gantry_assigned_fn)(void *arg, gantry_str broker, int32_t queue_no) GANTRY_NOEXCEPT; /* -1: any queue of that broker */

typedef struct gantry_assignment_v1 {
  /* UNSET when nobody set one. [thread: shard] [blocking: never] [owns: caller] [phase: started] */
  void (*request_mode)(const gantry_host *host, gantry_str topic, gantry_str group, gantry_request_mode *out) GANTRY_NOEXCEPT;
  /* Kept over restarts. OK, INVALID (mode), or what the store refuses. [thread: shard] [blocking: never] [owns: copies] [phase: started] */
  int32_t (*set_request_mode)(const gantry_host *host, gantry_str topic, gantry_str group, const gantry_request_mode *mode) GANTRY_NOEXCEPT;
  /* Queues that a member shall use, each told to fn by broker and number, and the mode it shall use them in. NOT_FOUND with err->detail = TOPIC, GROUP (no
   * member of it is connected) or SUBSCRIPTION (no such strategy). [thread: shard] [blocking: never] [owns: borrowed] [phase: started] */
  int32_t (*assign)(const gantry_host *host, const gantry_assign *req, gantry_request_mode *mode, gantry_assigned_fn fn, void *arg, gantry_error *err) GANTRY_NOEXCEPT;
} gantry_assignment_v1;

GANTRY_STATIC_ASSERT(sizeof(gantry_pop) == 128, "layout");
GANTRY_STATIC_ASSERT(sizeof(gantry_pop_part) == 40, "layout");
GANTRY_STATIC_ASSERT(sizeof(gantry_pop_result) == 72, "layout");
GANTRY_STATIC_ASSERT(sizeof(gantry_pop_handle) == 48, "layout");
GANTRY_STATIC_ASSERT(sizeof(gantry_pop_change) == 72, "layout");

GANTRY_EXTERN_C_END
#endif /* GANTRY_DRAFT_POP_H */
