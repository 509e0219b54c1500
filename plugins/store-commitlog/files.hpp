// Every file operation of the store except log writes: one narrow interface, so that a test can put a failing twin under it.
#pragma once

#include "types.hpp"

#include <sys/uio.h>

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace gantry::commitlog {

struct DiskSpace {  // of a file system, in bytes
  std::int64_t free = 0;   // for this user
  std::int64_t total = 0;  // that and what is in use
};

// All return 0 or a value >= 0 on success and -errno on failure. [thread: any] [blocking: may]
class Files {
 public:
  virtual ~Files() = default;
  Files() = default;
  Files(const Files &) = delete;
  Files &operator=(const Files &) = delete;

  virtual int open(const std::string &path, int flags);
  virtual int allocate(int fd, std::int64_t bytes);  // blocks reserved and size set, as fallocate
  virtual std::int64_t write(int fd, const void *data, std::size_t bytes, std::int64_t offset);  // all of it, or -errno
  virtual std::int64_t read(int fd, void *data, std::size_t bytes, std::int64_t offset);         // fewer only at the end
  // Into several buffers, which lie behind each other in the file, with one call where it can be had. Fewer also when the system gives fewer.
  virtual std::int64_t read_pieces(int fd, std::span<const iovec> pieces, std::int64_t offset);
  virtual int sync(int fd);
  virtual int forget(int fd);  // what is read from now on comes from the disk, not from the page cache; of what is flushed
  virtual int truncate(int fd, std::int64_t bytes);
  virtual int rename(const std::string &from, const std::string &to);
  virtual int remove(const std::string &path);
  virtual int sync_dir(const std::string &path);
  virtual int make_dir(const std::string &path);  // fine when it exists
  virtual int list(const std::string &path, std::vector<std::string> *names);  // without . and ..
  virtual int space(const std::string &path, DiskSpace *out);
};

// Memory for O_DIRECT: aligned to kBlock, not initialised.
class AlignedBuffer {
 public:
  explicit AlignedBuffer(std::size_t bytes);
  ~AlignedBuffer();
  AlignedBuffer(AlignedBuffer &&other) noexcept;
  AlignedBuffer &operator=(AlignedBuffer &&other) noexcept;
  [[nodiscard]] std::uint8_t *data() const { return p_; }
  [[nodiscard]] std::size_t size() const { return bytes_; }
  void shrink(std::size_t bytes) { bytes_ = bytes < bytes_ ? bytes : bytes_; }  // the size told, not the memory

 private:
  std::uint8_t *p_;
  std::size_t bytes_, mapped_;
};

// An open file that closes itself.
class FileHandle {
 public:
  explicit FileHandle(int fd = -1) : fd_(fd) {}
  ~FileHandle();
  FileHandle(FileHandle &&other) noexcept;
  FileHandle &operator=(FileHandle &&other) noexcept;
  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

// Opens with O_DIRECT; where the file system refuses it, without. *direct tells which. -errno on failure.
[[nodiscard]] int open_maybe_direct(Files &files, const std::string &path, int flags, bool want_direct, bool *direct);

// Writes a new file past the page cache in large steps: put() any amounts, then finish(). The file appears under `path` whole or not at
// all: it is written as path.tmp, synced, renamed, and the folder is synced.
class FileBuilder {
 public:
  FileBuilder(Files &files, std::string folder, std::string name, bool want_direct);
  ~FileBuilder();
  FileBuilder(const FileBuilder &) = delete;
  FileBuilder &operator=(const FileBuilder &) = delete;

  void put(const void *data, std::size_t bytes);
  template <typename T>
  void put_value(const T &value) {
    put(&value, sizeof value);
  }
  void pad_to(std::size_t unit);
  // crc32c of what was put since the last call.
  [[nodiscard]] std::uint32_t take_crc();
  [[nodiscard]] std::uint64_t position() const { return written_ + used_; }
  // IO, NO_SPACE with the path; nothing is left behind then.
  [[nodiscard]] Result<void> finish();

 private:
  void flush(std::size_t bytes);

  Files &files_;
  const std::string folder_, path_, temporary_;
  const bool want_direct_;
  bool direct_ = false;
  FileHandle file_;
  AlignedBuffer buffer_;
  std::size_t used_ = 0;
  std::uint64_t written_ = 0;
  std::uint32_t crc_ = 0;
  std::size_t crc_from_ = 0;  // first byte of the buffer that is not in crc_ yet
  std::int64_t failed_ = 0;   // first -errno
};

[[nodiscard]] Error file_error(const std::string &what, const std::string &path, std::int64_t negative_errno);

}  // namespace gantry::commitlog
