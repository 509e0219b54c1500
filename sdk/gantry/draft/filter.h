/* Interface of a filter plugin: compile once, declare the properties needed, evaluate batches of messages on columns.
 * Shape only: no kernel of this version calls it. */
#ifndef GANTRY_DRAFT_FILTER_H
#define GANTRY_DRAFT_FILTER_H

#include "host.h"

GANTRY_EXTERN_C_BEGIN

#define GANTRY_FILTER_ID "gantry.filter.draft/1"

#define GANTRY_PROGRAM_NEEDS_BODY 1u
#define GANTRY_PROGRAM_NEEDS_ALL_PROPS 2u
#define GANTRY_PROGRAM_DETERMINISTIC 4u
#define GANTRY_REDUCED_NONE 0u
#define GANTRY_REDUCED_TRUE 1u  /* matches everything: eval is never called */
#define GANTRY_REDUCED_FALSE 2u /* matches nothing */
#define GANTRY_REDUCED_TAGS 3u  /* exactly these tag codes: the index decides */
typedef struct gantry_filter_program {
  uint32_t size, flags;
  void *program; /* the plugin's, immutable */
  const gantry_str *columns; /* property names wanted, at most 64; live as long as the program */
  const int64_t *tags;       /* with GANTRY_REDUCED_TAGS */
  uint32_t n_columns, n_tags;
  uint32_t reduced, cost; /* cost: 0 cheap .. 3 dear */
} gantry_filter_program;

typedef struct gantry_filter_batch { /* structure of arrays; bitmaps have one bit per message, little end first */
  uint32_t size, n; /* n: 1..256 messages */
  uint32_t n_cols, flags;
  const int64_t *tag, *born_ms, *store_ms, *queue_off;
  const uint32_t *sys_flags, *reconsume;
  const gantry_str *const *cols;     /* cols[c][i]; p NULL = property absent */
  const int64_t *const *col_i64;     /* the value as a number where the bit is set */
  const uint64_t *const *col_i64_ok;
  const gantry_str *props, *body;    /* only when asked for, else NULL */
} gantry_filter_batch;

typedef struct gantry_filter_v1 {
  /* Expression types offered, blank separated ("SQL92"). [thread: control] [blocking: never] [owns: plugin] [phase: created] */
  gantry_str (*expression_types)(void *self) GANTRY_NOEXCEPT;
  /* SYNTAX with line and column, LIMIT, UNSUPPORTED. [thread: control] [blocking: may] [owns: plugin owns out->program until program_release] [phase: started] */
  int32_t (*compile)(void *self, gantry_str type, gantry_str text, gantry_filter_program *out, gantry_error *err) GANTRY_NOEXCEPT;
  /* No shard uses it any more. [thread: any] [blocking: never] [owns: plugin] [phase: started] */
  void (*program_release)(void *self, void *program) GANTRY_NOEXCEPT;
  /* Mutable state for one shard. [thread: shard] [blocking: never] [owns: plugin until scratch_release] [phase: started] */
  int32_t (*scratch_create)(void *self, void *program, uint32_t shard, void **out) GANTRY_NOEXCEPT;
  void (*scratch_release)(void *self, void *scratch) GANTRY_NOEXCEPT;
  /* Sets a bit in match, or in error, per message; both come cleared. Unknown is neither. BUDGET: bits beyond the processed prefix are in error.
   * [thread: shard] [blocking: never] [owns: borrowed] [phase: started] */
  int32_t (*eval)(void *self, void *program, void *scratch, const gantry_filter_batch *batch, uint64_t *match, uint64_t *error) GANTRY_NOEXCEPT;
} gantry_filter_v1;

GANTRY_STATIC_ASSERT(sizeof(gantry_filter_batch) == 104, "layout");

GANTRY_EXTERN_C_END
#endif /* GANTRY_DRAFT_FILTER_H */
