/* Interface of a replication strategy: it ships the log and moves a watermark; the kernel gates acknowledgements on it.
 * Shape only: no kernel of this version calls it. */
#ifndef GANTRY_DRAFT_REPLICATION_H
#define GANTRY_DRAFT_REPLICATION_H

#include "host.h"

GANTRY_EXTERN_C_BEGIN

#define GANTRY_REPLICATION_ID "gantry.replication.draft/1"

#define GANTRY_ROLE_NONE 0u
#define GANTRY_ROLE_LEADER 1u
#define GANTRY_ROLE_FOLLOWER 2u
typedef struct gantry_replication_status {
  uint64_t size;
  uint64_t epoch;
  uint32_t role, n_peers, n_in_sync, pad;
  int64_t watermark_pos, slowest_peer_pos;
} gantry_replication_status;

typedef struct gantry_replication_v1 {
  /* OK once writes of the old epoch can no longer be acknowledged. STALE, TIMEOUT.
   * [thread: control] [blocking: may] [owns: borrowed] [phase: started] */
  int32_t (*set_role)(void *self, uint32_t role, uint64_t epoch, const gantry_str *peers, uint32_t n, gantry_error *err) GANTRY_NOEXCEPT;
  /* A hint that the log grew; may only wake a sender. [thread: any] [blocking: never] [owns: nothing] [phase: started] */
  void (*on_append)(void *self, int64_t begin_pos, int64_t end_pos) GANTRY_NOEXCEPT;
  /* [thread: any] [blocking: never] [owns: caller] [phase: started] */
  void (*status)(void *self, gantry_replication_status *out) GANTRY_NOEXCEPT;
} gantry_replication_v1;

GANTRY_EXTERN_C_END
#endif /* GANTRY_DRAFT_REPLICATION_H */
