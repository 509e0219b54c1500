/* Connections, as protocol plugins see them: the kernel owns sockets, TLS, limits, drain and back-pressure. */
#ifndef GANTRY_DRAFT_NET_H
#define GANTRY_DRAFT_NET_H

#include "host.h"

GANTRY_EXTERN_C_BEGIN

#define GANTRY_NET_ID "gantry.net.draft/1"

/* Names a connection, with shard and generation: stale ids are detected. 0 is none. */
typedef uint64_t gantry_conn;

#define GANTRY_CONN_TLS 1u
#define GANTRY_CONN_OUTBOUND 2u /* made by net.connect */

typedef struct gantry_conn_info { /* borrowed during conn_open */
  uint32_t size, flags;
  uint32_t shard, listener;           /* listener: 0 = the main port, i = extra port i of describe */
  uint8_t peer_ip[16], local_ip[16];  /* network order; IPv4 uses the first 4 bytes; IPv4-mapped IPv6 is given as IPv4 */
  uint32_t peer_ip_bytes, local_ip_bytes; /* 4 or 16 */
  uint16_t peer_port, local_port;
  uint32_t pad;
  uint64_t user_data;                 /* of net.connect; 0 for accepted connections */
  gantry_str peer, local;             /* "10.0.0.1:5000", "[::1]:5000" */
} gantry_conn_info;

#define GANTRY_CLOSE_NOW 0u
#define GANTRY_CLOSE_AFTER_FLUSH 1u

typedef struct gantry_net_v1 {
  /* Queues the spans, in order, as one piece. They are written at the end of this turn; spans with an owner are retained until then,
   * spans without are copied now. What the peer cannot take at once is copied, so nothing stays pinned past the turn.
   * E_AGAIN: over the hard output limit, nothing was taken. E_CLOSED: no such connection any more.
   * [thread: shard, the connection's] [blocking: never] [owns: retains owners] [phase: started] */
  int32_t (*send)(const gantry_host *host, gantry_conn conn, const gantry_span *spans, uint32_t n) GANTRY_NOEXCEPT;
  /* n writable bytes at the end of the output, to build a small reply in place; NULL as send's errors. Must be followed by commit in
   * the same callback. n <= 64 KiB. [thread: shard, the connection's] [blocking: never] [owns: kernel] [phase: started] */
  uint8_t *(*reserve)(const gantry_host *host, gantry_conn conn, uint32_t n) GANTRY_NOEXCEPT;
  /* Takes the first n bytes of the last reserve. [thread: shard, the connection's] [blocking: never] [owns: kernel] [phase: started] */
  void (*commit)(const gantry_host *host, gantry_conn conn, uint32_t n) GANTRY_NOEXCEPT;
  /* conn_close follows, never from inside this call. The reason is logged at debug level.
   * [thread: shard, the connection's] [blocking: never] [owns: copies reason] [phase: started] */
  void (*close)(const gantry_host *host, gantry_conn conn, uint32_t how, const char *reason) GANTRY_NOEXCEPT;
  /* Makes a connection whose bytes go to this instance: conn_open with OUTBOUND and user_data, or connect_failed.
   * address: "host:port" or "[v6]:port"; name lookup happens elsewhere. tls: 0 plain, 1 TLS.
   * [thread: shard or control] [blocking: never] [owns: copies address] [phase: started] */
  int32_t (*connect)(const gantry_host *host, uint32_t shard, gantry_str address, uint32_t tls, uint64_t user_data) GANTRY_NOEXCEPT;
} gantry_net_v1;

GANTRY_STATIC_ASSERT(sizeof(gantry_conn_info) == 104, "layout");

GANTRY_EXTERN_C_END
#endif /* GANTRY_DRAFT_NET_H */
