// Symbol and tables of the plugin.
#include "store.hpp"
#include "tool.hpp"

#include <gantry/abi.h>

using gantry::commitlog::Store;

namespace {

Store &store(void *self) { return *static_cast<Store *>(self); }

int32_t create(const gantry_host *host, const gantry_config *config, void **self, gantry_error *err) noexcept {
  auto made = Store::create(host, config);
  if (!made) return gantry::report(made.error(), err);
  *self = std::move(*made).release();
  return GANTRY_OK;
}
int32_t start(void *self, gantry_error *err) noexcept {
  const auto done = store(self).start();
  return done ? GANTRY_OK : gantry::report(done.error(), err);
}
void stop(void *self) noexcept { store(self).stop(); }
void destroy(void *self) noexcept { delete static_cast<Store *>(self); }

int32_t open(void *self, const gantry_store_open *args, const gantry_recovery_sink *sink, gantry_error *err) noexcept {
  const auto done = store(self).open(*args, *sink);
  return done ? GANTRY_OK : gantry::report(done.error(), err);
}
int32_t queue_open(void *self, gantry_str topic, uint32_t queue_no, uint32_t kind, gantry_queue *out) noexcept {
  return store(self).queue_open(topic, queue_no, kind, out);
}
int32_t append(void *self, uint32_t shard, const gantry_append *reqs, uint32_t n, gantry_cq cq) noexcept {
  return store(self).append(shard, reqs, n, cq);
}
int32_t read(void *self, uint32_t shard, const gantry_read *reqs, uint32_t n, const gantry_read_result **inline_out, gantry_cq cq) noexcept {
  return store(self).read(shard, reqs, n, inline_out, cq);
}
int32_t read_at(void *self, uint32_t shard, int64_t phys_pos, uint64_t user_data, const gantry_read_result **inline_out, gantry_cq cq) noexcept {
  return store(self).read_at(shard, phys_pos, user_data, inline_out, cq);
}
int32_t queue_stat(void *self, gantry_queue queue, gantry_queue_stat *out) noexcept { return store(self).queue_stat(queue, out); }
int32_t seek_time(void *self, uint32_t shard, gantry_queue queue, int64_t ms, uint64_t user_data, gantry_cq cq) noexcept {
  return store(self).seek_time(shard, queue, ms, user_data, cq);
}
int32_t meta_write(void *self, const gantry_meta_op *ops, uint32_t n, uint32_t durability, uint64_t user_data, gantry_cq cq) noexcept {
  return store(self).meta_write(ops, n, durability, user_data, cq);
}
int32_t sync(void *self, uint32_t shard, uint64_t user_data, gantry_cq cq) noexcept { return store(self).sync(shard, user_data, cq); }
int32_t queue_drop(void *self, gantry_queue queue) noexcept { return store(self).queue_drop(queue); }
int32_t query_key(void *self, uint32_t shard, const gantry_key_query *query, gantry_cq cq) noexcept { return store(self).query_key(shard, *query, cq); }
void retain_from(void *self, int64_t phys_pos) noexcept { store(self).retain_from(phys_pos); }
void stats(void *self, gantry_store_stats *out) noexcept { store(self).stats(out); }
uint32_t refusal(void *self, char *out, uint32_t bytes) noexcept { return store(self).refusal(out, bytes); }

const gantry_store_v1 kTable = {open,      queue_open, append, read,       read_at, queue_stat,
                                seek_time, meta_write, sync,   queue_drop, query_key, retain_from, stats, refusal};

const gantry_component kStore = {
    sizeof(gantry_component),
    GANTRY_COMPONENT_ESSENTIAL,
    GANTRY_STORE_ID,
    "commitlog",
    "one log in segment files, queues as an index over it, meta rows in the same log",
    &kTable,
    gantry::commitlog::config_keys().data(),
    static_cast<uint32_t>(gantry::commitlog::config_keys().size()),
    0,
    create,
    start,
    stop,
    destroy,
    nullptr,
};

// ---- tools: no state but the host

int32_t tool_create(const gantry_host *host, const gantry_config *, void **self, gantry_error *) noexcept {
  *self = const_cast<gantry_host *>(host);
  return GANTRY_OK;
}
int32_t tool_start(void *, gantry_error *) noexcept { return GANTRY_OK; }
void tool_nothing(void *) noexcept {}
int32_t tool_run(void *self, const gantry_store_tool_request *request, const gantry_store_tool_sink *sink, gantry_store_tool_summary *out, gantry_error *err) noexcept {
  gantry::commitlog::StoreTool tool(static_cast<const gantry_host *>(self), *request, *sink);
  const auto done = tool.run();
  *out = tool.summary();
  return done ? GANTRY_OK : gantry::report(done.error(), err);
}
const gantry_store_tool_v1 kToolTable = {tool_run};

const gantry_component kTool = {
    sizeof(gantry_component), 0, GANTRY_STORE_TOOL_ID, "commitlog-tool", "verifies, dumps and repairs the files of a store that no broker has open", &kToolTable, nullptr, 0, 0,
    tool_create,              tool_start, tool_nothing, tool_nothing, nullptr,
};

const gantry_component *const kComponents[] = {&kStore, &kTool};

}  // namespace

GANTRY_MANIFEST("gantry.store-commitlog", "0.1.0", GANTRY_STORE_ID " " GANTRY_STORE_TOOL_ID)

extern "C" GANTRY_EXPORT const gantry_plugin gantry_plugin_v1 = {
    sizeof(gantry_plugin), GANTRY_ABI_MINOR, "gantry.store-commitlog", "0.1.0", "Apache-2.0", "", kComponents, 2, 0,
};
