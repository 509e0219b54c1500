// Checkpoint: everything that recovery would otherwise have to find by scanning the log before one position.
//
// Two files, checkpoint.0 and checkpoint.1, written in turn; each is whole or absent; the tail has checksums of all parts:
//   CheckpointHead, queue rows {CheckpointQueue, topic}, meta rows {u32 key bytes, u32 value bytes, key, value}, index sections, CheckpointTail
#pragma once

#include "core.hpp"
#include "index_view.hpp"
#include "rows.hpp"

#include <optional>
#include <string>
#include <vector>

namespace gantry::commitlog {

struct CheckpointHead {
  char magic[8] = {'G', 'A', 'N', 'T', 'R', 'Y', 'C', 'P'};
  std::uint32_t version = 1;
  std::uint32_t clean = 0;          // 1: the log ends at pos
  std::uint64_t generation = 0;     // the greater one is newer
  std::int64_t pos = 0;             // all before it is in here or in runs
  std::uint64_t epoch = 0;          // of the log at pos
  std::int64_t log_begin = 0;       // base of the oldest segment that could be read from at that time
  std::int64_t index_base = 0;      // segment that the index sections are about
  std::int64_t index_segment_bytes = 0, first_store_ms = 0, last_store_ms = 0;
  std::uint64_t queue_count = 0, row_count = 0, next_queue = 0;
};
static_assert(sizeof(CheckpointHead) == 104);

struct CheckpointQueue {
  std::uint32_t queue = 0, queue_no = 0, kind = 0, topic_bytes = 0;
  std::int64_t next_off = 0;
};
static_assert(sizeof(CheckpointQueue) == 24);

struct CheckpointTail {
  IndexSections sections;
  std::uint64_t bytes = 0;  // of the whole file
  std::uint32_t front_crc = 0;  // of everything before the index sections
  std::uint32_t crc = 0;        // of this struct up to here; it has the checksums of all parts
};
static_assert(sizeof(CheckpointTail) == 88);

// What is written, taken in one moment under the core's mutex.
struct CheckpointSnapshot {
  CheckpointHead head;
  struct Queue {
    CheckpointQueue row;
    const std::string *topic;  // names are never freed
  };
  std::vector<Queue> queues;
  IndexView index;
};

// A loaded one. Spans and views point into `bytes`.
struct Checkpoint {
  AlignedBuffer bytes;
  CheckpointHead head;
  std::vector<std::pair<CheckpointQueue, std::string_view>> queues;
  std::vector<std::pair<std::string_view, std::string_view>> rows;
  IndexReader index;
  int slot = 0;
};

// Writes it into the slot of its generation. Rows must be as of head.pos. Returns the bytes written. [blocking: may]
[[nodiscard]] Result<std::uint64_t> write_checkpoint(const Core &core, const CheckpointSnapshot &snapshot, Rows &rows);
// nullopt and a line in *problems when the slot holds none that is whole. [blocking: may]
[[nodiscard]] std::optional<Checkpoint> load_checkpoint(const Core &core, int slot, std::vector<std::string> *problems);

[[nodiscard]] std::string checkpoint_name(std::uint64_t generation);

}  // namespace gantry::commitlog
