#include "kernel/broker/fetch/fetch_result.hpp"

#include <memory>
#include <vector>

namespace gantry::broker {

namespace {

struct PooledResult {
  gantry_owner owner;  // first, so that the owner's address is the object's
  gantry_fetch_result result;
  gantry_owner *inner;
  std::vector<gantry_record> kept;  // of a filtered result
  std::atomic<std::uint32_t> references;
};

// Results are made and released mostly on one shard; what another thread releases joins that thread's pool.
constexpr std::size_t kPoolMax = 256;
constexpr std::size_t kKeptMax = 64;  // records that a pooled result keeps room for
thread_local std::vector<std::unique_ptr<PooledResult>> pool;

void retain(gantry_owner *owner) noexcept {
  reinterpret_cast<PooledResult *>(owner)->references.fetch_add(1, std::memory_order_relaxed);
}

void release(gantry_owner *owner) noexcept {
  std::unique_ptr<PooledResult> result(reinterpret_cast<PooledResult *>(owner));
  if (result->references.fetch_sub(1, std::memory_order_acq_rel) != 1) {
    (void)result.release();
    return;
  }
  if (result->inner != nullptr) result->inner->release(result->inner);
  result->kept.clear();
  if (result->kept.capacity() > kKeptMax) result->kept.shrink_to_fit();
  if (pool.size() < kPoolMax) pool.push_back(std::move(result));
}

PooledResult *make(std::uint32_t outcome, std::int64_t next_off, std::int64_t min_off, std::int64_t max_off, const gantry_read_result *inner) {
  std::unique_ptr<PooledResult> made;
  if (pool.empty()) {
    made = std::make_unique<PooledResult>();
  } else {
    made = std::move(pool.back());
    pool.pop_back();
  }
  PooledResult *p = made.release();
  p->owner = gantry_owner{retain, release, inner != nullptr && inner->owner != nullptr ? inner->owner->bytes : 0};
  p->inner = inner != nullptr ? inner->owner : nullptr;
  p->references.store(1, std::memory_order_relaxed);
  p->result = gantry_fetch_result{sizeof(gantry_fetch_result), outcome, &p->owner, inner != nullptr ? inner->records : nullptr, inner != nullptr ? inner->n : 0, 0, next_off, min_off, max_off};
  return p;
}

}  // namespace

const gantry_fetch_result *make_fetch_result(std::uint32_t outcome, std::int64_t next_off, std::int64_t min_off, std::int64_t max_off, const gantry_read_result *inner) {
  return &make(outcome, next_off, min_off, max_off, inner)->result;
}

const gantry_fetch_result *make_fetch_result(const std::vector<gantry_record> &records, std::int64_t next_off, std::int64_t min_off, std::int64_t max_off, const gantry_read_result &inner) {
  PooledResult *p = make(GANTRY_FETCH_FOUND, next_off, min_off, max_off, &inner);
  p->kept = records;
  p->result.records = p->kept.data();
  p->result.n = static_cast<std::uint32_t>(p->kept.size());
  return &p->result;
}

}  // namespace gantry::broker
