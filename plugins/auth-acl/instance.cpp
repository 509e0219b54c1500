#include "instance.hpp"

#include <gantry++/str.hpp>

#include <openssl/rand.h>

#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <cstring>

namespace gantry::acl {
namespace {

// Numbers that no user of the file has.
constexpr gantry_principal kTrusted = 1, kBroker = 2;
constexpr const char *kTrustedName = "$trusted", *kBrokerName = "$broker";

}  // namespace

Instance::Instance(const gantry_host *host, Options options)
    : host_(host),
      log_(static_cast<const gantry_log_v1 *>(host->query(host, GANTRY_LOG_ID))),
      clock_(static_cast<const gantry_clock_v1 *>(host->query(host, GANTRY_CLOCK_ID))),
      exec_(static_cast<const gantry_exec_v1 *>(host->query(host, GANTRY_EXEC_ID))),
      metrics_(static_cast<const gantry_metrics_v1 *>(host->query(host, GANTRY_METRICS_ID))),
      security_(static_cast<const gantry_security_v1 *>(host->query(host, GANTRY_SECURITY_ID))),
      options_(std::move(options)) {
  std::uint8_t secret[32];
  GANTRY_ASSERT(RAND_bytes(secret, sizeof secret) == 1);
  broker_.name = kBrokerName;
  broker_.super = true;
  broker_.principal = kBroker;
  broker_.key = SigningKey({reinterpret_cast<const char *>(secret), sizeof secret});
  names_ = {"", kTrustedName, kBrokerName};
}

Instance::~Instance() { stop(); }

const char *Instance::missing_table() const {
  if (log_ == nullptr) return GANTRY_LOG_ID;
  if (clock_ == nullptr) return GANTRY_CLOCK_ID;
  if (exec_ == nullptr) return GANTRY_EXEC_ID;
  if (metrics_ == nullptr) return GANTRY_METRICS_ID;
  if (security_ == nullptr) return GANTRY_SECURITY_ID;
  return nullptr;
}

// ---- rules

Instance::FileState Instance::file_state() const {
  struct stat st {};
  if (::stat(options_.file.c_str(), &st) != 0) return {};
  return {st.st_mtim.tv_sec * 1'000'000'000 + st.st_mtim.tv_nsec, st.st_size, st.st_ino};
}

void Instance::warn_about_mode() const {
  struct stat st {};
  if (::stat(options_.file.c_str(), &st) == 0 && (st.st_mode & 077) != 0)
    log(GANTRY_LOG_WARN, options_.file + " holds secrets and is readable or writable for others than its owner; make it the broker's alone: chmod 600 " + options_.file);
}

Result<void> Instance::start() {
  const std::lock_guard lock(reload_mutex_);
  Result<std::unique_ptr<Rules>> rules = load_rules(options_.file);
  if (!rules && rules.error().code == GANTRY_E_NOT_FOUND && !is_plain_acl(options_.file)) {
    GANTRY_TRY(make_first_file(options_.file));
    rules = load_rules(options_.file);
    log(GANTRY_LOG_WARN, "made the administrator \"admin\"; the secret is in " + options_.file + ", which only this user may read");
  }
  if (!rules) return std::move(rules.error());
  warn_about_mode();
  seen_ = file_state();
  if (!options_.own_user.empty() && (*rules)->find(options_.own_user) == nullptr)
    return Error{GANTRY_E_CONFIG, "own_user is \"" + options_.own_user + "\", whom " + options_.file + " does not have; add the user there"};
  install(std::move(*rules));
  for (std::uint32_t i = 0, n = exec_->shard_count(host_); i < n; ++i) shards_.push_back(std::make_unique<Shard>(options_.login_failures, options_.login_lock_ms));
  stopping_ = false;
  if (options_.reload_period_ms > 0) watcher_ = std::thread([this] { watch(); });
  return {};
}

void Instance::stop() {
  {
    const std::lock_guard lock(watch_mutex_);
    stopping_ = true;
  }
  watch_signal_.notify_all();
  if (watcher_.joinable()) watcher_.join();
}

void Instance::install(std::unique_ptr<Rules> rules) {
  auto next = std::make_shared<Installed>();
  next->rules = std::move(rules);
  {
    const std::lock_guard lock(mutex_);
    for (const auto &user : next->rules->users()) {
      const auto [it, made] = principals_.emplace(user->name, names_.size());
      if (made) names_.push_back(user->name);
      user->principal = it->second;
    }
    next->by_principal.resize(names_.size());
    for (const auto &user : next->rules->users()) next->by_principal[user->principal] = user.get();
    next->by_principal[kBroker] = &broker_;
    current_ = std::move(next);
    version_.fetch_add(1, std::memory_order_release);
  }
  // Decisions are void once their rules are; what a shard decides meanwhile is by the new ones.
  security_->policies_changed(host_);
}

Result<void> Instance::reload() {
  const std::lock_guard lock(reload_mutex_);
  const FileState now = file_state();
  Result<std::unique_ptr<Rules>> rules = load_rules(options_.file);
  seen_ = now;  // a file that is wrong is complained about once
  if (!rules) return std::move(rules.error());
  warn_about_mode();
  install(std::move(*rules));
  return {};
}

// A file that is being written is left alone until two looks see the same.
void Instance::watch() {
  FileState last;
  {
    const std::lock_guard lock(reload_mutex_);
    last = seen_;
  }
  std::unique_lock lock(watch_mutex_);
  while (!stopping_) {
    watch_signal_.wait_for(lock, std::chrono::milliseconds(options_.reload_period_ms), [this] { return stopping_; });
    if (stopping_) return;
    lock.unlock();
    const FileState now = file_state();
    bool changed = false;
    {
      const std::lock_guard reload_lock(reload_mutex_);
      changed = !(now == seen_) && now == last;
    }
    last = now;
    if (changed) {
      if (const Result<void> done = reload(); done)
        log(GANTRY_LOG_INFO, options_.file + " changed: its rules hold from now on");
      else
        log(GANTRY_LOG_ERROR, "the rules stay as they were: " + done.error().text);
    }
    lock.lock();
  }
}

const Instance::Installed &Instance::installed(Shard &shard) {
  if (const std::uint64_t version = version_.load(std::memory_order_acquire); version != shard.version) [[unlikely]] {
    const std::lock_guard lock(mutex_);
    shard.installed = current_;
    shard.version = version_.load(std::memory_order_relaxed);
  }
  return *shard.installed;
}

// ---- who

const User *Instance::find_user(const Installed &installed, std::string_view name) const {
  if (name == kBrokerName) return &broker_;
  return installed.rules->find(name);
}

void Instance::refused(Shard &shard, const gantry_peer &peer, std::string_view user, std::uint32_t outcome, gantry_login &out) {
  out.outcome = outcome;
  if (!shard.limit.failed(peer, user, now_ms())) return;
  log(GANTRY_LOG_WARN, "too many failed logins from " + std::string(view(peer.text)) + (user.empty() ? " with names of nobody" : " as \"" + std::string(user) + "\"") + ": refused for " +
                           std::to_string(options_.login_lock_ms / 1000) + " s");
}

void Instance::verify(std::uint32_t index, const gantry_signed_request &req, gantry_login &out) {
  Shard &shard = *shards_[index];
  const Installed &now = installed(shard);
  out = gantry_login{};
  if (!now.rules->trusted.empty() && now.rules->trusted.matches(*req.peer)) {
    out.principal = kTrusted;
    return;
  }
  const std::string_view name = view(req.access_key);
  if (name.empty()) {
    out.outcome = GANTRY_LOGIN_MISSING;
    return;
  }
  const User *user = find_user(now, name);
  if (user == nullptr) return refused(shard, *req.peer, {}, GANTRY_LOGIN_UNKNOWN, out);
  const bool is_signed = user->unsigned_from.empty() || !user->unsigned_from.matches(*req.peer);
  if (is_signed && shard.limit.locked(*req.peer, user->name, now_ms())) {
    out.outcome = GANTRY_LOGIN_LOCKED;
    return;
  }
  const std::string_view signature = view(req.signature);
  const auto fits = [&](gantry_str content) { return user->key.verify(view(content), view(req.body), signature); };
  if (is_signed && !fits(req.content) && (req.other_content.p == nullptr || !fits(req.other_content))) return refused(shard, *req.peer, user->name, GANTRY_LOGIN_WRONG, out);
  if (!user->enabled) {
    out.outcome = GANTRY_LOGIN_DISABLED;
    return;
  }
  out.principal = user->principal;
}

void Instance::authenticate(std::uint32_t index, const gantry_credentials &req, gantry_login &out) {
  Shard &shard = *shards_[index];
  const Installed &now = installed(shard);
  out = gantry_login{};
  const std::string_view name = view(req.name);
  if (name.empty()) {
    out.outcome = GANTRY_LOGIN_MISSING;
    return;
  }
  const User *user = now.rules->find(name);
  if (user == nullptr) return refused(shard, *req.peer, {}, GANTRY_LOGIN_UNKNOWN, out);
  if (shard.limit.locked(*req.peer, user->name, now_ms())) {
    out.outcome = GANTRY_LOGIN_LOCKED;
    return;
  }
  // The kernel has verified a certificate's name; a password is compared.
  if (req.kind != GANTRY_CREDENTIALS_TLS && !same_secret(user->secret, view(req.secret))) return refused(shard, *req.peer, user->name, GANTRY_LOGIN_WRONG, out);
  if (!user->enabled) {
    out.outcome = GANTRY_LOGIN_DISABLED;
    return;
  }
  out.principal = user->principal;
}

// ---- what

std::uint32_t Instance::authorize(std::uint32_t index, gantry_principal who, const gantry_peer &peer, const gantry_authz &item) {
  if (who == kTrusted) return GANTRY_DECISION_ALLOW;
  const Installed &now = installed(*shards_[index]);
  const User *user = who < now.by_principal.size() ? now.by_principal[who] : nullptr;
  if (user == nullptr || !user->enabled) return GANTRY_DECISION_NO_RULE;
  return decide(*user, item.resource_type, view(item.name), item.actions, peer).decision;
}

std::uint32_t Instance::name(gantry_principal who, char *out, std::uint32_t bytes) const {
  const std::lock_guard lock(mutex_);
  if (who >= names_.size()) return 0;
  const std::string &name = names_[who];
  std::memcpy(out, name.data(), std::min<std::size_t>(bytes, name.size()));
  return static_cast<std::uint32_t>(name.size());
}

std::int32_t Instance::sign(std::uint32_t index, gantry_str content, gantry_str body, char *access_key, char *signature) {
  const Installed &now = installed(*shards_[index]);
  const User *user = options_.own_user.empty() ? &broker_ : now.rules->find(options_.own_user);
  if (user == nullptr) return GANTRY_E_UNSUPPORTED;
  std::memcpy(access_key, user->name.data(), user->name.size());
  access_key[user->name.size()] = '\0';
  // The caller does not know who signs before it asks, so the name is taken to be the first field that is signed.
  std::string text = user->name;
  text += view(content);
  user->key.sign(text, view(body), signature);
  signature[kSignatureBytes] = '\0';
  return GANTRY_OK;
}

}  // namespace gantry::acl
