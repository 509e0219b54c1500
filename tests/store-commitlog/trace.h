// What a store did to its disk, as a list, and the disks that a loss of power may leave behind after any beginning of that list.
//
// The model is as pessimistic as POSIX allows. What counts as kept for sure:
//   bytes, sizes and allocations of a file   once a flush of that file began after they were done; a flushing write keeps itself and the size
//   names in a folder                        once a flush of that folder began after they were changed
// Everything else may be there or not, each on its own, and bytes may be there in part. A name may lead to a file whose bytes are missing.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace gantry::test {

enum class EventKind : std::uint8_t {
  kMakeDir, kCreate, kRename, kRemove, kSyncDir,         // names; kSyncDir: `path` is the folder
  kAllocate, kTruncate, kWrite, kLogWrite, kSync,        // contents
  kSyncFailed,                                           // the kernel forgets that these bytes wait: no later flush brings them
  kLogDone,                                              // the log write `refers_to` is finished
  kNote,                                                 // of the workload: `note`, `value`
};

enum class Note : std::uint8_t { kAck, kSyncAck, kLogBegin };

struct Event {
  EventKind kind = EventKind::kNote;
  std::uint32_t file = 0;     // number in this trace; names come and go, this stays
  std::string path, to;       // below the data folder
  std::int64_t offset = 0;    // kAllocate, kTruncate: the size
  std::shared_ptr<const std::string> data;
  bool dsync = false;
  bool zeros = false;         // kWrite: of nothing else
  std::size_t refers_to = 0;
  Note note = Note::kAck;
  std::int64_t value = 0;

  [[nodiscard]] bool is_name() const { return kind <= EventKind::kRemove; }
  [[nodiscard]] bool is_data() const { return kind == EventKind::kWrite || kind == EventKind::kLogWrite; }
  [[nodiscard]] bool changes_disk() const { return is_name() || is_data() || kind == EventKind::kAllocate || kind == EventKind::kTruncate; }
};

// Thread-safe while it is recorded; to be read when nothing records any more.
class Trace {
 public:
  explicit Trace(std::string root) : root_(std::move(root)) {}

  // Takes over what is below the root already, as safely on disk.
  void begin_with_what_is_there();
  [[nodiscard]] std::size_t begin() const { return begin_; }  // events before it are that
  [[nodiscard]] const std::vector<Event> &events() const { return events_; }
  [[nodiscard]] std::size_t size() const;

  void opened(int fd, const std::string &path, int flags);
  void allocated(int fd, std::int64_t bytes);
  void truncated(int fd, std::int64_t bytes);
  void written(int fd, const void *data, std::size_t bytes, std::int64_t offset);
  [[nodiscard]] std::size_t log_write(int fd, const void *data, std::size_t bytes, std::int64_t offset, bool dsync);
  void log_done(std::size_t write);
  void synced(int fd);
  void sync_failed(int fd);
  void renamed(const std::string &from, const std::string &to);
  void removed(const std::string &path);
  void made_dir(const std::string &path);
  void synced_dir(const std::string &path);
  void note(Note note, std::int64_t value);

  [[nodiscard]] std::string describe(std::size_t event) const;

 private:
  std::string below_root(const std::string &path) const;
  std::size_t add(Event event);
  std::uint32_t file_of(int fd) const;

  const std::string root_;
  mutable std::mutex mutex_;
  std::vector<Event> events_;
  std::size_t begin_ = 0;
  std::uint32_t files_ = 0;
  std::map<std::string, std::uint32_t> names_;
  std::map<int, std::uint32_t> fds_;
};

// What became of an event that was not kept for sure; those not named are there.
struct Fate {
  enum class How : std::uint8_t { kLost, kFront, kBack, kSectors };
  std::size_t event = 0;
  How how = How::kLost;
  std::uint32_t bytes = 0;  // kFront: so many are there; kBack: those behind so many; kSectors: the unit of which about half is there
};

// The disk after events 0..end-1 with these fates, in order of events.
struct CrashState {
  std::size_t end = 0;
  std::vector<Fate> fates;
};

class CrashModel {
 public:
  explicit CrashModel(const Trace &trace);

  // Events before `end` that are not kept for sure if power goes there.
  [[nodiscard]] std::vector<std::size_t> unsure(std::size_t end) const;
  // The log write was submitted and not yet answered at `end`.
  [[nodiscard]] bool in_flight(std::size_t event, std::size_t end) const;
  // Every state in question when power goes at `end`: all there, all unsure ones lost, up to three of the last ones lost, all but up to three of
  // these lost, the last writes torn at 512 bytes and 4 KiB.
  void states_at(std::size_t end, const std::function<void(CrashState)> &emit) const;
  // A number that two states have in common if and (but for chance) only if the disks are the same.
  [[nodiscard]] std::uint64_t fingerprint(const CrashState &state) const;
  // Makes that disk below `folder`, which is emptied first.
  void materialise(const CrashState &state, const std::string &folder) const;
  [[nodiscard]] std::string describe(const CrashState &state) const;

 private:
  const Trace &trace_;
  const std::vector<Event> &events_;
  std::vector<std::size_t> kept_at_;  // per event: kept for sure in all prefixes that are longer than this
  std::vector<std::size_t> done_at_;  // per log write
};

}  // namespace gantry::test
