/* Interface of a protocol plugin: a state machine without I/O. Bytes in; spans and broker calls out.
 *
 * All callbacks of a connection run on its shard, one at a time. Nothing is called for a connection before its conn_open returned OK
 * or after its conn_close.
 */
#ifndef GANTRY_DRAFT_PROTOCOL_H
#define GANTRY_DRAFT_PROTOCOL_H

#include "net.h"

GANTRY_EXTERN_C_BEGIN

#define GANTRY_PROTOCOL_ID "gantry.protocol.draft/1"

#define GANTRY_EVENT_CONSUMERS_CHANGED 1u /* conn: a member to tell; subject: the group */
#define GANTRY_EVENT_TOPICS_CHANGED 2u    /* a topic was made, changed or deleted; sent to every instance on shard 0, coalesced */
/* conn: a producer to ask what became of its transaction; a, b: queue offset and log position of the half message; object: how often it was asked about,
 * this time included. Answered by end_transaction, or not at all. */
#define GANTRY_EVENT_CHECK_TRANSACTION 3u
typedef struct gantry_event {
  uint32_t kind, flags;
  gantry_conn conn;
  uint64_t subject, object;
  int64_t a, b;
  uint64_t reserved[2];
} gantry_event;

typedef struct gantry_protocol_description {
  uint32_t size, default_port;
  uint32_t max_input_bytes; /* an incomplete frame larger than this closes the connection; 0 = 16 MiB + 4 */
  uint32_t n_extra_ports;
  int32_t extra_port_offsets[4]; /* further listeners at configured port + offset (RocketMQ's VIP channel: -2) */
} gantry_protocol_description;

typedef struct gantry_protocol_v1 {
  /* [thread: control] [blocking: never] [owns: caller] [phase: created] */
  void (*describe)(void *self, gantry_protocol_description *out) GANTRY_NOEXCEPT;
  /* A connection is ready for bytes. Not OK: it is closed without conn_close.
   * [thread: shard] [blocking: never] [owns: plugin owns *state until conn_close] [phase: started] */
  int32_t (*conn_open)(void *self, gantry_conn conn, const gantry_conn_info *info, void **state) GANTRY_NOEXCEPT;
  /* All input not yet consumed, contiguous. Handle as many frames as are whole; say in *consumed how many bytes are done with, and in
   * *need how many bytes (from the first unconsumed one) the next frame has in all, 0 = unknown. The memory is the kernel's and is reused
   * after the call. E_AGAIN: the broker cannot take more now; the unconsumed bytes are offered again after the next completions and nothing
   * is read meanwhile. Other negative: close the connection, the code is the reason.
   * [thread: shard] [blocking: never] [owns: borrowed] [phase: started] */
  int32_t (*on_bytes)(void *self, void *state, const uint8_t *data, uint32_t n, uint32_t *consumed, uint32_t *need) GANTRY_NOEXCEPT;
  /* Last call for this state. Completions of its requests may still arrive at the plugin's queues: look the connection up by id.
   * reason: GANTRY_OK closed by the peer, else a code. [thread: shard] [blocking: never] [owns: plugin frees state] [phase: started] */
  void (*conn_close)(void *self, void *state, int32_t reason) GANTRY_NOEXCEPT;
  /* Shutdown begins: say goodbye politely. The connection is closed when outputs are flushed or the deadline passes.
   * [thread: shard] [blocking: never] [owns: nothing] [phase: started] */
  void (*conn_drain)(void *self, void *state) GANTRY_NOEXCEPT;
  /* net.connect did not succeed. [thread: shard] [blocking: never] [owns: borrowed text] [phase: started] */
  void (*connect_failed)(void *self, uint32_t shard, uint64_t user_data, const gantry_error *err) GANTRY_NOEXCEPT;
  /* [thread: shard] [blocking: never] [owns: borrowed] [phase: started] */
  void (*on_events)(void *self, uint32_t shard, const gantry_event *events, uint32_t n) GANTRY_NOEXCEPT;
} gantry_protocol_v1;

GANTRY_STATIC_ASSERT(sizeof(gantry_event) == 64, "layout");
GANTRY_STATIC_ASSERT(sizeof(gantry_protocol_description) == 32, "layout");

GANTRY_EXTERN_C_END
#endif /* GANTRY_DRAFT_PROTOCOL_H */
