#include "nameserver/kv_file.hpp"

#include "json/document.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <optional>

namespace gantry::remoting::nameserver {

namespace {

// Every byte of the content may be escaped with six.
constexpr std::size_t kMaxFileBytes = 6 * kMaxKvBytes + (1u << 20);
constexpr json::Limits kLimits{.max_depth = 8, .max_values = 200'000, .max_bytes = kMaxFileBytes};

class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  ~Fd() {
    if (fd_ >= 0) ::close(fd_);
  }
  Fd(const Fd &) = delete;
  Fd &operator=(const Fd &) = delete;
  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] bool ok() const { return fd_ >= 0; }

 private:
  const int fd_;
};

Result<void> write_whole(const std::string &path, std::string_view text) {
  const Fd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!fd.ok()) return io_error("file " + path + " cannot be made", errno);
  while (!text.empty()) {
    const ssize_t n = ::write(fd.get(), text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return io_error("file " + path + " cannot be written", errno);
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  if (::fsync(fd.get()) != 0) return io_error("file " + path + " cannot be flushed", errno);
  return {};
}

// Nothing: there is no such file.
Result<std::optional<std::string>> read_whole(const std::string &path) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.ok() && errno == ENOENT) return std::optional<std::string>();
  if (!fd.ok()) return io_error("file " + path + " cannot be opened", errno);
  std::string text;
  char buffer[1 << 16];
  for (;;) {
    const ssize_t n = ::read(fd.get(), buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return io_error("file " + path + " cannot be read", errno);
    if (n == 0) return std::optional<std::string>(std::move(text));
    text.append(buffer, static_cast<std::size_t>(n));
    if (text.size() > kMaxFileBytes) return Error{GANTRY_E_LIMIT, "file " + path + " is larger than " + std::to_string(kMaxFileBytes) + " bytes"};
  }
}

}  // namespace

KvFile::~KvFile() {
  if (lock_fd_ >= 0) ::close(lock_fd_);
}

Result<void> KvFile::open(const std::string &folder) {
  folder_ = folder;
  path_ = folder + "/kvConfig.json";
  std::error_code bad;
  std::filesystem::create_directories(folder, bad);
  if (bad) return Error{GANTRY_E_IO, "folder " + folder + " cannot be made: " + bad.message() + "; set data_dir to a folder that this user may write", bad.value()};
  const std::string lock = folder + "/lock";
  lock_fd_ = ::open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (lock_fd_ < 0) return io_error("lock file " + lock, errno);
  if (::flock(lock_fd_, LOCK_EX | LOCK_NB) == 0) return {};
  return Error{GANTRY_E_EXISTS, "folder " + folder + " belongs to another name server that runs; set another data_dir in one of their [[protocol]] sections"};
}

Error KvFile::set_aside(Error why) {
  const std::string kept = path_ + ".damaged";
  const bool renamed = std::rename(path_.c_str(), kept.c_str()) == 0;
  why.text += renamed ? "; it is kept as " + kept : "; it will be replaced by the next change";
  return why;
}

Result<void> KvFile::load(KvStore &out) {
  auto text = read_whole(path_);
  if (!text) return text.error().code == GANTRY_E_LIMIT ? set_aside(std::move(text.error())) : std::move(text.error());
  if (!text->has_value()) return {};
  json::Document document(kLimits);
  if (!document.parse(**text)) return set_aside(Error{GANTRY_E_CORRUPT, "file " + path_ + ": " + document.error().text()});
  const json::Value *const spaces = document.root().find("configTable");
  if (spaces == nullptr || !spaces->is_object()) return set_aside(Error{GANTRY_E_CORRUPT, "file " + path_ + " has no object \"configTable\""});
  Error first;
  for (const json::Value &space : *spaces) {
    if (auto made = out.add_space(space.key()); !made && first.text.empty()) first = Error{made.error().code, "file " + path_ + ": a namespace is left out: " + made.error().text};
    for (const json::Value &entry : space) {
      auto put = entry.is_string() ? out.put(space.key(), entry.key(), entry.text()) : Result<void>(Error{GANTRY_E_CORRUPT, "the value is no string"});
      if (!put && first.text.empty()) first = Error{put.error().code, "file " + path_ + ": entry \"" + std::string(entry.key().substr(0, 64)) + "\" is left out: " + put.error().text};
    }
  }
  if (first.text.empty()) return {};
  return set_aside(std::move(first));
}

Result<void> KvFile::write(std::string_view text) {
  const std::string fresh = path_ + ".new";
  GANTRY_TRY(write_whole(fresh, text));
  if (std::rename(fresh.c_str(), path_.c_str()) != 0) return io_error("file " + path_ + " cannot be replaced", errno);
  const Fd folder(::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder.ok() || ::fsync(folder.get()) != 0) return io_error("folder " + folder_ + " cannot be flushed", errno);
  return {};
}

}  // namespace gantry::remoting::nameserver
