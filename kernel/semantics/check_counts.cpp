#include "kernel/semantics/check_counts.hpp"

#include "kernel/semantics/chunk_rows.hpp"

#include <gantry++/bytes.hpp>
#include <gantry++/str.hpp>

#include <algorithm>

namespace gantry::semantics {

namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kRowsPerWrite = 16;  // 64 KiB each at most
constexpr std::uint32_t kCountMax = 65'535;

}  // namespace

// Version, then per half message its offset in the chunk and its count, 16 bits each.
Result<void> CheckCounts::restore(broker::Core &core) {
  for (auto it = core.restored_rows.lower_bound(key_); it != core.restored_rows.end() && it->first.starts_with(key_); it = core.restored_rows.erase(it)) {
    std::int64_t chunk = -1;
    const bool named = parse_chunk_key(it->first, key_.size(), &chunk);
    ByteReader in(it->second);
    const std::uint8_t version = in.u8();
    while (!in.at_end() && !in.failed()) {
      const std::uint16_t at = in.u16();
      counts_[chunk * kChunk + at].asked = in.u16();
    }
    if (!named || chunk < 0 || version != kVersion || in.failed())
      return Error{GANTRY_E_CORRUPT, "row '" + it->first + "' of the store is damaged or of a later version"};
  }
  return {};
}

std::string CheckCounts::row_of(std::int64_t chunk, bool *empty) const {
  std::string row(1, static_cast<char>(kVersion));
  for (auto it = counts_.lower_bound(chunk * kChunk); it != counts_.end() && it->first < (chunk + 1) * kChunk; ++it) {
    char entry[4];
    store_be16(entry, static_cast<std::uint16_t>(it->first % kChunk));
    store_be16(entry + 2, static_cast<std::uint16_t>(it->second.asked));
    row.append(entry, sizeof entry);
  }
  *empty = row.size() == 1;
  return row;
}

void CheckCounts::save(broker::Core &core) {
  while (!changed_.empty()) {
    std::vector<std::int64_t> chunks;
    std::vector<std::string> keys, rows;
    std::vector<gantry_meta_op> ops;
    for (const std::int64_t chunk : changed_) {
      if (chunks.size() == kRowsPerWrite) break;
      bool empty = false;
      chunks.push_back(chunk);
      keys.push_back(chunk_key(key_, chunk));
      rows.push_back(row_of(chunk, &empty));
      ops.push_back({empty ? GANTRY_META_DELETE : GANTRY_META_PUT, 0, {}, {}});
    }
    for (std::size_t i = 0; i < ops.size(); ++i) {
      ops[i].key = str(keys[i]);
      if (ops[i].op == GANTRY_META_PUT) ops[i].value = str(rows[i]);
    }
    const std::int32_t status = core.store.table->meta_write(core.store.self, ops.data(), static_cast<std::uint32_t>(ops.size()), GANTRY_DURABILITY_WRITTEN, 0, 0);
    if (status != GANTRY_OK) {
      if (status != GANTRY_E_AGAIN) core.say(GANTRY_LOG_WARN, "transactions: counts of checks were not written (code " + std::to_string(status) + "); tried again");
      return;
    }
    for (const std::int64_t chunk : chunks) changed_.erase(chunk);
  }
}

std::uint32_t CheckCounts::of(std::int64_t queue_off) const {
  const auto it = counts_.find(queue_off);
  return it == counts_.end() ? 0 : it->second.asked;
}

bool CheckCounts::asked_in(std::int64_t queue_off, std::uint64_t round) const {
  const auto it = counts_.find(queue_off);
  return it != counts_.end() && it->second.round == round;
}

void CheckCounts::add(std::int64_t queue_off, std::uint64_t round) {
  Count &count = counts_[queue_off];
  count.asked = std::min(count.asked + 1, kCountMax);
  count.round = round;
  changed_.insert(queue_off / kChunk);
}

void CheckCounts::forget(std::int64_t queue_off) {
  if (counts_.erase(queue_off) != 0) changed_.insert(queue_off / kChunk);
}

void CheckCounts::forget_if(const std::function<bool(std::int64_t queue_off)> &gone) {
  std::erase_if(counts_, [&](const auto &entry) {
    if (!gone(entry.first)) return false;
    changed_.insert(entry.first / kChunk);
    return true;
  });
}

}  // namespace gantry::semantics
