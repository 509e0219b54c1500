/* Services the kernel offers to every instance: log, clock, exec, completion queues, metrics. Fetch by id with host->query. */
#ifndef GANTRY_DRAFT_HOST_H
#define GANTRY_DRAFT_HOST_H

#include "../abi.h"

GANTRY_EXTERN_C_BEGIN

/* ---- log ---------------------------------------------------------------------------------------------------------------- */
#define GANTRY_LOG_ID "gantry.log.draft/1"
#define GANTRY_LOG_DEBUG 0
#define GANTRY_LOG_INFO 1
#define GANTRY_LOG_WARN 2
#define GANTRY_LOG_ERROR 3
typedef struct gantry_log_v1 {
  /* [thread: any] [blocking: never] [owns: nothing] [phase: created] */
  int32_t (*enabled)(const gantry_host *host, int32_t level) GANTRY_NOEXCEPT;
  /* One line. `text` is copied. [thread: any] [blocking: never] [owns: caller] [phase: created] */
  void (*write)(const gantry_host *host, int32_t level, const char *text, uint32_t n) GANTRY_NOEXCEPT;
} gantry_log_v1;

/* ---- clock -------------------------------------------------------------------------------------------------------------- */
#define GANTRY_CLOCK_ID "gantry.clock.draft/1"
typedef struct gantry_clock_v1 {
  /* Wall clock in ms, refreshed once per turn of the calling shard's loop; on other threads read afresh. Never per message a
   * clock call. [thread: any] [blocking: never] [owns: nothing] [phase: created] */
  int64_t (*coarse_ms)(const gantry_host *host) GANTRY_NOEXCEPT;
  /* Monotonic, read now. [thread: any] [blocking: never] [owns: nothing] [phase: created] */
  int64_t (*now_ns)(const gantry_host *host) GANTRY_NOEXCEPT;
} gantry_clock_v1;

/* ---- exec: shards, timers, watching descriptors, work elsewhere ----------------------------------------------------------- */
#define GANTRY_EXEC_ID "gantry.exec.draft/1"
#define GANTRY_NO_SHARD 0xFFFFFFFFu
typedef void (*gantry_task_fn)(void *arg) GANTRY_NOEXCEPT;
typedef struct gantry_exec_v1 {
  /* [thread: any] [blocking: never] [owns: nothing] [phase: created] */
  uint32_t (*shard_count)(const gantry_host *host) GANTRY_NOEXCEPT;
  /* Index of the shard this thread is, or GANTRY_NO_SHARD. [thread: any] [blocking: never] [owns: nothing] [phase: created] */
  uint32_t (*this_shard)(const gantry_host *host) GANTRY_NOEXCEPT;
  /* Runs fn(arg) on that shard in one of its next turns. Order between posts of one thread to one shard is kept.
   * E_CLOSED once the shards have stopped. [thread: any] [blocking: never] [owns: caller keeps arg alive] [phase: created] */
  int32_t (*post)(const gantry_host *host, uint32_t shard, gantry_task_fn fn, void *arg) GANTRY_NOEXCEPT;
  /* Runs fn(arg) once at the end of the current turn of this shard: after every ready socket was read and before outputs are
   * flushed and the loop sleeps. The place to submit one I/O for everything a turn brought.
   * [thread: shard] [blocking: never] [owns: caller keeps arg alive] [phase: started] */
  int32_t (*at_turn_end)(const gantry_host *host, gantry_task_fn fn, void *arg) GANTRY_NOEXCEPT;
  /* Runs fn(arg) on the shard after delay_ms (>= 0), once. Returns a timer id, 0 = refused.
   * [thread: shard] [blocking: never] [owns: caller keeps arg alive until run or cancelled] [phase: created] */
  uint64_t (*timer_arm)(const gantry_host *host, uint32_t shard, int64_t delay_ms, gantry_task_fn fn, void *arg) GANTRY_NOEXCEPT;
  /* After it returned OK fn will not run. NOT_FOUND: it ran already. [thread: shard, the timer's] [blocking: never] [owns: nothing] [phase: created] */
  int32_t (*timer_cancel)(const gantry_host *host, uint64_t timer) GANTRY_NOEXCEPT;
  /* Runs fn(arg) on the shard each time fd becomes readable, until fd_unwatch. The descriptor stays the caller's.
   * Returns a watch id, 0 = refused. [thread: control or shard] [blocking: never] [owns: caller keeps fd open] [phase: created] */
  uint64_t (*fd_watch)(const gantry_host *host, uint32_t shard, int32_t fd, gantry_task_fn fn, void *arg) GANTRY_NOEXCEPT;
  /* After it returned fn will not run. [thread: the watch's shard, or control while the shards are stopped] [blocking: never] [owns: nothing] [phase: created] */
  void (*fd_unwatch)(const gantry_host *host, uint64_t watch) GANTRY_NOEXCEPT;
  /* Runs fn(arg) on the blocking pool. E_AGAIN: its queue is full. E_CLOSED: the broker is stopping.
   * [thread: any] [blocking: never] [owns: caller keeps arg alive] [phase: started] */
  int32_t (*offload)(const gantry_host *host, gantry_task_fn fn, void *arg) GANTRY_NOEXCEPT;
} gantry_exec_v1;

