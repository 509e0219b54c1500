#include "run_file.hpp"

#include "format.hpp"
#include "mutation.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace gantry::commitlog {

namespace {
struct RunHead {
  char magic[8] = {'G', 'A', 'N', 'T', 'R', 'Y', 'R', 'N'};
  std::uint32_t version = 1;
  std::uint32_t pad = 0;
};

// A fault of the disk under a mapping would end the process. So the file is read first: what cannot be read shows here, and what can stays in the page cache.
Result<void> read_through(Files &files, int fd, const std::string &path, std::int64_t from, std::int64_t to) {
  const AlignedBuffer buffer(1u << 20);
  for (std::int64_t at = align_down(from, kBlock); at < to;) {
    const auto bytes = static_cast<std::size_t>(std::min<std::int64_t>(static_cast<std::int64_t>(buffer.size()), align_up(to - at, kBlock)));
    std::int64_t n = files.read(fd, buffer.data(), bytes, at);
    if (n < 0) n = files.read(fd, buffer.data(), bytes, at);  // some faults of disks pass
    if (n < 0) return file_error("read index run", path, n);
    if (n == 0) return Error{GANTRY_E_CORRUPT, "index run " + path + " is shorter than it was"};
    at += n;
  }
  return {};
}
}  // namespace

RunFile::~RunFile() {
  if (map_ != nullptr) ::munmap(const_cast<std::uint8_t *>(map_), bytes_);
}

Result<void> RunFile::write(const Core &core, LogPos base, std::int64_t segment_bytes, std::int64_t first_ms, std::int64_t last_ms, const IndexView &view) {
  FileBuilder out(*core.files, core.index_dir, name(base), core.options.direct);
  out.put_value(RunHead{});
  RunFooter footer;
  footer.base = base.v;
  footer.segment_bytes = segment_bytes;
  footer.first_store_ms = first_ms;
  footer.last_store_ms = last_ms;
  footer.sections = put_index(out, view, true);
  footer.crc = crc32c(&footer, offsetof(RunFooter, crc));
  out.put_value(footer);
  return out.finish();
}

Result<std::shared_ptr<RunFile>> RunFile::open(const Core &core, LogPos base, std::int64_t segment_bytes) {
  const std::string path = core.index_dir + "/" + name(base);
  const int fd = core.files->open(path, O_RDONLY);
  if (fd == -ENOENT) return Error{GANTRY_E_NOT_FOUND, "no index run " + path};
  if (fd < 0) return file_error("open index run", path, fd);
  const FileHandle file(fd);
  struct stat info {};
  if (::fstat(fd, &info) != 0) return file_error("size of index run", path, -errno);
  const Error damaged{GANTRY_E_CORRUPT, "index run " + path + " is damaged"};
  std::shared_ptr<RunFile> run(new RunFile);
  run->bytes_ = static_cast<std::uint64_t>(info.st_size);
  if (run->bytes_ < sizeof(RunHead) + sizeof(RunFooter)) return damaged;
  run->files_ = core.files.get();
  run->path_ = path;
  const auto end = static_cast<std::int64_t>(run->bytes_), footer_at = end - static_cast<std::int64_t>(sizeof(RunFooter));
  GANTRY_TRY(read_through(*core.files, fd, path, footer_at, end));
  GANTRY_TRY(read_through(*core.files, fd, path, 0, sizeof(RunHead)));
  void *map = ::mmap(nullptr, run->bytes_, PROT_READ, MAP_SHARED, fd, 0);
  if (map == MAP_FAILED) return file_error("map index run", path, -errno);
  run->map_ = static_cast<const std::uint8_t *>(map);
  RunFooter &footer = run->footer_;
  std::memcpy(&footer, run->map_ + run->bytes_ - sizeof footer, sizeof footer);
  const RunHead head;
  if (std::memcmp(run->map_, &head, sizeof head) != 0 || (footer.crc != crc32c(&footer, offsetof(RunFooter, crc)) && !mutated("checksum-of-run-footers"))) return damaged;
  if (footer.version != 1 || footer.base != base.v || footer.segment_bytes != segment_bytes) return damaged;
  if (footer.sections.end > run->bytes_ - sizeof footer || !run->index_.attach(run->map_, run->bytes_, footer.sections)) return damaged;
  GANTRY_TRY(read_through(*core.files, fd, path, static_cast<std::int64_t>(footer.sections.parts_at), static_cast<std::int64_t>(footer.sections.entries_at)));
  if (!run->index_.parts_hold()) return damaged;
  return run;
}

Result<void> RunFile::remove(const Core &core, LogPos base) {
  const std::string path = core.index_dir + "/" + name(base);
  if (const int rc = core.files->remove(path); rc != 0 && rc != -ENOENT) return file_error("remove", path, rc);
  if (const int rc = core.files->sync_dir(core.index_dir); rc != 0) return file_error("sync folder", core.index_dir, rc);
  return {};
}

bool RunFile::verified() {
  const int known = state_.load(std::memory_order_acquire);
  if (known != 0) return known == 1;
  const FileHandle file(files_->open(path_, O_RDONLY));
  const bool good = file.get() >= 0 && read_through(*files_, file.get(), path_, 0, static_cast<std::int64_t>(bytes_)) && index_.entries_hold();
  state_.store(good ? 1 : 2, std::memory_order_release);
  return good;
}

}  // namespace gantry::commitlog
