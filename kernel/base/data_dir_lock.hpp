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
  // Makes the folder when it is missing. EXISTS names the process that holds it.
  [[nodiscard]] static Result<DataDirLock> take(const std::string &data_dir) {
    std::error_code bad;
    std::filesystem::create_directories(data_dir, bad);
    if (bad) return Error{GANTRY_E_IO, "data folder " + data_dir + " cannot be made: " + bad.message() + "; set [broker] data_dir to a folder this user may write", bad.value()};
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
  int fd_ = -1;
};

}  // namespace gantry
