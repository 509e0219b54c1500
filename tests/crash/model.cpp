#include "model.h"

#include <gantry++/bytes.hpp>

namespace gantry::test::crash {

namespace {
constexpr std::size_t kCommonQueues = 5;

std::uint64_t mixed(std::uint64_t x) {
  x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9ull;
  x = (x ^ x >> 27) * 0x94D049BB133111EBull;
  return x ^ x >> 31;
}
}  // namespace

std::vector<QueueName> queues_of_round(std::uint64_t round) {
  std::vector<QueueName> out;
  for (std::uint32_t i = 0; i < kCommonQueues; ++i) out.emplace_back(i == 0 ? "%RETRY%group" : "Topic", i);
  out.emplace_back("Round" + std::to_string(round), 0);
  return out;
}

RecordSpec record_of(std::uint64_t serial) {
  const std::uint64_t h = mixed(serial + 1);
  RecordSpec out;
  const std::size_t first = h % (kCommonQueues + 1);
  out.queues.push_back(first);
  if (h >> 8 & 1 && h >> 9 & 1 && h >> 10 & 1) out.queues.push_back((first + 1) % (kCommonQueues + 1));
  for (std::size_t i = 0; i < out.queues.size(); ++i) out.tags.push_back(static_cast<std::int64_t>(h >> (16 + i)) % 1000 - 500);
  // Mostly small, now and then up to 40 KB, so that frames of all sizes and several blocks occur.
  const std::size_t size = h >> 32 & 15 ? 8 + (h >> 40) % 1500 : 8 + (h >> 40) % 40000;
  const std::uint64_t source = body_source(serial);
  std::string body = source == kNone ? filled(size, serial) : body_of(record_of(source).bytes);
  store_be64(body.data(), serial);
  out.bytes = make_record("Topic", static_cast<std::uint32_t>(first), body);
  out.key_hashes = {serial % kKeys, h | kKeys};
  out.store_ms = kTestWallMs + static_cast<std::int64_t>(serial / 16);
  return out;
}

std::uint64_t body_source(std::uint64_t serial) {
  const std::uint64_t h = mixed(serial + 7), before = 1 + (h >> 8) % 2500;
  return h % 4 == 0 && serial % kPerRound >= before ? serial - before : kNone;
}

std::uint64_t serial_in(std::string_view record) {
  return record.size() >= kRecordHeadBytes + 8 ? load_be64(record.data() + kRecordHeadBytes) : kNone;
}

std::vector<MetaOp> meta_of(std::uint64_t serial) {
  const std::uint64_t h = mixed(serial + 77);
  const std::string n = std::to_string(serial), slot = std::to_string(h % 20);
  const std::uint32_t op = h >> 8 & 3 ? GANTRY_META_PUT : GANTRY_META_DELETE;
  const std::string value = op == GANTRY_META_PUT ? n : "";
  return {{op, "pair-a/" + slot, value}, {op, "pair-b/" + slot, value}, {GANTRY_META_PUT, "last", n}};
}

void apply_meta(const std::vector<MetaOp> &ops, Rows &rows) {
  for (const MetaOp &op : ops) {
    if (op.op == GANTRY_META_PUT) {
      rows[op.key] = op.value;
    } else {
      rows.erase(op.key);
    }
  }
}

}  // namespace gantry::test::crash
