// Texts of scripts: one that came with an expression stays as it is, a named one is replaced when its file changes.
#pragma once

#include "engine.hpp"

#include <memory>
#include <mutex>
#include <string>

namespace gantry::lua {

struct Script {  // immutable once it is shared
  std::string name, text;
};

// What a file of the folder says now. [thread: any]
class NamedScript {
 public:
  // Null when the file never held a script; then problem() says what is wrong with it.
  [[nodiscard]] std::shared_ptr<const Script> current() const {
    const std::lock_guard lock(mutex_);
    return current_;
  }
  [[nodiscard]] Problem problem() const {
    const std::lock_guard lock(mutex_);
    return problem_;
  }
  void put(std::shared_ptr<const Script> script) {
    const std::lock_guard lock(mutex_);
    current_ = std::move(script);
  }
  void put(Problem problem) {
    const std::lock_guard lock(mutex_);
    problem_ = std::move(problem);
  }

 private:
  mutable std::mutex mutex_;  // leaf
  std::shared_ptr<const Script> current_;
  Problem problem_;
};

}  // namespace gantry::lua
