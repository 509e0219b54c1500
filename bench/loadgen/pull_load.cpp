#include "loadgen/pull_load.hpp"

#include <cstddef>

#include "wire/bytes.hpp"
#include "wire/clock.hpp"

namespace gantry::bench {

namespace {

// Fixed positions in a stored message: total size 0, magic 4, queue offset 20; with IPv4 hosts the body length is at 84.
constexpr std::size_t kMagicAt = 4;
constexpr std::size_t kQueueOffsetAt = 20;
constexpr std::size_t kSysFlagAt = 36;
constexpr std::size_t kBodyLengthAt = 84;
constexpr std::size_t kSmallestMessage = kBodyLengthAt + 4;
constexpr std::uint32_t kMagicV1 = 0xDAA320A7u;
constexpr std::uint32_t kMagicV2 = 0xDAA320ABu;
constexpr std::uint32_t kBornHostV6 = 1u << 4;
constexpr std::uint32_t kStoreHostV6 = 1u << 5;
/// Header flag: the request brings its own subscription.
constexpr const char *kSubscriptionFlag = "4";

std::size_t body_length_at(std::string_view message) {
  const std::uint32_t flags = load_be32(message.data() + kSysFlagAt);
  return kBodyLengthAt + (flags & kBornHostV6 ? 12 : 0) + (flags & kStoreHostV6 ? 12 : 0);
}

}  // namespace

PullLoad::PullLoad(const Options &options, Tally &tally)
    : options_(options), tally_(tally), subscription_version_(std::to_string(wall_ms())) {
  for (unsigned i = 0; i < options.depth; ++i) {
    for (unsigned connection = 0; connection < options.connections; ++connection) {
      slots_.push_back({connection, static_cast<unsigned>(slots_.size()) % options.queues, 0});
    }
  }
}

void PullLoad::issue(Engine &engine, std::uint32_t slot, std::uint64_t now_ns) {
  const Slot &at = slots_[slot];
  const Fields fields{{"commitOffset", "0"},
                      {"consumerGroup", options_.group},
                      {"expressionType", options_.expression.empty() ? "TAG" : "SQL92"},
                      {"maxMsgNums", std::to_string(options_.batch)},
                      {"queueId", std::to_string(at.queue)},
                      {"queueOffset", std::to_string(at.offset)},
                      {"subVersion", subscription_version_},
                      {"subscription", options_.expression.empty() ? "*" : options_.expression},
                      {"suspendTimeoutMillis", "0"},
                      {"sysFlag", kSubscriptionFlag},
                      {"topic", options_.topic}};
  const BuiltFrame frame = build_request(options_.header, RequestCode::kPullMessage, kFirstOpaque, fields, {});
  engine.issue(at.connection, now_ns, slot, frame.bytes, {}, frame.opaque_at);
}

void PullLoad::begin(Engine &engine, std::uint64_t now_ns) {
  for (std::uint32_t slot = 0; slot < slots_.size(); ++slot) issue(engine, slot, now_ns);
}

bool PullLoad::is_exhausted() const {
  // Every slot has seen the end of its queue twice and nobody has seen a message.
  const bool nothing_there = tally_.messages == 0 && tally_.empty >= 2 * slots_.size() + 2 * options_.queues;
  return nothing_there || (options_.count != 0 && tally_.messages >= options_.count);
}

void PullLoad::restart(Slot &slot) {
  slot.queue = (slot.queue + static_cast<unsigned>(slots_.size())) % options_.queues;
  slot.offset = 0;
}

void PullLoad::take_messages(Slot &slot, std::string_view body) {
  while (!body.empty()) {
    const std::size_t size = body.size() >= kSmallestMessage ? load_be32(body.data()) : 0;
    const std::uint32_t magic = size != 0 ? load_be32(body.data() + kMagicAt) : 0;
    if (size < kSmallestMessage || size > body.size() || (magic != kMagicV1 && magic != kMagicV2)) {
      throw BenchError(options_.broker.text() + " delivered bytes that are not stored messages");
    }
    const auto offset = static_cast<std::int64_t>(load_be64(body.data() + kQueueOffsetAt));
    // A filter leaves gaps.
    if (options_.expression.empty() ? offset != slot.offset : offset < slot.offset) ++tally_.misplaced;
    slot.offset = offset + 1;
    ++tally_.messages;
    const std::size_t length_at = body_length_at(body);
    if (length_at + 4 <= size) tally_.body_bytes += load_be32(body.data() + length_at);
    body.remove_prefix(size);
  }
}

bool PullLoad::follow(Slot &slot, const Reply &reply) {
  const auto field = find_field(reply.header, "nextBeginOffset");
  const auto next = field ? to_integer(*field) : std::nullopt;
  if (!next || *next < slot.offset || (*next == slot.offset && reply.body.empty())) return false;
  slot.offset = *next;
  return true;
}

void PullLoad::on_reply(Engine &engine, const Reply &reply) {
  Slot &slot = slots_[reply.request.tag];
  switch (static_cast<ResponseCode>(reply.header.code)) {
    case ResponseCode::kSuccess:
      tally_.latency.record(reply.now_ns > reply.request.start_ns ? reply.now_ns - reply.request.start_ns : 0);
      take_messages(slot, reply.body);
      if (!options_.expression.empty() && !follow(slot, reply)) ++tally_.misplaced;
      break;
    case ResponseCode::kPullNotFound:
      ++tally_.empty;
      restart(slot);
      break;
    case ResponseCode::kPullRetryImmediately:
    case ResponseCode::kPullOffsetMoved:
      ++tally_.empty;
      if (!follow(slot, reply)) restart(slot);
      break;
    default:
      tally_.refuse(reply.header.code, reply.header.remark);
      restart(slot);
  }
  if (!engine.is_stopping() && !is_exhausted()) issue(engine, reply.request.tag, reply.now_ns);
}

}  // namespace gantry::bench
