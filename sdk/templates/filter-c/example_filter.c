/* Expressions of type EXAMPLE_FILTER: "level>=3" matches messages whose property `level` is a whole number of 3 or more. A message without
 * the property does not match; of one whose value is no number it cannot be said. */
#include <gantry/draft/filter.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

GANTRY_MANIFEST("org.example.example-filter", "0.1.0", GANTRY_FILTER_ID)

static const char expression_type[] = "EXAMPLE_FILTER";
enum { longest_expression = 1000 };

typedef struct program { /* one compiled expression */
  gantry_str column;
  int64_t least;
  char name[]; /* of column */
} program;

/* Columns count bytes from 1. */
static int32_t refuse(gantry_error *err, int32_t code, size_t at, const char *what) {
  if (err != NULL) {
    memset(err, 0, sizeof *err);
    err->code = code;
    err->line = 1;
    err->column = (uint32_t)at + 1;
    snprintf(err->text, sizeof err->text, "%s, column %zu: %s", expression_type, at + 1, what);
  }
  return code;
}

/* The whole text is a number: 0 and *out, else -1. */
static int number(const char *p, size_t n, int64_t *out) {
  char text[24];
  char *end = NULL;
  if (n == 0 || n >= sizeof text || (p[0] != '-' && (p[0] < '0' || p[0] > '9'))) return -1;
  memcpy(text, p, n);
  text[n] = '\0';
  errno = 0;
  *out = strtoll(text, &end, 10);
  return end == text + n && errno == 0 ? 0 : -1;
}

static gantry_str expression_types(void *self) {
  (void)self;
  return (gantry_str){expression_type, sizeof expression_type - 1, 0};
}

/* Called on several shards at once, while a request waits. */
static int32_t compile(void *self, gantry_str type, gantry_str text, gantry_filter_program *out, gantry_error *err) {
  (void)self;
  if (type.n != sizeof expression_type - 1 || memcmp(type.p, expression_type, type.n) != 0) return refuse(err, GANTRY_E_UNSUPPORTED, 0, "not this filter's type");
  if (text.n > longest_expression) return refuse(err, GANTRY_E_LIMIT, longest_expression, "the expression is longer than 1000 bytes");
  uint32_t sign = 0;
  while (sign + 1 < text.n && memcmp(text.p + sign, ">=", 2) != 0) sign++;
  if (sign + 1 >= text.n) return refuse(err, GANTRY_E_SYNTAX, text.n, "expected NAME>=NUMBER, found no >=");
  if (sign == 0) return refuse(err, GANTRY_E_SYNTAX, 0, "expected the name of a property before >=");
  int64_t least = 0;
  if (number(text.p + sign + 2, text.n - sign - 2, &least) != 0) return refuse(err, GANTRY_E_SYNTAX, sign + 2, "expected a whole number after >=");

  program *made = malloc(sizeof *made + sign);
  if (made == NULL) return refuse(err, GANTRY_E_NOMEM, 0, "out of memory");
  memcpy(made->name, text.p, sign);
  made->column = (gantry_str){made->name, sign, 0};
  made->least = least;
  *out = (gantry_filter_program){.size = sizeof *out, .program = made, .columns = &made->column, .n_columns = 1, .bytes = sizeof *made + sign, .cost = 2};
  return GANTRY_OK;
}

static void program_release(void *self, void *made) {
  (void)self;
  free(made);
}

/* Called on several shards at once; never blocks. */
static int32_t eval(void *self, void *made, uint32_t shard, const gantry_filter_batch *batch, uint64_t *match, uint64_t *error) {
  const program *p = made;
  (void)self, (void)shard;
  for (uint32_t i = 0; i < batch->n; i++) {
    const gantry_str value = batch->cols[0][i];
    int64_t n = 0;
    if (value.n == 0) continue;
    if (number(value.p, value.n, &n) != 0)
      *error |= UINT64_C(1) << i;
    else if (n >= p->least)
      *match |= UINT64_C(1) << i;
  }
  return GANTRY_OK;
}

static const gantry_filter_v1 table = {expression_types, compile, program_release, eval};

static int32_t create(const gantry_host *host, const gantry_config *config, void **self, gantry_error *err) {
  static char stateless;
  (void)host, (void)config, (void)err;
  *self = &stateless;
  return GANTRY_OK;
}
static int32_t start(void *self, gantry_error *err) {
  (void)self, (void)err;
  return GANTRY_OK;
}
static void stop(void *self) { (void)self; }
static void destroy(void *self) { (void)self; }

static const gantry_component component = {
    .size = sizeof(gantry_component), .interface_id = GANTRY_FILTER_ID, .name = "example_filter", .doc = "NAME>=NUMBER",
    .vtable = &table, .create = create, .start = start, .stop = stop, .destroy = destroy};
static const gantry_component *const components[] = {&component};

GANTRY_EXPORT const gantry_plugin gantry_plugin_v1 = {
    .size = sizeof(gantry_plugin), .abi_minor = GANTRY_ABI_MINOR, .id = "org.example.example-filter", .version = "0.1.0",
    .license = "Apache-2.0", .homepage = "", .components = components, .n_components = 1};
