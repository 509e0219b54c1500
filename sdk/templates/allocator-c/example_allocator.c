/* Which consumer of a group has which queue. Consumers ask for it as EXAMPLE_ALLOCATOR. */
#include <gantry/draft/allocator.h>

#include <stdio.h>
#include <string.h>

GANTRY_MANIFEST("org.example.example-allocator", "0.1.0", GANTRY_ALLOCATOR_ID)

/* Queue q goes to consumer q, and from the first one again when there are more queues than consumers. Called on several shards at once. */
static int32_t assign(void *self, const gantry_alloc_input *in, uint32_t *owner, gantry_error *err) {
  (void)self;
  if (in->n_consumers == 0 || in->n_queues == 0) {
    if (err != NULL) {
      memset(err, 0, sizeof *err);
      err->code = GANTRY_E_INVALID;
      snprintf(err->text, sizeof err->text, "example_allocator: no consumers or no queues");
    }
    return GANTRY_E_INVALID;
  }
  for (uint32_t q = 0; q < in->n_queues; q++) owner[q] = q % in->n_consumers;
  return GANTRY_OK;
}

static const gantry_allocator_v1 table = {assign};

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
    .size = sizeof(gantry_component), .interface_id = GANTRY_ALLOCATOR_ID, .name = "example_allocator", .doc = "one queue each in turn",
    .vtable = &table, .create = create, .start = start, .stop = stop, .destroy = destroy};
static const gantry_component *const components[] = {&component};

GANTRY_EXPORT const gantry_plugin gantry_plugin_v1 = {
    .size = sizeof(gantry_plugin), .abi_minor = GANTRY_ABI_MINOR, .id = "org.example.example-allocator", .version = "0.1.0",
    .license = "Apache-2.0", .homepage = "", .components = components, .n_components = 1};
