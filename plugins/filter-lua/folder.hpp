// The folder of named scripts: NAME.lua is what the expression @NAME means. Read at start and then looked at again and again.
#pragma once

#include "script.hpp"

#include <gantry++/result.hpp>

#include <condition_variable>
#include <functional>
#include <map>
#include <thread>

namespace gantry::lua {

class Folder {
 public:
  using Say = std::function<void(std::int32_t level, const std::string &text)>;

  // `path` empty: there are no named scripts. `say` is called on any thread.
  Folder(std::string path, std::int64_t rescan_ms, const Limits &limits, Say say) : path_(std::move(path)), rescan_ms_(rescan_ms), limits_(limits), say_(std::move(say)) {}
  ~Folder() { stop(); }
  Folder(const Folder &) = delete;
  Folder &operator=(const Folder &) = delete;

  // Reads the folder and, unless rescan_ms is 0, begins to look for changes on a thread of its own. CONFIG: the folder cannot be read. A script that does not compile
  // is told and refuses its subscriptions; a changed one that does not compile leaves the one before in force. [thread: control] [blocking: may]
  [[nodiscard]] Result<void> start();
  void stop();
  // Looks at every file once. [thread: any but a shard] [blocking: may]
  [[nodiscard]] Result<void> read();

  // Null: there is no such script. [thread: any] [blocking: never]
  [[nodiscard]] std::shared_ptr<NamedScript> find(const std::string &name) const;
  [[nodiscard]] const std::string &path() const { return path_; }

  // 1 to 48 letters, digits, '_', '-' and '.', a letter or digit first: nothing that leads out of the folder.
  [[nodiscard]] static bool is_name(std::string_view name);

 private:
  struct Stamp {
    std::int64_t changed_ns = 0;
    std::uint64_t size = 0, inode = 0;
    bool operator==(const Stamp &) const = default;
  };
  struct Entry {
    std::shared_ptr<NamedScript> script = std::make_shared<NamedScript>();
    Stamp stamp;
    bool there = false;
  };
  [[nodiscard]] static Result<Stamp> stamp_of(const std::string &file);
  void look_at(const std::string &name, const std::string &file);
  void take(const std::string &name, const std::string &file, NamedScript &script, std::string text);
  void look_for_ever();

  const std::string path_;
  const std::int64_t rescan_ms_;
  const Limits limits_;
  const Say say_;
  std::mutex reading_;          // one reader at a time; before mutex_
  mutable std::mutex mutex_;    // guards what follows
  std::map<std::string, Entry> entries_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace gantry::lua
