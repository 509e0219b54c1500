#include "kernel/semantics/pop_state.hpp"

#include "kernel/broker/meta_rows.hpp"
#include "kernel/broker/registry/names.hpp"

#include <gantry++/bytes.hpp>

namespace gantry::semantics {

namespace {

constexpr std::size_t kQueueValueBytes = 16;
constexpr std::size_t kCheckpointFixedBytes = 32;
constexpr std::size_t kOrderFixedBytes = 16, kOrderMessageBytes = 20, kAttemptMaxBytes = 255;
constexpr char kVersion = 1;
constexpr char kKeepCount = 1;

void put32(std::string &out, std::uint32_t value) {
  out.append(4, '\0');
  store_be32(out.data() + out.size() - 4, value);
}
void put64(std::string &out, std::int64_t value) {
  out.append(8, '\0');
  store_be64(out.data() + out.size() - 8, static_cast<std::uint64_t>(value));
}
std::int64_t get64(const char *p) { return static_cast<std::int64_t>(load_be64(p)); }

std::string key_of(const PopQueue &queue, char kind) {
  std::string key(broker::kPopRows);
  key += kind;
  key.append(queue.group).push_back('\0');
  key.append(queue.topic->name).push_back('\0');
  put32(key, queue.key.queue_no);
  return key;
}

}  // namespace

std::string pop_retry_topic(std::string_view group, std::string_view topic) {
  std::string name(broker::kRetryPrefix);
  name.append(group).push_back('_');
  return name.append(topic);
}

std::int64_t delivery_identity(const PopQueue &queue, std::int64_t offset, std::int64_t pop_ms) {
  std::string text(queue.group);
  text += '\0';
  text.append(queue.topic->name).push_back('\0');
  put32(text, queue.key.queue_no);
  put64(text, offset);
  put64(text, pop_ms);
  std::uint64_t h = 0xCBF29CE484222325ull;  // FNV-1a, then mixed
  for (const char c : text) h = (h ^ static_cast<std::uint8_t>(c)) * 0x100000001B3ull;
  h = (h ^ h >> 33) * 0xFF51AFD7ED558CCDull;
  return static_cast<std::int64_t>(h ^ h >> 33);
}

std::string pop_queue_key(const PopQueue &queue) { return key_of(queue, 'q'); }

std::string pop_queue_value(const PopQueue &queue) {
  std::string value;
  put64(value, queue.cursor);
  put64(value, queue.committed);
  return value;
}

std::string order_key(const PopQueue &queue) { return key_of(queue, 'i'); }

std::string order_value(const OrderInfo &order) {
  GANTRY_ASSERT(order.messages.size() <= GANTRY_POP_MAX_RECORDS);
  std::uint32_t acked = 0;
  for (std::size_t i = 0; i < order.messages.size(); ++i) acked |= (order.messages[i].acked ? 1u : 0u) << i;
  if (static_cast<std::size_t>(std::popcount(acked)) == order.messages.size()) return {};
  // An attempt with a longer name is only not recognised when it asks again.
  const std::string_view attempt = order.attempt.size() <= kAttemptMaxBytes ? std::string_view(order.attempt) : std::string_view();
  std::string value{kVersion, static_cast<char>(order.messages.size()), static_cast<char>(attempt.size()), '\0'};
  put32(value, acked);
  put64(value, order.pop_ms);
  value.append(attempt);
  for (const OrderInfo::Message &m : order.messages) {
    put64(value, m.offset);
    put64(value, m.visible_ms);
    put32(value, m.deliveries);
  }
  return value;
}

bool decode_order(std::string_view value, OrderInfo *out) {
  if (value.size() < kOrderFixedBytes || value[0] != kVersion) return false;
  const std::size_t n = static_cast<std::uint8_t>(value[1]), attempt_bytes = static_cast<std::uint8_t>(value[2]);
  if (n == 0 || n > GANTRY_POP_MAX_RECORDS || value.size() != kOrderFixedBytes + attempt_bytes + n * kOrderMessageBytes) return false;
  const std::uint32_t acked = load_be32(value.data() + 4);
  out->pop_ms = get64(value.data() + 8);
  out->attempt = value.substr(kOrderFixedBytes, attempt_bytes);
  const char *p = value.data() + kOrderFixedBytes + attempt_bytes;
  for (std::size_t i = 0; i < n; ++i, p += kOrderMessageBytes) {
    OrderInfo::Message m{get64(p), get64(p + 8), load_be32(p + 16), (acked >> i & 1) != 0};
    if (!out->messages.empty() && m.offset <= out->messages.back().offset) return false;
    out->messages.push_back(m);
  }
  return true;
}

std::string checkpoint_key(const PopQueue &queue, const Checkpoint &ck) {
  std::string key = key_of(queue, ck.kind == Due::Kind::kHeld ? 'h' : 'c');
  put64(key, ck.start_off);
  return key;
}

std::string checkpoint_value(const Checkpoint &ck) {
  std::string value{kVersion, static_cast<char>(ck.n), ck.keep_count ? kKeepCount : '\0', '\0'};
  put32(value, ck.pending);
  put64(value, ck.pop_ms);
  put64(value, ck.invisible_ms);
  put64(value, ck.phys_pos);
  for (std::uint32_t i = 0; i < ck.n; ++i) put32(value, ck.diffs[i]);
  return value;
}

bool decode_pop_key(std::string_view key, PopRow *out) {
  if (key.empty()) return false;
  out->kind = key[0];
  key.remove_prefix(1);
  const std::size_t group_end = key.find('\0');
  const std::size_t topic_end = group_end == std::string_view::npos ? group_end : key.find('\0', group_end + 1);
  const bool of_queue = out->kind == 'q' || out->kind == 'i';
  const std::size_t tail = of_queue ? 4 : 12;
  if (topic_end == std::string_view::npos || key.size() != topic_end + 1 + tail) return false;
  out->group = key.substr(0, group_end);
  out->topic = key.substr(group_end + 1, topic_end - group_end - 1);
  out->queue_no = load_be32(key.data() + topic_end + 1);
  out->offset = of_queue ? 0 : get64(key.data() + topic_end + 5);
  return true;
}

bool decode_pop_queue(std::string_view value, std::int64_t *cursor, std::int64_t *committed) {
  if (value.size() != kQueueValueBytes) return false;
  *cursor = get64(value.data());
  *committed = get64(value.data() + 8);
  return *committed >= 0 && *cursor >= *committed;
}

bool decode_checkpoint(std::string_view value, std::int64_t start_off, Checkpoint *out) {
  if (value.size() < kCheckpointFixedBytes || value[0] != kVersion) return false;
  out->n = static_cast<std::uint8_t>(value[1]);
  if (out->n == 0 || out->n > GANTRY_POP_MAX_RECORDS || value.size() != kCheckpointFixedBytes + 4 * out->n) return false;
  out->start_off = start_off;
  out->keep_count = (value[2] & kKeepCount) != 0;
  out->pending = load_be32(value.data() + 4);
  out->pop_ms = get64(value.data() + 8);
  out->invisible_ms = get64(value.data() + 16);
  out->phys_pos = get64(value.data() + 24);
  for (std::uint32_t i = 0; i < out->n; ++i) out->diffs[i] = load_be32(value.data() + kCheckpointFixedBytes + 4 * i);
  const std::uint32_t all = out->n == 32 ? ~0u : (1u << out->n) - 1;
  return out->pending != 0 && (out->pending & ~all) == 0;
}

}  // namespace gantry::semantics