/* ---- completion queues ---------------------------------------------------------------------------------------------------- */
#define GANTRY_CQ_ID "gantry.cq.draft/1"
/* Handle with a generation: pushing to a closed queue is detected, never a wild pointer. 0 is no queue. */
typedef uint64_t gantry_cq;
/* n completions, at most 256 at once. [thread: shard, the queue's] [blocking: never] [owns: kernel, during the call] [phase: started] */
typedef void (*gantry_cq_ready_fn)(void *self, const gantry_cqe *cqes, uint32_t n) GANTRY_NOEXCEPT;
typedef struct gantry_cq_v1 {
  /* A queue whose completions are delivered on `shard`, never from inside the call that caused them.
   * [thread: control or shard] [blocking: never] [owns: caller closes it] [phase: created] */
  gantry_cq (*create)(const gantry_host *host, uint32_t shard, gantry_cq_ready_fn ready, void *self) GANTRY_NOEXCEPT;
  /* Delivers later on the queue's shard, in the order pushed by one thread. E_CLOSED: dropped; release what they carried.
   * [thread: any] [blocking: never] [owns: copies the records] [phase: created] */
  int32_t (*push)(const gantry_host *host, gantry_cq cq, const gantry_cqe *cqes, uint32_t n) GANTRY_NOEXCEPT;
  /* No delivery after it returned. [thread: the queue's shard, or control while the shards are stopped] [blocking: never] [owns: nothing] [phase: created] */
  void (*close)(const gantry_host *host, gantry_cq cq) GANTRY_NOEXCEPT;
} gantry_cq_v1;

/* ---- metrics ---------------------------------------------------------------------------------------------------------------- */
#define GANTRY_METRICS_ID "gantry.metrics.draft/1"
#define GANTRY_METRIC_COUNTER 1u
#define GANTRY_METRIC_GAUGE 2u
typedef struct gantry_metrics_v1 {
  /* Registers a metric and returns its cell of one shard, or of all other threads with GANTRY_NO_SHARD. Increment the cell directly,
   * only on that shard (with GANTRY_NO_SHARD: atomically). Asking again for the same name and shard returns the same cell.
   * Name: [a-z0-9_]+ with the unit last. NULL: name refused. [thread: control or shard] [blocking: never]
   * [owns: kernel, for the life of the process] [phase: created] */
  uint64_t *(*cell)(const gantry_host *host, uint32_t kind, const char *name, const char *help, uint32_t shard) GANTRY_NOEXCEPT;
} gantry_metrics_v1;

GANTRY_EXTERN_C_END
#endif /* GANTRY_DRAFT_HOST_H */
