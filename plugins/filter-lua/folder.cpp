#include "folder.hpp"

#include <gantry/draft/host.h>

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>

namespace gantry::lua {

namespace {

constexpr std::string_view kSuffix = ".lua";

bool is_alphanumeric(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

// At most one byte more than a script may have.
Result<std::string> text_of(const std::string &file) {
  std::ifstream in(file, std::ios::binary);
  std::string text(kTextBytesMax + 1, '\0');
  if (!in) return Error{GANTRY_E_IO, file + ": cannot be opened"};
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.bad()) return Error{GANTRY_E_IO, file + ": cannot be read"};
  text.resize(static_cast<std::size_t>(in.gcount()));
  return text;
}

}  // namespace

bool Folder::is_name(std::string_view name) {
  const auto allowed = [](char c) { return is_alphanumeric(c) || c == '_' || c == '-' || c == '.'; };
  return !name.empty() && name.size() <= 48 && is_alphanumeric(name.front()) && std::all_of(name.begin(), name.end(), allowed);
}

Result<void> Folder::start() {
  if (path_.empty()) return {};
  GANTRY_TRY(read());
  if (rescan_ms_ == 0) return {};
  stopping_ = false;
  thread_ = std::thread([this] { look_for_ever(); });
  return {};
}

void Folder::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Folder::look_for_ever() {
  bool readable = true;
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      if (wake_.wait_for(lock, std::chrono::milliseconds(rescan_ms_), [this] { return stopping_; })) return;
    }
    const auto done = read();
    if (!done && readable) say_(GANTRY_LOG_ERROR, done.error().text + "; the scripts stay as they are");
    readable = done.ok();
  }
}

Result<void> Folder::read() {
  const std::lock_guard one(reading_);
  std::error_code failed;
  std::map<std::string, std::string> files;
  for (std::filesystem::directory_iterator it(path_, failed), end; !failed && it != end; it.increment(failed)) {
    const std::string file = it->path().filename().string();
    if (!file.ends_with(kSuffix)) continue;
    const std::string name = file.substr(0, file.size() - kSuffix.size());
    if (is_name(name)) files[name] = it->path().string();
  }
  if (failed) return Error{GANTRY_E_CONFIG, "scripts: the folder " + path_ + " cannot be read: " + failed.message()};
  {
    const std::lock_guard lock(mutex_);
    for (auto &[name, entry] : entries_) {
      if (!entry.there || files.contains(name)) continue;
      entry.there = false;
      entry.stamp = {};
      say_(GANTRY_LOG_WARN, "script @" + name + " is gone: who has subscribed with it keeps it, nobody else gets it");
    }
  }
  for (const auto &[name, file] : files) look_at(name, file);
  return {};
}

Result<Folder::Stamp> Folder::stamp_of(const std::string &file) {
  struct stat found {};
  if (::stat(file.c_str(), &found) != 0) return io_error(file, errno);
  return Stamp{std::int64_t{found.st_mtim.tv_sec} * 1'000'000'000 + found.st_mtim.tv_nsec, static_cast<std::uint64_t>(found.st_size), static_cast<std::uint64_t>(found.st_ino)};
}

// A file that changes while it is read is left for the next time.
void Folder::look_at(const std::string &name, const std::string &file) {
  const auto before = stamp_of(file);
  if (!before) return;
  std::shared_ptr<NamedScript> script;
  {
    const std::lock_guard lock(mutex_);
    Entry &entry = entries_[name];
    if (entry.there && entry.stamp == *before) return;
    script = entry.script;
  }
  auto text = text_of(file);
  const auto after = stamp_of(file);
  if (text && (!after || *after != *before)) return;
  if (text) {
    take(name, file, *script, std::move(*text));
  } else {
    script->put(Problem{GANTRY_E_SYNTAX, 1, 1, text.error().text});
    say_(GANTRY_LOG_ERROR, "script @" + name + ": " + text.error().text);
  }
  const std::lock_guard lock(mutex_);
  Entry &entry = entries_[name];
  entry.stamp = *before;
  entry.there = true;
}

void Folder::take(const std::string &name, const std::string &file, NamedScript &script, std::string text) {
  const auto current = script.current();
  if (current != nullptr && current->text == text) return;
  Problem problem;
  const auto made = Engine::make("@" + name, text, limits_, &problem);
  if (made != nullptr) {
    script.put(std::make_shared<const Script>(Script{"@" + name, std::move(text)}));
    if (current != nullptr) say_(GANTRY_LOG_INFO, "script @" + name + " was replaced by what " + file + " says now");
    return;
  }
  say_(GANTRY_LOG_ERROR, file + ", line " + std::to_string(problem.line) + ": " + problem.what + (current != nullptr ? "; the script before stays in force" : "; subscriptions with @" + name + " are refused"));
  script.put(std::move(problem));
}

std::shared_ptr<NamedScript> Folder::find(const std::string &name) const {
  const std::lock_guard lock(mutex_);
  const auto it = entries_.find(name);
  return it != entries_.end() && it->second.there ? it->second.script : nullptr;
}

}  // namespace gantry::lua
