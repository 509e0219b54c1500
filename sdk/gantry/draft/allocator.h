/* Interface of an allocator plugin: which consumer of a group owns which queue. Pure: same input, same answer. Consumers ask for
 * a component by its name in capitals (RocketMQ's strategyName: "avg_by_circle" is AVG_BY_CIRCLE). */
#ifndef GANTRY_DRAFT_ALLOCATOR_H
#define GANTRY_DRAFT_ALLOCATOR_H

#include "host.h"

GANTRY_EXTERN_C_BEGIN

#define GANTRY_ALLOCATOR_ID "gantry.allocator.draft/1"

#define GANTRY_NO_CONSUMER 0xFFFFFFFFu
typedef struct gantry_alloc_consumer {
  gantry_str client_id, zone;
  uint32_t weight, pad;
} gantry_alloc_consumer;
typedef struct gantry_alloc_queue {
  gantry_str broker;
  uint32_t queue_no;
  uint32_t previous; /* index of the consumer that has it now, or GANTRY_NO_CONSUMER */
} gantry_alloc_queue;
typedef struct gantry_alloc_input {
  uint32_t size, pad;
  gantry_str topic, group;
  const gantry_alloc_consumer *consumers; /* sorted by client id */
  const gantry_alloc_queue *queues;       /* sorted by broker, then number */
  uint32_t n_consumers, n_queues;
} gantry_alloc_input;

typedef struct gantry_allocator_v1 {
  /* owner[i] = index of the consumer of queue i, or GANTRY_NO_CONSUMER: no queue can have two owners. The kernel checks ranges and
   * falls back to the average strategy on an error; both counts are at least 1. [thread: shard, several at once] [blocking: never] [owns: borrowed] [phase: started] */
  int32_t (*assign)(void *self, const gantry_alloc_input *in, uint32_t *owner, gantry_error *err) GANTRY_NOEXCEPT;
} gantry_allocator_v1;

GANTRY_EXTERN_C_END
#endif /* GANTRY_DRAFT_ALLOCATOR_H */
