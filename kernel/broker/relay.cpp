#include "kernel/broker/relay.hpp"

#include "kernel/broker/fetcher.hpp"
#include "kernel/broker/key_hash.hpp"
#include "kernel/broker/properties.hpp"

#include <gantry++/str.hpp>

namespace gantry::broker {

void Relay::start(std::uint32_t shard_count) {
  shards_.resize(shard_count);
  for (std::uint32_t i = 0; i < shard_count; ++i) {
    shards_[i].owner = this;
    shards_[i].scratch.resize(kFixedBytesIpv4 + 2 * kIpv6ExtraBytes);
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

  std::string tail = item.topic->tail_prefix;
  const std::size_t name_bytes = item.topic->name.size();
  const std::size_t props_bytes = tail.size() - 1 - name_bytes - 2 + item.props.size();
  if (props_bytes > kMaxPropertiesBytes) return GANTRY_E_LIMIT;
  store_be16(reinterpret_cast<std::uint8_t *>(tail.data()) + 1 + name_bytes, static_cast<std::uint16_t>(props_bytes));

  RecordHeader header{};
  header.born = m.born;
  header.store = core_.store_host;
  header.total_bytes = static_cast<std::uint32_t>(fixed_bytes(header.born, header.store) + m.body.size() + 1 + name_bytes + 2 + props_bytes);
  header.body_crc = m.body_crc;
  header.queue_no = item.queue_no;
  header.flag = m.flag;
  header.sys_flags = item.sys_flags;
  header.reconsume_times = item.reconsume_times;
  header.body_bytes = static_cast<std::uint32_t>(m.body.size());
  header.born_ms = m.born_ms;
  header.store_ms = item.store_ms;
  header.prepared_pos = m.prepared_pos;
  const EncodedHeader encoded = encode_header(header, shard.scratch.data());
  const gantry_span spans[] = {{shard.scratch.data(), encoded.bytes, GANTRY_SPAN_WRITABLE, nullptr}, span(m.body), span(tail), span(item.props)};
  const gantry_link links[] = {{store_queue, item.tag}, item.second};

  if (shard.free_head == kNoSlot) {
    shard.free_head = static_cast<std::uint32_t>(shard.pending.size());
    shard.pending.push_back(Pending{nullptr, nullptr, 0, nullptr, kNoSlot});
  }
  const std::uint32_t slot = shard.free_head;
  gantry_append append{};
  append.user_data = slot;
  append.spans = spans;
  append.links = links;
  append.store_ms = item.store_ms;
  append.n_spans = 4;
  append.n_links = item.second.queue == GANTRY_NO_QUEUE ? 1 : 2;
  append.bytes = header.total_bytes;
  append.fix_queue_off = kQueueOffsetAt;
  append.fix_phys_off = kPhysicalOffsetAt;
  append.fix_store_ms = encoded.store_ms_at;
  append.durability = item.durability;
  shard.keys.clear();
  const PropertyScan scan = scan_properties(item.props);
  append.n_keys = add_key_hashes(item.topic->name, scan.keys, scan.uniq_key, shard.keys);
  append.key_hashes = append.n_keys != 0 ? shard.keys.data() : nullptr;
  const std::int32_t accepted = core_.store.table->append(core_.store.self, index, &append, 1, shard.store_cq);
  if (accepted != 1) return accepted < 0 ? accepted : GANTRY_E_AGAIN;
  Pending &pending = shard.pending[slot];
  shard.free_head = pending.next_free;
  pending = Pending{item.done, item.arg, item.user_data, &item.topic->queues[item.queue_no], kNoSlot};
  return GANTRY_OK;
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
