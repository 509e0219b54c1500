// Finding records by the hash of a key, newest first: in runs by binary search, in the segments that have none yet by going through the
// keys that appends left in memory. Appends pay for one row per key and nothing else.
#pragma once

#include "hot_read.hpp"
#include "index_view.hpp"
#include "run_file.hpp"

#include <memory>
#include <vector>

namespace gantry::commitlog {

inline constexpr std::uint64_t kMaxKeyAnswerBytes = 4u << 20;  // the first record always fits

struct KeyQuery {
  gantry_cq cq = 0;
  gantry_key_query request{};
};

// A segment to look into. Without a run: its index as it was at one moment.
struct KeyPart {
  SegmentRef segment;
  std::shared_ptr<RunFile> run;
  std::shared_ptr<const SegmentIndex> index;  // owns what the view points at
  IndexView view;                             // no parts
  std::int64_t first_store_ms = 0;
};

class KeySearch {
 public:
  // Takes in which segments there are and how far the log is acknowledged. Locks Core::mutex.
  KeySearch(Core &core, const gantry_key_query &query);

  [[nodiscard]] const std::vector<KeyPart> &parts() const { return parts_; }  // newest first
  // Looks into a part; run: the part's, or the one made in its place. False: enough found. [blocking: may]
  bool visit(const KeyPart &part, RunFile *run);
  [[nodiscard]] const std::vector<ColdRecord> &found() const { return found_; }
  [[nodiscard]] bool more() const { return more_; }  // at least one further record matches

 private:
  bool consider(const KeyPart &part, std::int64_t first_store_ms, std::uint32_t offset, const RecordRow &row);

  const gantry_key_query query_;
  LogPos limit_;  // records before it
  std::vector<KeyPart> parts_;
  std::vector<ColdRecord> found_;
  std::uint64_t bytes_ = 0;
  bool more_ = false;
};

}  // namespace gantry::commitlog
