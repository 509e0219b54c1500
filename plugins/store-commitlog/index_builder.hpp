// Rebuilds the index of a segment from frames or from a checkpoint.
#pragma once

#include "format.hpp"
#include "index_view.hpp"
#include "segment.hpp"

#include <unordered_map>
#include <vector>

namespace gantry::commitlog {

class IndexBuilder {
 public:
  // Into segment.index, which must be empty.
  explicit IndexBuilder(Segment &segment) : segment_(segment) {}

  void load(const IndexReader &from, std::int64_t first_ms, std::int64_t last_ms);
  // The records of a frame; bad[i] != 0: record i failed its checksum and is entered as damaged. Offsets that were given to records of a
  // lost frame are entered as lost.
  void add(const ParsedFrame &frame, const std::vector<std::uint8_t> &bad);
  [[nodiscard]] std::uint64_t lost_entries() const { return lost_; }

  // The first places found damaged, for the log.
  struct Loss {
    std::uint32_t queue = 0;
    QueueOff first;
    std::int64_t count = 0;
    LogPos pos;  // negative: of a frame that is lost as a whole
  };
  static constexpr std::size_t kMostLosses = 32;
  [[nodiscard]] const std::vector<Loss> &losses() const { return losses_; }

 private:
  void note_loss(const Loss &loss);
  [[nodiscard]] QueuePart *part_for(std::uint32_t queue, std::int64_t offset);

  Segment &segment_;
  std::unordered_map<std::uint32_t, QueuePart *> parts_;
  std::vector<std::int64_t> next_;
  std::uint64_t lost_ = 0;
  std::vector<Loss> losses_;
};

}  // namespace gantry::commitlog
