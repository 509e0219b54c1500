#include "segment_files.hpp"

#include "mutation.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace gantry::commitlog {

namespace {

constexpr const char *kUnfinished = ".new";
constexpr const char *kRecycled = "recycled-";

bool starts_with(const std::string &text, const char *prefix) { return text.rfind(prefix, 0) == 0; }
bool ends_with(const std::string &text, const std::string &suffix) {
  return text.size() >= suffix.size() && text.compare(text.size() - suffix.size(), suffix.size(), suffix) == 0;
}

std::vector<std::string> recycled_files(Core &core) {
  std::vector<std::string> names;
  (void)core.files->list(core.log_dir, &names);
  std::erase_if(names, [](const std::string &name) { return !starts_with(name, kRecycled); });
  return names;
}

std::int64_t file_bytes(int fd) {
  struct stat info {};
  return ::fstat(fd, &info) == 0 ? info.st_size : -errno;
}

SegmentRef wrap(LogPos base, std::int64_t bytes, int fd, bool direct, std::string path) {
  auto segment = std::make_shared<Segment>();
  segment->base = base;
  segment->bytes = bytes;
  segment->file = FileHandle(fd);
  segment->direct = direct;
  segment->path = std::move(path);
  return segment;
}

// Null: none fits.
SegmentRef reuse(Core &core, LogPos base, std::int64_t bytes) {
  for (const std::string &name : recycled_files(core)) {
    const std::string from = core.log_dir + "/" + name, to = core.log_dir + "/" + segment_file_name(base);
    bool direct = false;
    FileHandle file(open_maybe_direct(*core.files, from, O_RDWR, core.options.direct, &direct));
    if (file.get() < 0) continue;
    if (file_bytes(file.get()) != bytes || core.files->rename(from, to) != 0) {
      (void)core.files->remove(from);  // segment_size was changed
      continue;
    }
    if (!mutated("flush-of-names-of-reused-files") && core.files->sync_dir(core.log_dir) != 0) return nullptr;
    bool again = false;
    const int fd = open_maybe_direct(*core.files, to, O_RDWR, core.options.direct, &again);
    if (fd < 0) return nullptr;
    SegmentRef segment = wrap(base, bytes, fd, again, to);
    segment->recycled = true;
    return segment;
  }
  return nullptr;
}

std::int64_t write_zeros(Core &core, int fd, std::int64_t bytes) {
  const AlignedBuffer zeros(static_cast<std::size_t>(kFillStep));
  std::memset(zeros.data(), 0, zeros.size());
  for (std::int64_t at = 0; at < bytes; at += kFillStep) {
    const std::int64_t n = core.files->write(fd, zeros.data(), static_cast<std::size_t>(std::min(kFillStep, bytes - at)), at);
    if (n < 0) return n;
  }
  return 0;
}

}  // namespace

std::size_t reusable_segments(Core &core) { return recycled_files(core).size(); }

Result<SegmentRef> make_segment(Core &core, LogPos base, std::int64_t bytes) {
  if (SegmentRef segment = reuse(core, base, bytes)) return segment;
  const std::string path = core.log_dir + "/" + segment_file_name(base), unfinished = path + kUnfinished;
  bool direct = false;
  const int fd = open_maybe_direct(*core.files, unfinished, O_RDWR | O_CREAT | O_TRUNC, core.options.direct, &direct);
  if (fd < 0) return file_error("create log file", path, fd);
  FileHandle file(fd);
  std::int64_t rc = core.files->allocate(fd, bytes);
  // A file system that cannot reserve blocks: writing them is the only way to know that they are there.
  if (rc == -EOPNOTSUPP) rc = write_zeros(core, fd, bytes);
  if (rc >= 0 && !mutated("flush-of-log-files")) rc = core.files->sync(fd);
  if (rc >= 0) rc = core.files->rename(unfinished, path);
  if (rc >= 0 && !mutated("flush-of-names-of-log-files")) rc = core.files->sync_dir(core.log_dir);
  if (rc < 0) {
    (void)core.files->remove(unfinished);
    return file_error("reserve " + std::to_string(bytes >> 20) + " MiB for log file", path, rc);
  }
  return wrap(base, bytes, file.release(), direct, path);
}

Result<SegmentRef> open_segment(Core &core, LogPos base) {
  const std::string path = core.log_dir + "/" + segment_file_name(base);
  bool direct = false;
  const int fd = open_maybe_direct(*core.files, path, O_RDWR, core.options.direct, &direct);
  if (fd < 0) return file_error("open log file", path, fd);
  const std::int64_t bytes = file_bytes(fd);
  SegmentRef segment = wrap(base, bytes, fd, direct, path);
  if (bytes < 0) return file_error("size of log file", path, bytes);
  return segment;
}

void zero_fill(Core &core, Segment &segment, const std::atomic<bool> &stop) {
  const AlignedBuffer zeros(static_cast<std::size_t>(kFillStep));
  std::memset(zeros.data(), 0, zeros.size());
  for (std::int64_t at = 0; at < segment.bytes && !stop; at += kFillStep) {
    // The writer stores `taken` and then looks at filling_at, we do the reverse: one of the two sees the other.
    segment.filling_at = at;
    const bool go_on = !segment.taken && core.files->write(segment.file.get(), zeros.data(), zeros.size(), at) >= 0;
    segment.filling_at = -1;
    if (!go_on) break;
  }
  if (segment.taken) core.wake_home();  // a write may have waited for our last step
}

Result<void> retire_segment(Core &core, const SegmentRef &segment) {
  const std::vector<std::string> pool = recycled_files(core);
  // A reader that still has the file open would see the new content: such a file is removed instead.
  const bool keep = static_cast<std::int64_t>(pool.size()) < core.options.recycle_segments && segment.use_count() == 1 &&
                    segment->bytes == core.options.segment_bytes;
  const int rc = keep ? core.files->rename(segment->path, core.log_dir + "/" + kRecycled + segment_file_name(segment->base))
                      : core.files->remove(segment->path);
  if (rc != 0 && rc != -ENOENT) return file_error("drop log file", segment->path, rc);
  if (const int sync = core.files->sync_dir(core.log_dir); sync != 0) return file_error("sync folder", core.log_dir, sync);
  return {};
}

void remove_leftovers(Core &core) {
  for (const std::string &dir : {core.log_dir, core.index_dir, core.data_dir}) {
    std::vector<std::string> names;
    if (core.files->list(dir, &names) != 0) continue;
    for (const std::string &name : names) {
      const bool ours = ends_with(name, kUnfinished) || (ends_with(name, ".tmp") && (dir != core.data_dir || starts_with(name, "checkpoint.")));
      if (ours) (void)core.files->remove(dir + "/" + name);
    }
  }
}

}  // namespace gantry::commitlog
