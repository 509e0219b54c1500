#include "run_file.hpp"

#include "format.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

namespace gantry::commitlog {

namespace {
struct RunHead {
  char magic[8] = {'G', 'A', 'N', 'T', 'R', 'Y', 'R', 'N'};
  std::uint32_t version = 1;
  std::uint32_t pad = 0;
};
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
  void *map = ::mmap(nullptr, run->bytes_, PROT_READ, MAP_SHARED, fd, 0);
  if (map == MAP_FAILED) return file_error("map index run", path, -errno);
  run->map_ = static_cast<const std::uint8_t *>(map);
  RunFooter &footer = run->footer_;
  std::memcpy(&footer, run->map_ + run->bytes_ - sizeof footer, sizeof footer);
  const RunHead head;
  if (std::memcmp(run->map_, &head, sizeof head) != 0 || footer.crc != crc32c(&footer, offsetof(RunFooter, crc))) return damaged;
  if (footer.version != 1 || footer.base != base.v || footer.segment_bytes != segment_bytes) return damaged;
  if (footer.sections.end > run->bytes_ - sizeof footer || !run->index_.attach(run->map_, run->bytes_, footer.sections)) return damaged;
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
  const bool good = index_.entries_hold();
  state_.store(good ? 1 : 2, std::memory_order_release);
  return good;
}

}  // namespace gantry::commitlog
