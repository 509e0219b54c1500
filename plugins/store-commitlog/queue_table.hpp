// All queues of the store: names, handles, and per queue 64 bytes of state. Guarded by the store's mutex.
#pragma once

#include "segment_index.hpp"

#include <gantry/draft/store.h>

#include <boost/unordered/unordered_flat_set.hpp>

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace gantry::commitlog {

// The entries of a queue in a segment whose index lives in a run file.
struct PartRef {
  std::uint32_t segment_no = 0;
  std::uint32_t count = 0;
  QueueOff first;
  std::int64_t first_store_ms = 0;  // 0 = unknown
};

struct alignas(64) QueueState {
  QueueOff visible;   // records before it are acknowledged and readable
  QueueOff appended;  // next offset to give
  QueuePart *part = nullptr;  // newest part in memory; older ones follow by QueuePart::older
  std::unique_ptr<std::vector<PartRef>> refs;  // older still, in order; null when there are none
  std::uint32_t topic = 0, queue_no = 0;
  std::uint32_t kind = 0;
  std::uint32_t frame_seq = 0;   // the frame in which it has row `frame_row`
  std::uint16_t frame_row = 0;
  bool alive = false;

  void add_ref(const PartRef &ref);  // newer than those before
  // Offset of the oldest entry still there; `appended` when there is none. Drops references to segments before first_segment_no.
  [[nodiscard]] QueueOff trim(std::uint32_t first_segment_no);
  // Forgets entries in segments before that one, also those whose index is in memory. All of them are acknowledged.
  void forget_before(std::uint32_t first_segment_no);
};
static_assert(sizeof(QueueState) <= 64);

class QueueTable {
 public:
  QueueTable() = default;
  QueueTable(const QueueTable &) = delete;  // the set of names points to it
  QueueTable &operator=(const QueueTable &) = delete;

  static constexpr std::uint32_t kMaxQueues = 64u << 20;

  // GANTRY_NO_QUEUE when unknown.
  [[nodiscard]] gantry_queue find(std::string_view topic, std::uint32_t queue_no) const;
  // Gives the next handle; the name must be new. GANTRY_NO_QUEUE: kMaxQueues reached.
  gantry_queue add(std::string_view topic, std::uint32_t queue_no, std::uint32_t kind);
  // Recovery: under the handle it had. False: handle taken by another name, or absurd.
  [[nodiscard]] bool add_at(gantry_queue queue, std::string_view topic, std::uint32_t queue_no, std::uint32_t kind);
  // The handle is never given again, so that stale entries in run files cannot come back under another name.
  void drop(gantry_queue queue);

  [[nodiscard]] QueueState *get(gantry_queue queue) {  // null: never given, or dropped
    if (queue >= size_) return nullptr;
    QueueState *slab = slabs_[queue / kSlab].get();
    return slab != nullptr && slab[queue % kSlab].alive ? slab + queue % kSlab : nullptr;
  }
  // Where its state lies, for a prefetch; null when there is none.
  [[nodiscard]] const QueueState *place_of(gantry_queue queue) const {
    return queue < size_ && slabs_[queue / kSlab] != nullptr ? &slabs_[queue / kSlab][queue % kSlab] : nullptr;
  }
  [[nodiscard]] const std::string &topic_of(const QueueState &state) const { return topics_[state.topic]; }
  [[nodiscard]] const std::string &topic_name(std::uint32_t topic) const { return topics_[topic]; }  // of QueueState::topic; stays where it is
  [[nodiscard]] std::uint64_t size() const { return size_; }     // handles given so far, dropped ones included
  [[nodiscard]] std::uint64_t alive() const { return alive_; }
  void reserve_handles(std::uint64_t size);  // recovery: handles below were given in an earlier life
  // Recovery: something is there that was written under this handle, whether or not its name is known. It is not given again. Absurd ones are passed over.
  void note_given(gantry_queue queue) {
    if (queue < kMaxQueues) reserve_handles(queue + 1);
  }

 private:
  static constexpr std::uint32_t kSlab = 1024;
  struct NameKey {
    std::uint32_t topic, queue_no;
    bool operator==(const NameKey &) const = default;
  };
  // The set of names holds handles only; what a handle is called stands in its state.
  [[nodiscard]] NameKey name_of(std::uint32_t queue) const {
    const QueueState &state = slabs_[queue / kSlab][queue % kSlab];
    return {state.topic, state.queue_no};
  }
  struct NameHash {
    using is_transparent = void;
    const QueueTable *table;
    std::size_t operator()(const NameKey &k) const { return (std::uint64_t{k.topic} << 32 | k.queue_no) * 0x9E3779B97F4A7C15ull; }
    std::size_t operator()(std::uint32_t queue) const { return (*this)(table->name_of(queue)); }
  };
  struct NameEqual {
    using is_transparent = void;
    const QueueTable *table;
    bool operator()(std::uint32_t a, std::uint32_t b) const { return a == b; }
    bool operator()(const NameKey &k, std::uint32_t queue) const { return k == table->name_of(queue); }
    bool operator()(std::uint32_t queue, const NameKey &k) const { return k == table->name_of(queue); }
  };
  std::uint32_t intern(std::string_view topic);

  std::vector<std::unique_ptr<QueueState[]>> slabs_;  // null where no queue ever was in this process
  std::uint64_t size_ = 0, alive_ = 0;
  std::deque<std::string> topics_;  // stable addresses for the views below
  std::unordered_map<std::string_view, std::uint32_t> topic_ids_;
  boost::unordered_flat_set<std::uint32_t, NameHash, NameEqual> by_name_{0, NameHash{this}, NameEqual{this}};
};

}  // namespace gantry::commitlog
