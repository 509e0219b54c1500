#include "kernel/semantics/pop_result.hpp"

#include <memory>

namespace gantry::semantics {

namespace {

// Results are made and released mostly on one shard; what another thread releases joins that thread's pool.
constexpr std::size_t kPoolMax = 64;
thread_local std::vector<std::unique_ptr<PopResult>> pool;

void retain(gantry_owner *owner) noexcept { reinterpret_cast<PopResult *>(owner)->references.fetch_add(1, std::memory_order_relaxed); }

void release(gantry_owner *owner) noexcept {
  std::unique_ptr<PopResult> result(reinterpret_cast<PopResult *>(owner));
  if (result->references.fetch_sub(1, std::memory_order_acq_rel) != 1) {
    (void)result.release();
    return;
  }
  for (gantry_owner *inner : result->pinned) inner->release(inner);
  result->pinned.clear();
  if (pool.size() < kPoolMax) pool.push_back(std::move(result));
}

}  // namespace

PopResult *PopResult::make() {
  std::unique_ptr<PopResult> made;
  if (pool.empty()) {
    made = std::make_unique<PopResult>();
  } else {
    made = std::move(pool.back());
    pool.pop_back();
    made->records.clear();
    made->parts.clear();
    made->abi_parts.clear();
  }
  made->references.store(1, std::memory_order_relaxed);
  made->owner = gantry_owner{retain, release, 0};
  made->abi = gantry_pop_result{};
  return made.release();
}

void PopResult::seal(std::uint32_t outcome) {
  for (PopPart &part : parts) {
    part.abi.deliveries = part.deliveries.empty() ? nullptr : part.deliveries.data();
    abi_parts.push_back(part.abi);
  }
  for (const gantry_owner *inner : pinned) owner.bytes += inner->bytes;
  abi.size = sizeof abi;
  abi.outcome = outcome;
  abi.owner = &owner;
  abi.records = records.data();
  abi.parts = abi_parts.data();
  abi.n = static_cast<std::uint32_t>(records.size());
  abi.n_parts = static_cast<std::uint32_t>(abi_parts.size());
}

}  // namespace gantry::semantics
