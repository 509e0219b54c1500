// The lock of a data folder: it belongs to one process at a time, a broker or a tool.
#pragma once

#include <gantry++/result.hpp>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <string>
#include <utility>

namespace gantry {

class DataDirLock {
 public:
  // Makes the folder when it is missing, so that a loss of power does not take it away again with all that is flushed in it. EXISTS names the process that holds it.
  [[nodiscard]] static Result<DataDirLock> take(const std::string &data_dir) {
    GANTRY_TRY(make_folder(std::filesystem::absolute(data_dir)));
    const std::string path = data_dir + "/lock";
    DataDirLock lock;
    lock.fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (lock.fd_ < 0) return io_error("lock file " + path, errno);
    if (::flock(lock.fd_, LOCK_EX | LOCK_NB) != 0) {
      char holder[32] = {};
      const ssize_t n = ::pread(lock.fd_, holder, sizeof holder - 1, 0);
      return Error{GANTRY_E_EXISTS, "data folder " + data_dir + " is in use by another Gantry" + (n > 0 ? std::string(", process ") + holder : std::string()) + "; stop it, or set another [broker] data_dir"};
    }
    const std::string pid = std::to_string(::getpid());
    // Only for the message of others: a full disk must not keep a broker from starting.
    const bool told = ::ftruncate(lock.fd_, 0) == 0 && ::pwrite(lock.fd_, pid.data(), pid.size(), 0) >= 0;
    if (!told && errno != ENOSPC && errno != EDQUOT) return io_error("write lock file " + path, errno);
    return lock;
  }

  DataDirLock() = default;
  DataDirLock(DataDirLock &&other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  DataDirLock &operator=(DataDirLock &&other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  DataDirLock(const DataDirLock &) = delete;
  DataDirLock &operator=(const DataDirLock &) = delete;
  ~DataDirLock() {
    if (fd_ >= 0) ::close(fd_);
  }

 private:
  [[nodiscard]] static Result<void> make_folder(const std::filesystem::path &folder) {
    std::error_code ignored, bad;
    const std::filesystem::path parent = folder.parent_path();
    const bool was_there = std::filesystem::is_directory(folder, ignored);
    if (!was_there && parent != folder) GANTRY_TRY(make_folder(parent));
    if (!was_there) std::filesystem::create_directory(folder, bad);
    if (!std::filesystem::is_directory(folder, ignored)) {
      if (!bad) bad = std::make_error_code(std::errc::not_a_directory);
      return Error{GANTRY_E_IO, "data folder " + folder.string() + " cannot be made: " + bad.message() + "; set [broker] data_dir to a folder this user may write", bad.value()};
    }
    // One that was there may have been made by a start that did not get as far as this. Others' folders may not be ours to open.
    const int fd = ::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const int failed = fd < 0 ? errno : ::fsync(fd) == 0 ? 0 : errno;
    if (fd >= 0) ::close(fd);
    if (failed != 0 && failed != EINVAL && (fd >= 0 || !was_there)) return io_error("flush of folder " + parent.string(), failed);
    return {};
  }

  int fd_ = -1;
};

}  // namespace gantry
