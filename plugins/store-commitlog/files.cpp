#include "files.hpp"

#include "format.hpp"
#include "mutation.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace gantry::commitlog {

namespace {
int result_of(int rc) { return rc == 0 ? 0 : -errno; }
}  // namespace

int Files::open(const std::string &path, int flags) {
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC, 0640);
  return fd >= 0 ? fd : -errno;
}

int Files::allocate(int fd, std::int64_t bytes) { return result_of(::fallocate(fd, 0, 0, bytes)); }

std::int64_t Files::write(int fd, const void *data, std::size_t bytes, std::int64_t offset) {
  std::size_t done = 0;
  while (done < bytes) {
    const ssize_t n = ::pwrite(fd, static_cast<const char *>(data) + done, bytes - done, offset + static_cast<std::int64_t>(done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return -errno;
    if (n == 0) return -EIO;
    done += static_cast<std::size_t>(n);
  }
  return static_cast<std::int64_t>(done);
}

std::int64_t Files::read(int fd, void *data, std::size_t bytes, std::int64_t offset) {
  std::size_t done = 0;
  while (done < bytes) {
    const ssize_t n = ::pread(fd, static_cast<char *>(data) + done, bytes - done, offset + static_cast<std::int64_t>(done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return -errno;
    if (n == 0) break;
    done += static_cast<std::size_t>(n);
    if (done < bytes && done % kBlock != 0) break;  // O_DIRECT at the end of a file whose size is no multiple of a block
  }
  return static_cast<std::int64_t>(done);
}

std::int64_t Files::read_pieces(int fd, std::span<const iovec> pieces, std::int64_t offset) {
  for (;;) {
    const ssize_t n = ::preadv(fd, pieces.data(), static_cast<int>(pieces.size()), offset);
    if (n >= 0) return n;
    if (errno != EINTR) return -errno;
  }
}

int Files::sync(int fd) { return result_of(::fdatasync(fd)); }
int Files::forget(int fd) { return -::posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED); }
int Files::truncate(int fd, std::int64_t bytes) { return result_of(::ftruncate(fd, bytes)); }
int Files::rename(const std::string &from, const std::string &to) { return result_of(::rename(from.c_str(), to.c_str())); }
int Files::remove(const std::string &path) { return result_of(::unlink(path.c_str())); }

int Files::sync_dir(const std::string &path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return -errno;
  const int rc = result_of(::fsync(fd));
  ::close(fd);
  return rc;
}

int Files::make_dir(const std::string &path) {
  const int rc = result_of(::mkdir(path.c_str(), 0750));
  return rc == -EEXIST ? 0 : rc;
}

int Files::list(const std::string &path, std::vector<std::string> *names) {
  DIR *dir = ::opendir(path.c_str());
  if (dir == nullptr) return -errno;
  errno = 0;
  while (const dirent *entry = ::readdir(dir)) {
    if (std::strcmp(entry->d_name, ".") != 0 && std::strcmp(entry->d_name, "..") != 0) names->emplace_back(entry->d_name);
  }
  const int rc = -errno;
  ::closedir(dir);
  return rc;
}

int Files::space(const std::string &path, DiskSpace *out) {
  struct statvfs info {};
  if (::statvfs(path.c_str(), &info) != 0) return -errno;
  const auto unit = static_cast<std::int64_t>(info.f_frsize);
  out->free = static_cast<std::int64_t>(info.f_bavail) * unit;
  out->total = out->free + static_cast<std::int64_t>(info.f_blocks - info.f_bfree) * unit;
  return 0;
}

// Mapped, not from the heap: what is freed goes back to the system, wherever it lies.
AlignedBuffer::AlignedBuffer(std::size_t bytes) : bytes_(bytes), mapped_(bytes) {
  void *p = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  GANTRY_ASSERT(p != MAP_FAILED);
  p_ = static_cast<std::uint8_t *>(p);
}
AlignedBuffer::~AlignedBuffer() {
  if (p_ != nullptr) ::munmap(p_, mapped_);
}
AlignedBuffer::AlignedBuffer(AlignedBuffer &&other) noexcept
    : p_(std::exchange(other.p_, nullptr)), bytes_(std::exchange(other.bytes_, 0)), mapped_(std::exchange(other.mapped_, 0)) {}
AlignedBuffer &AlignedBuffer::operator=(AlignedBuffer &&other) noexcept {
  std::swap(p_, other.p_);
  std::swap(bytes_, other.bytes_);
  std::swap(mapped_, other.mapped_);
  return *this;
}

FileHandle::~FileHandle() {
  if (fd_ >= 0) ::close(fd_);
}
FileHandle::FileHandle(FileHandle &&other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
FileHandle &FileHandle::operator=(FileHandle &&other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

int open_maybe_direct(Files &files, const std::string &path, int flags, bool want_direct, bool *direct) {
  *direct = false;
  if (want_direct) {
    const int fd = files.open(path, flags | O_DIRECT);
    *direct = fd >= 0;
    if (fd != -EINVAL) return fd;
  }
  return files.open(path, flags);
}

Error file_error(const std::string &what, const std::string &path, std::int64_t negative_errno) {
  const int number = static_cast<int>(-negative_errno);
  Error error = io_error(what + " " + path, number);
  if (number == ENOSPC || number == EDQUOT) {
    error.code = GANTRY_E_NO_SPACE;
    error.text += "; free space there or lower retention";
  }
  return error;
}

namespace {
constexpr std::size_t kBuilderBytes = 1u << 20;
}

FileBuilder::FileBuilder(Files &files, std::string folder, std::string name, bool want_direct)
    : files_(files), folder_(std::move(folder)), path_(folder_ + "/" + name), temporary_(path_ + ".tmp"), want_direct_(want_direct),
      buffer_(kBuilderBytes) {
  const int fd = open_maybe_direct(files_, temporary_, O_WRONLY | O_CREAT | O_TRUNC, want_direct_, &direct_);
  if (fd < 0) {
    failed_ = fd;
  } else {
    file_ = FileHandle(fd);
  }
}

FileBuilder::~FileBuilder() {
  if (file_.get() >= 0) (void)files_.remove(temporary_);
}

void FileBuilder::put(const void *data, std::size_t bytes) {
  const auto *from = static_cast<const std::uint8_t *>(data);
  while (bytes > 0) {
    const std::size_t n = std::min(bytes, buffer_.size() - used_);
    std::memcpy(buffer_.data() + used_, from, n);
    used_ += n;
    from += n;
    bytes -= n;
    if (used_ == buffer_.size()) flush(used_);
  }
}

void FileBuilder::pad_to(std::size_t unit) {
  static constexpr std::uint8_t kZeros[64] = {};
  while (position() % unit != 0) put(kZeros, std::min<std::size_t>(sizeof kZeros, unit - position() % unit));
}

std::uint32_t FileBuilder::take_crc() {
  const std::uint32_t crc = crc32c(buffer_.data() + crc_from_, used_ - crc_from_, crc_);
  crc_ = 0;
  crc_from_ = used_;
  return crc;
}

void FileBuilder::flush(std::size_t bytes) {
  crc_ = crc32c(buffer_.data() + crc_from_, used_ - crc_from_, crc_);
  crc_from_ = 0;
  if (failed_ == 0) {
    const std::int64_t n = files_.write(file_.get(), buffer_.data(), bytes, static_cast<std::int64_t>(written_));
    if (n < 0) failed_ = n;
  }
  written_ += used_;
  used_ = 0;
}

Result<void> FileBuilder::finish() {
  const std::uint64_t bytes = position();
  const std::size_t padded = static_cast<std::size_t>(align_up(static_cast<std::int64_t>(used_), kBlock));
  std::memset(buffer_.data() + used_, 0, padded - used_);
  if (used_ > 0) flush(padded);
  if (failed_ == 0 && bytes % kBlock != 0) failed_ = files_.truncate(file_.get(), static_cast<std::int64_t>(bytes));
  if (failed_ == 0 && !mutated("flush-of-new-files")) failed_ = files_.sync(file_.get());
  if (failed_ == 0) failed_ = files_.rename(temporary_, path_);
  if (failed_ != 0) return file_error("write", path_, failed_);
  file_ = FileHandle();
  if (const int rc = mutated("flush-of-names-of-new-files") ? 0 : files_.sync_dir(folder_); rc != 0) return file_error("sync folder", folder_, rc);
  return {};
}

}  // namespace gantry::commitlog
