// Plugin "memory-store": the whole gantry.store.draft/1 table in memory, for tests of what stands on a store.
#include "memory_store.h"

#include <gantry++/result.hpp>

namespace {

using memory_store::MemoryStore;
using memory_store::Settings;

constexpr gantry_config_key kKeys[] = {
    {"capacity", GANTRY_KEY_SIZE, 0, "1 GiB", 1, INT64_MAX, nullptr, "Bytes of records kept; beyond it appends are refused with NO_SPACE"},
    {"max_waiting", GANTRY_KEY_SIZE, 0, "4 MiB", 1, INT64_MAX, nullptr, "Bytes not yet acknowledged; beyond it appends are refused with AGAIN"},
    {"max_record", GANTRY_KEY_SIZE, 0, "16 MiB", 1, UINT32_MAX, nullptr, "Largest record; a larger one is refused with LIMIT"},
    {"max_queues", GANTRY_KEY_INT, 0, "1000000", 1, INT64_MAX, nullptr, "Queues at once; a further one is refused with LIMIT"},
    {"keep_per_queue", GANTRY_KEY_INT, 0, "0", 0, INT64_MAX, nullptr, "Newest records kept readable in each queue; 0 = all"},
    {"accept_stronger", GANTRY_KEY_BOOL, 0, "false", 0, 0, nullptr, "Take written and durable for memory instead of refusing them"},
    {"reads", GANTRY_KEY_ENUM, 0, "inline", 0, 0, "inline completion", "How reads are answered"}};

MemoryStore &of(void *self) { return *static_cast<MemoryStore *>(self); }

std::int32_t create(const gantry_host *host, const gantry_config *config, void **self, gantry_error *err) noexcept {
  Settings settings;
  settings.capacity_bytes = static_cast<std::uint64_t>(config->get_int(config, "capacity"));
  settings.max_waiting_bytes = static_cast<std::uint64_t>(config->get_int(config, "max_waiting"));
  settings.max_record_bytes = static_cast<std::uint32_t>(config->get_int(config, "max_record"));
  settings.max_queues = static_cast<std::uint64_t>(config->get_int(config, "max_queues"));
  settings.keep_per_queue = config->get_int(config, "keep_per_queue");
  settings.accept_stronger = config->get_int(config, "accept_stronger") != 0;
  const gantry_str reads = config->get_text(config, "reads");
  settings.complete_reads = std::string_view(reads.p, reads.n) == "completion";
  auto store = std::make_unique<MemoryStore>(host, settings);
  if (!store->host_has_all_tables()) {
    return gantry::report({GANTRY_E_UNSUPPORTED, "the memory store needs " GANTRY_EXEC_ID " and " GANTRY_CQ_ID " of its host"}, err);
  }
  *self = store.release();
  return GANTRY_OK;
}

std::int32_t start(void *self, gantry_error *) noexcept { return of(self).start(); }
void stop(void *self) noexcept { of(self).stop(); }
void destroy(void *self) noexcept { delete static_cast<MemoryStore *>(self); }

std::int32_t open(void *self, const gantry_store_open *args, const gantry_recovery_sink *, gantry_error *err) noexcept {
  return of(self).open(*args, err);
}
std::int32_t queue_open(void *self, gantry_str topic, std::uint32_t queue_no, std::uint32_t kind, gantry_queue *out) noexcept {
  return of(self).queue_open(topic, queue_no, kind, out);
}
std::int32_t append(void *self, std::uint32_t shard, const gantry_append *reqs, std::uint32_t n, gantry_cq cq) noexcept {
  return of(self).append(shard, reqs, n, cq);
}
std::int32_t read(void *self, std::uint32_t, const gantry_read *reqs, std::uint32_t n, const gantry_read_result **inline_out,
                  gantry_cq cq) noexcept {
  return of(self).read(reqs, n, inline_out, cq);
}
std::int32_t read_at(void *self, std::uint32_t, std::int64_t phys_pos, std::uint64_t user_data, const gantry_read_result **inline_out,
                     gantry_cq cq) noexcept {
  return of(self).read_at(phys_pos, user_data, inline_out, cq);
}
std::int32_t queue_stat(void *self, gantry_queue queue, gantry_queue_stat *out) noexcept { return of(self).queue_stat(queue, out); }
std::int32_t seek_time(void *self, std::uint32_t, gantry_queue queue, std::int64_t ms, std::uint64_t user_data, gantry_cq cq) noexcept {
  return of(self).seek_time(queue, ms, user_data, cq);
}
std::int32_t meta_write(void *self, const gantry_meta_op *ops, std::uint32_t n, std::uint32_t durability, std::uint64_t user_data,
                        gantry_cq cq) noexcept {
  return of(self).meta_write(ops, n, durability, user_data, cq);
}
std::int32_t sync(void *self, std::uint32_t, std::uint64_t user_data, gantry_cq cq) noexcept { return of(self).sync(user_data, cq); }
std::int32_t queue_drop(void *self, gantry_queue queue) noexcept { return of(self).queue_drop(queue); }
std::int32_t query_key(void *self, std::uint32_t, const gantry_key_query *query, gantry_cq cq) noexcept { return of(self).query_key(*query, cq); }
void retain_from(void *self, std::int64_t phys_pos) noexcept { of(self).retain_from(phys_pos); }
void stats(void *self, gantry_store_stats *out) noexcept { of(self).stats(out); }
std::uint32_t refusal(void *self, char *out, std::uint32_t bytes) noexcept { return of(self).refusal(out, bytes); }

constexpr gantry_store_v1 kTable{open, queue_open, append, read, read_at, queue_stat, seek_time, meta_write, sync, queue_drop, query_key, retain_from, stats, refusal};

constexpr gantry_component make_component() {
  gantry_component component{};
  component.size = sizeof component;
  component.interface_id = GANTRY_STORE_ID;
  component.name = "memory";
  component.doc = "Keeps everything in memory and nothing over a restart";
  component.vtable = &kTable;
  component.keys = kKeys;
  component.n_keys = sizeof kKeys / sizeof kKeys[0];
  component.create = create;
  component.start = start;
  component.stop = stop;
  component.destroy = destroy;
  return component;
}
constexpr gantry_component kComponent = make_component();
constexpr const gantry_component *kComponents[] = {&kComponent};

GANTRY_MANIFEST("gantry.memory-store", GANTRY_SDK_VERSION, GANTRY_STORE_ID)

}  // namespace

extern "C" GANTRY_EXPORT const gantry_plugin gantry_plugin_v1{
    sizeof(gantry_plugin), GANTRY_ABI_MINOR, "gantry.memory-store", GANTRY_SDK_VERSION, "Apache-2.0", "", kComponents, 1, 0};
