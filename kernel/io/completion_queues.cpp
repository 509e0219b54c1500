#include "kernel/io/completion_queues.hpp"

#include <algorithm>

#include "kernel/io/shard.hpp"

namespace gantry::io {

struct CompletionQueues::Slot {
  std::atomic<std::uint32_t> generation{0};  // odd = open
  std::atomic<Shard *> shard{nullptr};
  gantry_cq_ready_fn ready = nullptr;
  void *self = nullptr;
  std::vector<gantry_cqe> local;  // pushed on the shard itself
  bool enlisted = false;          // in the shard's list of queues to deliver
  std::mutex mutex;               // guards the two below, and the generation against closing
  std::vector<gantry_cqe> remote;
  bool announced = false;  // a task that enlists the queue is under way
};

struct CompletionQueues::Chunk {
  std::array<Slot, kChunkSlots> slots;
};

namespace {
std::uint32_t generation_of(gantry_cq cq) { return static_cast<std::uint32_t>(cq >> 32); }
}  // namespace

CompletionQueues::~CompletionQueues() {
  for (auto &chunk : chunks_) delete chunk.load();
}

gantry_cq CompletionQueues::create(Shard &shard, gantry_cq_ready_fn ready, void *self) {
  const std::lock_guard lock(mutex_);
  std::uint32_t index;
  if (!free_.empty()) {
    index = free_.back();
    free_.pop_back();
  } else {
    if (used_ == kChunks * kChunkSlots) return 0;
    index = used_++;
    if (index % kChunkSlots == 0) chunks_[index / kChunkSlots].store(new Chunk, std::memory_order_release);
  }
  Slot &slot = chunks_[index / kChunkSlots].load(std::memory_order_relaxed)->slots[index % kChunkSlots];
  slot.ready = ready;
  slot.self = self;
  slot.shard.store(&shard, std::memory_order_relaxed);
  const std::uint32_t generation = slot.generation.load(std::memory_order_relaxed) + 1;
  slot.generation.store(generation, std::memory_order_release);
  return gantry_cq{generation} << 32 | index;
}

CompletionQueues::Slot *CompletionQueues::find(gantry_cq cq) const {
  const auto index = static_cast<std::uint32_t>(cq);
  if (index >= kChunks * kChunkSlots || generation_of(cq) % 2 == 0) return nullptr;
  Chunk *chunk = chunks_[index / kChunkSlots].load(std::memory_order_acquire);
  return chunk == nullptr ? nullptr : &chunk->slots[index % kChunkSlots];
}

std::int32_t CompletionQueues::push(gantry_cq cq, const gantry_cqe *cqes, std::uint32_t n) {
  Slot *slot = find(cq);
  if (slot == nullptr || slot->generation.load(std::memory_order_acquire) != generation_of(cq)) return GANTRY_E_CLOSED;
  Shard *shard = slot->shard.load(std::memory_order_relaxed);
  if (shard == Shard::current()) {
    slot->local.insert(slot->local.end(), cqes, cqes + n);
    if (!slot->enlisted) {
      slot->enlisted = true;
      shard->enlist(cq);
    }
    return GANTRY_OK;
  }
  const std::lock_guard lock(slot->mutex);
  if (slot->generation.load(std::memory_order_relaxed) != generation_of(cq)) return GANTRY_E_CLOSED;
  if (!slot->announced) {
    // Under the queue's lock: a second pusher that finds `announced` set may rely on the announcement having been taken.
    if (!shard->announce(cq)) return GANTRY_E_CLOSED;
    slot->announced = true;
  }
  slot->remote.insert(slot->remote.end(), cqes, cqes + n);
  return GANTRY_OK;
}

void CompletionQueues::close(gantry_cq cq) {
  Slot *slot = find(cq);
  if (slot == nullptr) return;
  {
    const std::lock_guard lock(slot->mutex);
    if (slot->generation.load(std::memory_order_relaxed) != generation_of(cq)) return;
    slot->generation.fetch_add(1, std::memory_order_release);
    slot->remote.clear();
    slot->announced = false;
  }
  slot->local.clear();
  slot->enlisted = false;
  const std::lock_guard lock(mutex_);
  free_.push_back(static_cast<std::uint32_t>(cq));
}

std::uint64_t CompletionQueues::deliver(gantry_cq cq, std::vector<gantry_cqe> &spare) {
  Slot *slot = find(cq);
  if (slot == nullptr || slot->generation.load(std::memory_order_acquire) != generation_of(cq)) return 0;
  std::uint64_t delivered = 0;
  slot->enlisted = false;
  spare.clear();
  spare.swap(slot->local);
  if (!hand_over(*slot, generation_of(cq), spare, delivered)) return delivered;
  spare.clear();
  {
    const std::lock_guard lock(slot->mutex);
    spare.swap(slot->remote);
    slot->announced = false;
  }
  hand_over(*slot, generation_of(cq), spare, delivered);
  return delivered;
}

bool CompletionQueues::hand_over(Slot &slot, std::uint32_t generation, const std::vector<gantry_cqe> &records, std::uint64_t &delivered) {
  for (std::size_t i = 0; i < records.size(); i += kMaxBatch) {
    const auto n = static_cast<std::uint32_t>(std::min<std::size_t>(kMaxBatch, records.size() - i));
    slot.ready(slot.self, records.data() + i, n);
    delivered += n;
    if (slot.generation.load(std::memory_order_relaxed) != generation) return false;
  }
  return true;
}

}  // namespace gantry::io
