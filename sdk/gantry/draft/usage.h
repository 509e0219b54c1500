/* What plugins and expressions cost, for administrators. Beside gantry.broker; query returns NULL where there is no broker. */
#ifndef GANTRY_DRAFT_USAGE_H
#define GANTRY_DRAFT_USAGE_H

#include "host.h"

GANTRY_EXTERN_C_BEGIN

#define GANTRY_USAGE_ID "gantry.usage.draft/1"

#define GANTRY_USAGE_SUSPENDED 1u /* over its budget: nothing is evaluated until it changes */
typedef struct gantry_usage { /* of one function of a plugin, or of one expression, since the process started or the expression was compiled */
  uint32_t size, flags;          /* GANTRY_USAGE_* */
  gantry_str plugin, kind;       /* "filter-lua", "filter" */
  gantry_str function;           /* "eval"; of an expression empty */
  gantry_str expr_type, expr;    /* of an expression */
  gantry_str reason;             /* of the newest error, or why it is suspended; empty: not known */
  uint64_t calls, items, errors; /* items: messages, requests or bytes, by the function; errors: of items that fail alone, else of calls */
  uint64_t ns, longest_ns;       /* within the plugin: all calls, and the longest one */
  uint64_t matched;              /* of an expression: messages */
  uint64_t bytes;                /* memory held for it; 0: not known */
  uint64_t users;                /* of an expression: subscriptions and requests under way */
} gantry_usage;
typedef void (*gantry_usage_fn)(void *arg, const gantry_usage *row) GANTRY_NOEXCEPT;

typedef struct gantry_usage_v1 {
  /* Functions first, then expressions. [thread: any] [blocking: never] [owns: kernel, during the call of fn] [phase: started] */
  void (*each)(const gantry_host *host, gantry_usage_fn fn, void *arg) GANTRY_NOEXCEPT;
} gantry_usage_v1;

GANTRY_STATIC_ASSERT(sizeof(gantry_usage) == 168, "layout");

GANTRY_EXTERN_C_END
#endif /* GANTRY_DRAFT_USAGE_H */
