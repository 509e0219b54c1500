#include "rows.hpp"

namespace gantry::commitlog {

std::uint64_t Rows::apply(std::span<const std::uint8_t> ops, std::uint64_t count) {
  std::vector<MetaOp> parsed;
  GANTRY_ASSERT(parse_meta_ops(ops, static_cast<std::uint32_t>(count), &parsed));  // our own encoding, or checked against its crc
  for (const MetaOp &op : parsed) {
    if (op.op == static_cast<std::uint8_t>(MetaOpKind::kPut)) put({op.key, op.key_bytes}, {op.value, op.value_bytes});
    if (op.op == static_cast<std::uint8_t>(MetaOpKind::kDelete)) remove({op.key, op.key_bytes});
  }
  return size();
}

void Rows::put(std::string_view key, std::string_view value) {
  const std::lock_guard lock(mutex_);
  if (const auto at = rows_.find(key); at != rows_.end()) {
    at->second = value;
  } else {
    rows_.emplace(key, value);
  }
}

void Rows::remove(std::string_view key) {
  const std::lock_guard lock(mutex_);
  if (const auto at = rows_.find(key); at != rows_.end()) rows_.erase(at);
}

void Rows::each(const std::function<void(const std::string &, const std::string &)> &visit) {
  const std::lock_guard lock(mutex_);
  for (const auto &[key, value] : rows_) visit(key, value);
}

std::uint64_t Rows::size() {
  const std::lock_guard lock(mutex_);
  return rows_.size();
}

}  // namespace gantry::commitlog
