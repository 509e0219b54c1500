/* A small plugin in plain C. Macros make the variants that a loader must refuse:
 * SAMPLE_NO_NOTE, SAMPLE_TWO_NOTES, SAMPLE_NO_ENTRY, SAMPLE_TWO_SYMBOLS, SAMPLE_ENTRY_IS_FUNCTION, SAMPLE_NEEDS_OTHER, SAMPLE_TWICE. */
#define _POSIX_C_SOURCE 200809L
#include <gantry/abi.h>
#include <gantry/draft/protocol.h>

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#ifndef SAMPLE_NO_NOTE
GANTRY_MANIFEST("test.sample", "1.2.3", GANTRY_PROTOCOL_ID)
#endif

#ifdef SAMPLE_TWO_NOTES
__attribute__((section(GANTRY_NOTE_SECTION), used, aligned(4))) static const gantry_manifest_note second_note = {
    8u, (uint32_t)sizeof(gantry_manifest), GANTRY_NOTE_TYPE, GANTRY_NOTE_NAME,
    {GANTRY_ABI_MAJOR, GANTRY_ABI_MINOR, (uint32_t)sizeof(gantry_manifest), 0u, "test.other", "1.2.3", GANTRY_SDK_VERSION, GANTRY_PROTOCOL_ID}};
#endif

#ifdef SAMPLE_NEEDS_OTHER
int sample_dependency(void);
#endif

/* Leaves a file behind when any code of this library runs. */
__attribute__((constructor)) static void leave_marker(void) {
  const char *path = getenv("GANTRY_TEST_MARKER");
  if (path == NULL) return;
  const int fd = open(path, O_WRONLY | O_CREAT, 0644);
  if (fd >= 0) close(fd);
}

static int32_t create(const gantry_host *host, const gantry_config *config, void **self, gantry_error *err) {
  (void)host, (void)config, (void)err;
  *self = malloc(1);
#ifdef SAMPLE_NEEDS_OTHER
  return sample_dependency();
#else
  return GANTRY_OK;
#endif
}
static int32_t start(void *self, gantry_error *err) {
  (void)self, (void)err;
  return GANTRY_OK;
}
static void stop(void *self) { (void)self; }
static void destroy(void *self) { free(self); }

static void describe(void *self, gantry_protocol_description *out) {
  (void)self;
  out->default_port = 7;
}

static const gantry_protocol_v1 table = {.describe = describe};
static const gantry_config_key keys[] = {{"greeting", GANTRY_KEY_STRING, 0, "hello", 0, 0, NULL, "said first"}};
static const gantry_component sample = {
    .size = sizeof(gantry_component), .interface_id = GANTRY_PROTOCOL_ID, .name = "sample", .doc = "a sample", .vtable = &table,
    .keys = keys, .n_keys = 1, .create = create, .start = start, .stop = stop, .destroy = destroy};
#ifdef SAMPLE_TWICE
static const gantry_component *const components[] = {&sample, &sample};
#else
static const gantry_component *const components[] = {&sample};
#endif

#if defined(SAMPLE_ENTRY_IS_FUNCTION)
GANTRY_EXPORT int gantry_plugin_v1(void) { return components[0] != NULL; }
#else
#ifndef SAMPLE_NO_ENTRY
GANTRY_EXPORT
#endif
__attribute__((used)) const gantry_plugin gantry_plugin_v1 = {
    sizeof(gantry_plugin), GANTRY_ABI_MINOR, "test.sample", "1.2.3", "Apache-2.0", "", components,
    sizeof components / sizeof components[0], 0};
#endif

#ifdef SAMPLE_TWO_SYMBOLS
GANTRY_EXPORT const int sample_extra = 1;
#endif
