// The file that keeps the name server's keys and values, in RocketMQ's form (kvConfig.json), so that it may be taken over from there:
// {"configTable":{"NAMESPACE":{"key":"value"}}}. Each write replaces it as a whole: after a crash it is the old one or the new one.
#pragma once

#include "nameserver/kv_store.hpp"

#include <gantry++/result.hpp>

#include <string>
#include <string_view>

namespace gantry::remoting::nameserver {

class KvFile {
 public:
  KvFile() = default;
  ~KvFile();
  KvFile(const KvFile &) = delete;
  KvFile &operator=(const KvFile &) = delete;

  // Makes `folder` when it is missing and locks it for this object. EXISTS: another one has it.
  [[nodiscard]] Result<void> open(const std::string &folder);
  // Puts what the file holds into the store. CORRUPT, LIMIT: it, or an entry of it, cannot be used; what could be is in the store, and the file was
  // renamed to *.damaged, so that no write takes it away. A missing file is an empty one.
  [[nodiscard]] Result<void> load(KvStore &out);
  // Returns when the new content is on the disk.
  [[nodiscard]] Result<void> write(std::string_view text);

  [[nodiscard]] const std::string &path() const { return path_; }

 private:
  [[nodiscard]] Error set_aside(Error why);

  std::string folder_, path_;
  int lock_fd_ = -1;
};

}  // namespace gantry::remoting::nameserver
