#include "kernel/broker/produce/relay.hpp"

#include "kernel/broker/fetch/fetcher.hpp"
#include "kernel/broker/record/properties.hpp"
#include "kernel/broker/record/record_append.hpp"

#include <algorithm>

namespace gantry::broker {

void Relay::start(std::uint32_t shard_count) {
  shards_.resize(shard_count);
  for (std::uint32_t i = 0; i < shard_count; ++i) {
    shards_[i].owner = this;
    shards_[i].scratch.resize(kLayoutBytes);
    shards_[i].store_cq = core_.cq->create(core_.host, i, &Relay::on_completions, &shards_[i]);
  }
}

void Relay::stop() {
  for (Shard &shard : shards_) core_.cq->close(core_.host, shard.store_cq);
}

std::int32_t Relay::store(const RelayItem &item) {
  const std::uint32_t index = core_.exec->this_shard(core_.host);
  GANTRY_ASSERT(index < shards_.size());
  Shard &shard = shards_[index];
  const StoredMessage &m = *item.message;
  gantry_queue store_queue = GANTRY_NO_QUEUE;
  {
    std::int32_t status = GANTRY_OK;
    const std::lock_guard lock(core_.mutex);
    store_queue = core_.open_queue(*item.topic, item.queue_no, &status);
    if (store_queue == GANTRY_NO_QUEUE) return status;
  }

  const PropertyScan scan = scan_properties(item.props);
  const gantry_link links[] = {{store_queue, item.tag}, item.second};
  NewRecord record;
  record.topic = item.topic;
  record.header.born = m.born;
  record.header.store = core_.store_host;
  record.header.body_crc = m.body_crc;
  record.header.queue_no = item.queue_no;
  record.header.flag = m.flag;
  record.header.sys_flags = item.sys_flags;
  record.header.reconsume_times = item.reconsume_times;
  record.header.born_ms = m.born_ms;
  record.header.store_ms = item.store_ms;
  record.header.prepared_pos = m.prepared_pos;
  record.body = m.body;
  record.props = item.props;
  record.keys = scan.keys;
  record.uniq_key = scan.uniq_key;
  record.links = links;
  record.n_links = item.second.queue == GANTRY_NO_QUEUE ? 1 : 2;
  record.durability = item.durability;
  RecordSpans spans;
  gantry_append append;
  std::uint8_t *scratch = shard.scratch.data();
  shard.keys.clear();
  if (const std::int32_t status = lay_out(record, scratch, shard.keys, &spans, &append); status != GANTRY_OK) return status;
  append.flags = GANTRY_APPEND_SETTLES;
  append.key_hashes = append.n_keys != 0 ? shard.keys.data() : nullptr;

  if (shard.free_head == kNoSlot) {
    shard.free_head = static_cast<std::uint32_t>(shard.pending.size());
    shard.pending.push_back(Pending{nullptr, nullptr, 0, nullptr, kNoSlot});
  }
  const std::uint32_t slot = shard.free_head;
  append.user_data = slot;
  std::int32_t accepted = append_referring(shard, index, m, append);
  if (accepted == GANTRY_E_STALE) accepted = core_.store.table->append(core_.store.self, index, &append, 1, shard.store_cq);
  if (accepted != 1) return accepted < 0 ? accepted : GANTRY_E_AGAIN;
  Pending &pending = shard.pending[slot];
  shard.free_head = pending.next_free;
  pending = Pending{item.done, item.arg, item.user_data, &item.topic->queues[item.queue_no], kNoSlot};
  return GANTRY_OK;
}

// The same record with the body left where it is stored already. STALE: the store would rather have the whole record.
std::int32_t Relay::append_referring(Shard &shard, std::uint32_t index, const StoredMessage &message, const gantry_append &whole) {
  if (message.body_at == 0 || message.body.size() < kMinReferredBytes || !refers_.load(std::memory_order_relaxed)) return GANTRY_E_STALE;
  gantry_span spans[4];
  std::copy_n(whole.spans, RecordSpans::kBody, spans);
  std::copy(whole.spans + RecordSpans::kBody + 1, whole.spans + whole.n_spans, spans + RecordSpans::kBody);
  gantry_append append = whole;
  append.spans = spans;
  append.n_spans = whole.n_spans - 1;
  append.base_pos = message.phys_pos;
  append.base_skip = message.body_at;
  append.base_bytes = static_cast<std::uint32_t>(message.body.size());
  const std::int32_t accepted = core_.store.table->append(core_.store.self, index, &append, 1, shard.store_cq);
  if (accepted == GANTRY_E_UNSUPPORTED) refers_.store(false, std::memory_order_relaxed);
  return accepted == GANTRY_E_UNSUPPORTED || accepted == GANTRY_E_NOT_FOUND ? GANTRY_E_STALE : accepted;
}

void Relay::on_completions(void *self, const gantry_cqe *cqes, std::uint32_t n) noexcept {
  auto &shard = *static_cast<Shard *>(self);
  for (std::uint32_t i = 0; i < n; ++i) {
    const auto slot = static_cast<std::uint32_t>(cqes[i].user_data);
    const Pending pending = shard.pending[slot];
    shard.pending[slot].next_free = shard.free_head;
    shard.free_head = slot;
    if (cqes[i].status == GANTRY_OK) shard.owner->fetcher_.on_progress(*pending.queue);
    pending.done(pending.arg, pending.user_data, cqes[i]);
  }
}

}  // namespace gantry::broker
