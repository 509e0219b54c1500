// A running auth-acl: rules that shards read without locks, a thread that looks whether their file changed, and who failed to log in.
#pragma once

#include "files.hpp"
#include "login_limit.hpp"
#include "rules.hpp"

#include <gantry/draft/host.h>
#include <gantry/draft/security.h>

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

namespace gantry::acl {

struct Options {
  std::string file;
  std::string own_user;  // empty: one that only this process knows
  std::uint32_t login_failures = 0;
  std::int64_t login_lock_ms = 0;
  std::int64_t reload_period_ms = 0;  // 0: only when told to
};

class Instance {
 public:
  Instance(const gantry_host *host, Options options);
  ~Instance();
  Instance(const Instance &) = delete;
  Instance &operator=(const Instance &) = delete;

  // What the host lacks, NULL when it offers everything.
  [[nodiscard]] const char *missing_table() const;
  // Reads the rules, or makes the first ones; then watches their file. [thread: control]
  [[nodiscard]] Result<void> start();
  void stop();  // [thread: control]
  // All rules or none. [thread: any that may block]
  [[nodiscard]] Result<void> reload();

  // As the functions of gantry_auth_v1.
  void authenticate(std::uint32_t shard, const gantry_credentials &req, gantry_login &out);
  void verify(std::uint32_t shard, const gantry_signed_request &req, gantry_login &out);
  [[nodiscard]] std::uint32_t authorize(std::uint32_t shard, gantry_principal who, const gantry_peer &peer, const gantry_authz &item);
  [[nodiscard]] std::uint32_t name(gantry_principal who, char *out, std::uint32_t bytes) const;
  [[nodiscard]] std::int32_t sign(std::uint32_t shard, gantry_str content, gantry_str body, char *access_key, char *signature);

 private:
  // A set of rules with users by number.
  struct Installed {
    std::unique_ptr<Rules> rules;
    std::vector<const User *> by_principal;  // NULL: no such user any more
  };
  struct Shard {
    Shard(std::uint32_t failures, std::int64_t lock_ms) : limit(failures, lock_ms) {}
    std::uint64_t version = 0;
    std::shared_ptr<const Installed> installed;
    LoginLimit limit;
  };
  struct FileState {  // what tells one version of a file from another
    std::int64_t mtime_ns = 0, size = 0;
    std::uint64_t inode = 0;
    bool operator==(const FileState &) const = default;
  };

  [[nodiscard]] const Installed &installed(Shard &shard);
  [[nodiscard]] const User *find_user(const Installed &installed, std::string_view name) const;
  void refused(Shard &shard, const gantry_peer &peer, std::string_view user, std::uint32_t outcome, gantry_login &out);
  void install(std::unique_ptr<Rules> rules);
  [[nodiscard]] FileState file_state() const;
  void warn_about_mode() const;
  void watch();
  [[nodiscard]] std::int64_t now_ms() const { return clock_->coarse_ms(host_); }
  void log(std::int32_t level, const std::string &text) const { log_->write(host_, level, text.data(), static_cast<std::uint32_t>(text.size())); }

  const gantry_host *const host_;
  const gantry_log_v1 *const log_;
  const gantry_clock_v1 *const clock_;
  const gantry_exec_v1 *const exec_;
  const gantry_metrics_v1 *const metrics_;
  const gantry_security_v1 *const security_;
  const Options options_;
  User broker_;  // the broker's own user, whose secret only this process knows
  std::vector<std::unique_ptr<Shard>> shards_;

  std::mutex reload_mutex_;  // one reload at a time; guards seen_
  FileState seen_;

  mutable std::mutex mutex_;  // the following
  std::shared_ptr<const Installed> current_;
  std::unordered_map<std::string, gantry_principal> principals_;
  std::vector<std::string> names_;  // by principal
  std::atomic<std::uint64_t> version_{0};

  std::thread watcher_;
  std::mutex watch_mutex_;
  std::condition_variable watch_signal_;
  bool stopping_ = false;
};

}  // namespace gantry::acl
