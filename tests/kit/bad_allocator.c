/* An allocator with one fault, which BAD_... names, and none without it. The conformance kit must find each. */
#define _GNU_SOURCE
#include <gantry/draft/allocator.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

GANTRY_MANIFEST("test.bad-allocator", "1.0.0", GANTRY_ALLOCATOR_ID)

typedef struct instance {
  const gantry_host *host;
  const gantry_exec_v1 *exec;
  uint64_t asked;
} instance;

static int32_t refuse(gantry_error *err, int32_t code, const char *text) {
  if (err != NULL) {
    memset(err, 0, sizeof *err);
    err->code = code;
    snprintf(err->text, sizeof err->text, "%s", text);
  }
  return code;
}

static int32_t assign(void *arg, const gantry_alloc_input *in, uint32_t *owner, gantry_error *err) {
  instance *self = arg;
  (void)self;
#ifndef BAD_ACCEPTS_NOBODY
  if (in->n_consumers == 0 || in->n_queues == 0) return refuse(err, GANTRY_E_INVALID, "nobody or nothing");
#else
  if (in->n_consumers == 0) return refuse(err, GANTRY_E_INVALID, "nobody");
#endif
  for (uint32_t q = 0; q < in->n_queues; q++) owner[q] = q % in->n_consumers;
#ifdef BAD_OWNER
  if (in->n_queues > 8) owner[8] = in->n_consumers;
#endif
#ifdef BAD_BEYOND
  owner[in->n_queues] = 0;
#endif
#ifdef BAD_REMEMBERS
  owner[0] = (uint32_t)(self->asked++ % in->n_consumers);
#endif
#ifdef BAD_ADDRESSES
  owner[0] = (uint32_t)(((uintptr_t)self >> 5) % in->n_consumers);
#endif
#ifdef BAD_CHANGES_INPUT
  ((gantry_alloc_queue *)in->queues)[0].previous ^= 1;
#endif
#ifdef BAD_SILENT
  if (in->n_consumers == 7) return GANTRY_E_INTERNAL;
#endif
  return GANTRY_OK;
}

static const gantry_allocator_v1 table = {assign};

static void nothing(void *arg) { (void)arg; }

static int32_t create(const gantry_host *host, const gantry_config *config, void **out, gantry_error *err) {
  (void)config;
#ifdef BAD_EXITS
  exit(0);
#endif
#ifdef BAD_HANGS
  for (;;) pause();
#endif
  instance *self = calloc(1, sizeof *self);
  if (self == NULL) return refuse(err, GANTRY_E_NOMEM, "out of memory");
  self->host = host;
  self->exec = host->query(host, GANTRY_EXEC_ID);
#ifdef BAD_TRUSTS_HOST
  self->asked = self->exec->shard_count(host);
#else
  if (self->exec == NULL) {
    free(self);
#ifdef BAD_REFUSES_WITHOUT_TEXT
    return GANTRY_E_UNSUPPORTED;
#else
    return refuse(err, GANTRY_E_UNSUPPORTED, "this kernel has no " GANTRY_EXEC_ID);
#endif
  }
#endif
  *out = self;
  return GANTRY_OK;
}
static int32_t start(void *arg, gantry_error *err) {
  instance *self = arg;
  const uint64_t timer = self->exec->timer_arm(self->host, 0, 1000000, nothing, self);
  if (timer == 0) return refuse(err, GANTRY_E_AGAIN, "no timer");
#ifndef BAD_LEAVES_TIMER
  self->exec->timer_cancel(self->host, timer);
#endif
  return GANTRY_OK;
}
static void stop(void *arg) { (void)arg; }
static void destroy(void *arg) { free(arg); }

#ifdef BAD_TAKES_SIGNALS
__attribute__((constructor)) static void take_signals(void) { signal(SIGUSR1, SIG_IGN); }
#endif

static const gantry_component component = {
    .size = sizeof(gantry_component), .interface_id = GANTRY_ALLOCATOR_ID, .name = "bad", .doc = "has one fault", .vtable = &table, .create = create, .start = start, .stop = stop, .destroy = destroy};
static const gantry_component *const components[] = {&component};

GANTRY_EXPORT const gantry_plugin gantry_plugin_v1 = {
    .size = sizeof(gantry_plugin), .abi_minor = GANTRY_ABI_MINOR, .id = "test.bad-allocator", .version = "1.0.0",
#ifdef BAD_NO_LICENSE
    .license = "",
#else
    .license = "Apache-2.0",
#endif
    .homepage = "", .components = components, .n_components = 1};
