// A disk in memory that knows what of it would outlive a loss of power. It gives no more than POSIX: bytes, sizes and allocations are kept by a flush of the
// file, names by a flush of their folder.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <vector>

namespace gantry::test::powercut {

struct Node;
using NodeRef = std::shared_ptr<Node>;

// A change of a file's bytes or size that no flush has covered yet.
struct FileChange {
  enum Kind : std::uint8_t { kWrite, kTruncate, kAllocate };
  Kind kind = kWrite;
  bool durable = false;   // by a flush of its own; changes before it may still be open
  std::uint64_t no = 0;   // counts over the whole disk
  std::int64_t size = 0;  // kTruncate, kAllocate: the file's size; kWrite: offset
  std::vector<std::uint8_t> data;
};

void apply_change(std::vector<std::uint8_t> *bytes, const FileChange &change);

// A file or a folder. Everything in it belongs to its disk's lock.
struct Node {
  std::uint64_t id = 0;
  bool folder = false;
  std::uint32_t mode = 0;
  std::int64_t changed_ms = 0;
  std::uint64_t lookups = 0;  // references that the kernel holds
  std::uint64_t names = 0;
  std::uint64_t parent = 0;  // where it was seen last
  std::string name;

  std::vector<std::uint8_t> shown, kept;  // file: what calls see; what the disk has
  std::deque<FileChange> open;            // what makes `shown` of `kept`, but for what a failed flush took
  bool flush_failed = false;

  std::map<std::string, NodeRef> entries, kept_entries;  // folder: likewise
};

// A change of names: `node` leaves one place, or comes to one, or both. Whole or not at all.
struct NameChange {
  NodeRef node, from, to;
  std::string from_name, to_name;
};

struct CutReport {
  std::uint64_t kept = 0, dropped = 0, torn = 0, names_kept = 0, names_dropped = 0;
  std::vector<std::string> lines;  // what became of each open change
};

// All calls return 0 or a value >= 0 on success and -errno on failure. [thread: any]
class Disk {
 public:
  static constexpr std::uint64_t kRoot = 1;

  // Bytes that fit; 0: no limit.
  explicit Disk(std::uint64_t size = 0);

  void resize(std::uint64_t size);
  [[nodiscard]] std::uint64_t size() const;
  [[nodiscard]] std::uint64_t used() const;

  struct Status {
    std::uint64_t id = 0;
    bool folder = false;
    std::uint32_t mode = 0;
    std::int64_t bytes = 0, changed_ms = 0;
  };

  int find(std::uint64_t folder, const std::string &name, bool remember, Status *out);
  int status(std::uint64_t id, Status *out);
  void forget(std::uint64_t id, std::uint64_t lookups);
  int list(std::uint64_t folder, std::vector<std::pair<std::string, Status>> *out);
  [[nodiscard]] std::string path_of(std::uint64_t id, const std::string &name = {});

  int make(std::uint64_t folder, const std::string &name, bool is_folder, std::uint32_t mode, Status *out);
  int remove(std::uint64_t folder, const std::string &name, bool is_folder);
  int rename(std::uint64_t from, const std::string &from_name, std::uint64_t to, const std::string &to_name, bool replace);

  std::int64_t read(std::uint64_t id, std::int64_t offset, std::size_t bytes, std::vector<std::uint8_t> *out);
  // *change is what to pass to flush_write.
  std::int64_t write(std::uint64_t id, std::int64_t offset, const std::uint8_t *data, std::size_t bytes, std::uint64_t *change);
  int truncate(std::uint64_t id, std::int64_t bytes);
  int allocate(std::uint64_t id, std::int64_t bytes);

  // A flush is begun, takes its time, and is ended: it covers what was there when it began.
  [[nodiscard]] std::uint64_t begin_flush() const;
  int flush(std::uint64_t id, std::uint64_t begun);         // of a file's bytes and size
  int flush_write(std::uint64_t id, std::uint64_t change);  // of one write and the size that it needs
  int flush_names(std::uint64_t folder);
  // As kernels do it: the changes will never reach the disk, calls go on showing them.
  int fail_flush(std::uint64_t id, std::uint64_t begun);
  // The page cache of files of which a flush had failed is gone: calls show what the disk has.
  void show_what_failed_flushes_left();

  // The power goes: each change that is not flushed is kept, dropped or torn as `random` says. Everything that was open is gone; all nodes but the root have
  // new ids from here on.
  CutReport cut(std::mt19937_64 &random);

 private:
  NodeRef get(std::uint64_t id) const;
  NodeRef get_folder(std::uint64_t id, int *rc) const;
  NodeRef get_file(std::uint64_t id, int *rc) const;
  Status status_of(const Node &node) const;
  bool fits(const Node &node, std::int64_t bytes) const;
  void set_size(Node &node, std::int64_t bytes);
  void drop_if_unused(const NodeRef &node);
  void settle_front(Node &node);
  void apply_names(const NameChange &change);
  void flush_names_up_to(std::size_t count);
  std::string path_locked(const Node &node) const;
  std::map<std::uint64_t, NodeRef> all_nodes() const;
  void cut_file(Node &node, std::mt19937_64 &random, const struct Mood &mood, CutReport *report);
  void adopt(const NodeRef &node);

  mutable std::mutex mutex_;
  std::uint64_t size_, used_ = 0, next_id_ = kRoot + 1, next_change_ = 1;
  std::map<std::uint64_t, NodeRef> nodes_;
  std::vector<NameChange> name_changes_;
};

}  // namespace gantry::test::powercut
