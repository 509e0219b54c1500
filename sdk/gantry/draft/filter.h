/* Interface of a filter plugin: compile an expression once, say which properties it looks at, evaluate batches of messages on columns. */
#ifndef GANTRY_DRAFT_FILTER_H
#define GANTRY_DRAFT_FILTER_H

#include "host.h"

GANTRY_EXTERN_C_BEGIN

#define GANTRY_FILTER_ID "gantry.filter.draft/1"

#define GANTRY_FILTER_BATCH_MAX 64u   /* messages of one eval: a bitmap is one word */
#define GANTRY_FILTER_COLUMNS_MAX 64u /* properties that one program may ask for */

#define GANTRY_PROGRAM_NEEDS_PROPS 1u /* eval looks at the whole property strings */
#define GANTRY_PROGRAM_NEEDS_BODY 2u  /* eval looks at the bodies */
#define GANTRY_REDUCED_NONE 0u
#define GANTRY_REDUCED_TRUE 1u  /* matches everything: eval is never called */
#define GANTRY_REDUCED_FALSE 2u /* matches nothing: eval is never called */
typedef struct gantry_filter_program {
  uint32_t size, flags;      /* GANTRY_PROGRAM_* */
  void *program;             /* the plugin's, immutable */
  const gantry_str *columns; /* property names wanted, each once; live as long as the program */
  uint32_t n_columns;        /* 0..GANTRY_FILTER_COLUMNS_MAX */
  uint32_t reduced;          /* GANTRY_REDUCED_* */
  uint64_t bytes;            /* memory that the program occupies, for the kernel's limit */
  uint32_t cost, pad;        /* steps for one message at most (1 or more), each of which may look at a whole value: the kernel sizes batches by it */
} gantry_filter_program;

typedef struct gantry_filter_batch { /* structure of arrays; element i is message i. Fields not asked for are NULL */
  uint32_t size, n;              /* n: 1..GANTRY_FILTER_BATCH_MAX */
  uint32_t n_columns, flags;     /* as the program's n_columns; 0 */
  const gantry_str *const *cols; /* cols[c][i]: value of the program's column c; n is 0 when the message lacks it: RocketMQ keeps no empty values */
  const gantry_str *props;       /* with GANTRY_PROGRAM_NEEDS_PROPS: RocketMQ's property string, key 0x01 value 0x02 ... */
  const gantry_str *body;        /* with GANTRY_PROGRAM_NEEDS_BODY: as stored */
  gantry_error *err;             /* NULL, or where eval may say why the first message that cannot be decided is so, or with BUDGET why; comes cleared */
} gantry_filter_batch;

typedef struct gantry_filter_v1 {
  /* Expression types offered, blank separated ("SQL92"). [thread: control] [blocking: never] [owns: plugin, until destroyed] [phase: created] */
  gantry_str (*expression_types)(void *self) GANTRY_NOEXCEPT;
  /* Called while a request waits: the plugin bounds text and nesting so that it takes no longer than a millisecond or so.
   * SYNTAX with line and column, LIMIT, UNSUPPORTED (type), NOMEM; out is untouched then.
   * [thread: shard, several at once] [blocking: never] [owns: plugin owns out->program until program_release] [phase: started] */
  int32_t (*compile)(void *self, gantry_str type, gantry_str text, gantry_filter_program *out, gantry_error *err) GANTRY_NOEXCEPT;
  /* Once per compiled program, before destroy; no eval of it runs or follows. [thread: any] [blocking: never] [owns: plugin] [phase: created] */
  void (*program_release)(void *self, void *program) GANTRY_NOEXCEPT;
  /* Sets bit i of match when message i matches, of error when it cannot be decided (it does not match); never both, none at n or above. Both come
   * cleared. One program may run on several shards at once, `shard` says on which: 0 .. shards - 1.
   * OK; BUDGET: the program is suspended, what is in neither bitmap was not looked at: its consumers get nothing from there on until eval answers OK again. [thread: shard] [blocking: never] [owns: borrowed] [phase: started] */
  int32_t (*eval)(void *self, void *program, uint32_t shard, const gantry_filter_batch *batch, uint64_t *match, uint64_t *error) GANTRY_NOEXCEPT;
} gantry_filter_v1;

GANTRY_STATIC_ASSERT(sizeof(gantry_filter_program) == 48, "layout");
GANTRY_STATIC_ASSERT(sizeof(gantry_filter_batch) == 48, "layout");

GANTRY_EXTERN_C_END
#endif /* GANTRY_DRAFT_FILTER_H */
