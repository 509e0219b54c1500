#include "checkpoint.hpp"

#include "format.hpp"
#include "mutation.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

namespace gantry::commitlog {

std::string checkpoint_name(std::uint64_t generation) { return "checkpoint." + std::to_string(generation % 2); }

Result<std::uint64_t> write_checkpoint(const Core &core, const CheckpointSnapshot &snapshot, Rows &rows) {
  FileBuilder out(*core.files, core.data_dir, checkpoint_name(snapshot.head.generation), core.options.direct);
  CheckpointHead head = snapshot.head;
  head.queue_count = snapshot.queues.size();
  head.row_count = rows.size();
  out.put_value(head);
  for (const CheckpointSnapshot::Queue &queue : snapshot.queues) {
    out.put_value(queue.row);
    out.put(queue.topic->data(), queue.topic->size());
  }
  rows.each([&](const std::string &key, const std::string &value) {
    out.put_value(static_cast<std::uint32_t>(key.size()));
    out.put_value(static_cast<std::uint32_t>(value.size()));
    out.put(key.data(), key.size());
    out.put(value.data(), value.size());
  });
  const std::uint32_t front_crc = out.take_crc();
  CheckpointTail tail;
  tail.sections = put_index(out, snapshot.index, false);
  tail.bytes = out.position() + sizeof tail;
  tail.front_crc = front_crc;
  tail.crc = crc32c(&tail, offsetof(CheckpointTail, crc));
  out.put_value(tail);
  const std::uint64_t bytes = out.position();
  GANTRY_TRY(out.finish());
  return bytes;
}

namespace {

constexpr std::int64_t kMaxLogPos = INT64_MAX / 2;

class Cursor {
 public:
  Cursor(const std::uint8_t *p, std::uint64_t bytes) : p_(p), left_(bytes) {}
  template <typename T>
  [[nodiscard]] bool value(T *out) {
    const char *p;
    if (!take(sizeof(T), &p)) return false;
    std::memcpy(out, p, sizeof(T));
    return true;
  }
  [[nodiscard]] bool text(std::uint64_t bytes, std::string_view *out) {
    const char *p;
    if (!take(bytes, &p)) return false;
    *out = {p, bytes};
    return true;
  }
  [[nodiscard]] const std::uint8_t *here() const { return p_; }

 private:
  bool take(std::uint64_t n, const char **out) {
    if (n > left_) return false;
    *out = reinterpret_cast<const char *>(p_);
    p_ += n;
    left_ -= n;
    return true;
  }
  const std::uint8_t *p_;
  std::uint64_t left_;
};

bool parse(Checkpoint &c) {
  const std::uint64_t size = c.bytes.size();
  if (size < sizeof(CheckpointHead) + sizeof(CheckpointTail)) return false;
  CheckpointTail tail;
  std::memcpy(&tail, c.bytes.data() + size - sizeof tail, sizeof tail);
  if (tail.bytes != size || (tail.crc != crc32c(&tail, offsetof(CheckpointTail, crc)) && !mutated("checksum-of-checkpoint-tails"))) return false;
  Cursor at(c.bytes.data(), size - sizeof tail);
  const CheckpointHead expected;
  if (!at.value(&c.head) || std::memcmp(c.head.magic, expected.magic, sizeof expected.magic) != 0 || c.head.version != 1) return false;
  if (c.head.next_queue > QueueTable::kMaxQueues || c.head.pos < 0 || c.head.pos > kMaxLogPos) return false;
  for (std::uint64_t i = 0; i < c.head.queue_count; ++i) {
    CheckpointQueue row;
    std::string_view topic;
    if (!at.value(&row) || !at.text(row.topic_bytes, &topic)) return false;
    c.queues.emplace_back(row, topic);
  }
  for (std::uint64_t i = 0; i < c.head.row_count; ++i) {
    std::uint32_t key_bytes, value_bytes;
    std::string_view key, value;
    if (!at.value(&key_bytes) || !at.value(&value_bytes) || !at.text(key_bytes, &key) || !at.text(value_bytes, &value)) return false;
    c.rows.emplace_back(key, value);
  }
  const auto front = static_cast<std::size_t>(at.here() - c.bytes.data());
  const auto padded = static_cast<std::size_t>(tail.sections.records_at);
  if ((tail.front_crc != crc32c(c.bytes.data(), front) && !mutated("checksum-of-checkpoint-rows")) || padded < front) return false;
  return c.index.attach(c.bytes.data(), size - sizeof tail, tail.sections) && c.index.parts_hold() && c.index.entries_hold();
}

}  // namespace

std::optional<Checkpoint> load_checkpoint(const Core &core, int slot, std::vector<std::string> *problems) {
  const std::string path = core.data_dir + "/" + checkpoint_name(static_cast<std::uint64_t>(slot));
  bool direct = false;
  const int fd = open_maybe_direct(*core.files, path, O_RDONLY, core.options.direct, &direct);
  if (fd == -ENOENT) return std::nullopt;
  if (fd < 0) {
    problems->push_back(file_error("open", path, fd).text);
    return std::nullopt;
  }
  const FileHandle file(fd);
  struct stat info {};
  if (::fstat(fd, &info) != 0) return std::nullopt;
  const auto size = static_cast<std::size_t>(info.st_size);
  AlignedBuffer raw(static_cast<std::size_t>(align_up(static_cast<std::int64_t>(size) + 1, kBlock)));
  const std::int64_t got = core.files->read(fd, raw.data(), raw.size(), 0);
  if (got < 0) {
    problems->push_back(file_error("read", path, got).text);
    return std::nullopt;
  }
  if (got < info.st_size) {
    problems->push_back(path + " is shorter than its size");
    return std::nullopt;
  }
  raw.shrink(size);
  Checkpoint checkpoint{std::move(raw), {}, {}, {}, {}, slot};
  if (!parse(checkpoint)) {
    problems->push_back(path + " is damaged");
    return std::nullopt;
  }
  return checkpoint;
}

}  // namespace gantry::commitlog
