#include "kernel/io/connection.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

#include "kernel/io/connect.hpp"
#include "kernel/io/tls.hpp"

namespace gantry::io {

void ByteQueue::append(const std::uint8_t *p, std::size_t n) {
  if (n == 0) return;
  make_room(n, 2 * (size() + n));
  std::memcpy(memory_ + end_, p, n);
  end_ += n;
}

void ByteQueue::make_room(std::size_t n, std::size_t in_all) {
  if (spare() >= n) return;
  const std::size_t held = size();
  if (begin_ >= held && capacity_ - held >= n) {  // moving to the front is paid by the bytes dropped since
    std::memmove(memory_, memory_ + begin_, held);
    begin_ = 0;
    end_ = held;
    return;
  }
  const std::size_t capacity = std::max({held + n, std::min(in_all, 2 * (held + n)), std::size_t{256}});
  auto *grown = static_cast<std::uint8_t *>(std::malloc(capacity));
  GANTRY_ASSERT(grown != nullptr);
  if (held != 0) std::memcpy(grown, memory_ + begin_, held);
  std::free(memory_);
  memory_ = grown;
  begin_ = 0;
  end_ = held;
  capacity_ = capacity;
}

void ByteQueue::drop_front(std::size_t n) {
  begin_ += n;
  if (begin_ == end_) clear();
}

void ByteQueue::clear() {
  std::free(memory_);
  memory_ = nullptr;
  begin_ = end_ = capacity_ = 0;
}

Connection::Connection() = default;
Connection::~Connection() = default;

Connection *ConnectionTable::add() {
  std::uint32_t slot;
  if (!free_.empty()) {
    slot = free_.back();
    free_.pop_back();
  } else {
    if (end_ == kMaxConnSlots) return nullptr;
    slot = end_++;
    if (slot % kChunk == 0) chunks_.push_back(std::make_unique<Connection[]>(kChunk));
    at(slot).slot = slot;
  }
  ++size_;
  return &at(slot);
}

void ConnectionTable::release(Connection &conn) {
  const std::uint32_t slot = conn.slot;
  const std::uint32_t generation = conn.generation + 1 == 0 ? 1 : conn.generation + 1;
  conn.~Connection();
  new (&conn) Connection;
  conn.slot = slot;
  conn.generation = generation;
  free_.push_back(slot);
  --size_;
}

Connection *ConnectionTable::find(std::uint64_t conn) {
  const auto slot = static_cast<std::uint32_t>(conn & (kMaxConnSlots - 1));
  const auto generation = static_cast<std::uint32_t>(conn >> kConnGenerationShift);
  if (slot >= end_) return nullptr;
  Connection &found = at(slot);
  return found.generation == generation && found.stage != Stage::kFree ? &found : nullptr;
}

}  // namespace gantry::io
