// One script in a Lua machine of its own: what it does, allocates or breaks is nobody else's.
#pragma once

#include "meter.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

struct lua_State;
struct lua_Debug;

namespace gantry::lua {

struct Limits {
  std::size_t memory_bytes = 256u << 10;    // of one machine, with the script itself
  std::uint64_t steps = 20'000;             // of one message
  std::size_t body_bytes = 64u << 10;       // of a body that a script may look at
  std::int64_t batch_ns = 50'000'000;       // of the processor, for one batch; a second net for what steps do not count
};

inline constexpr std::size_t kTextBytesMax = 32u << 10;

// Why a text is no script. Lua names no column: it is the first place in the line of the token that Lua stopped at.
struct Problem {
  std::int32_t code = 0;  // GANTRY_E_SYNTAX, _LIMIT or _NOMEM
  std::uint32_t line = 1, column = 1;
  std::string what;
};

struct Message {
  std::string_view props, body;  // as a filter's batch has them
};

enum class Answer { kNo, kYes, kFailed, kOverBudget };

class Engine {
 public:
  // `name` stands before the line in what Lua complains of: "@vip:3: ...". The text is an expression, or statements that return its value.
  [[nodiscard]] static std::unique_ptr<Engine> make(const std::string &name, std::string_view text, const Limits &limits, Problem *problem);
  ~Engine();
  Engine(const Engine &) = delete;
  Engine &operator=(const Engine &) = delete;

  // Before the first message of a batch.
  void begin_batch();
  // What the script says of a message; nothing of it stays in the machine. kFailed and kOverBudget: complaint() says why and where. Never throws.
  [[nodiscard]] Answer run(const Message &message);
  // The batch has had its time: what is left of it was not looked at.
  [[nodiscard]] bool out_of_time() const { return out_of_time_; }
  [[nodiscard]] std::string_view complaint() const { return {complaint_, complaint_bytes_}; }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

  // ---- for the functions that scripts call
  [[nodiscard]] static Engine &of(lua_State *machine);
  [[nodiscard]] const Message &message() const { return message_; }
  [[nodiscard]] const Limits &limits() const { return limits_; }
  [[nodiscard]] Meter &meter() { return meter_; }

 private:
  Engine(std::string name, const Limits &limits) : name_(std::move(name)), limits_(limits) {}
  [[nodiscard]] bool load(std::string_view text, Problem *problem);
  [[nodiscard]] bool load_as(std::string_view before, std::string_view text);
  [[nodiscard]] Problem problem_of(int status, std::string_view text) const;
  void complain(int status);
  static void *allocate(void *self, void *old, std::size_t old_bytes, std::size_t bytes);
  static void on_count(lua_State *machine, lua_Debug *where);
  [[nodiscard]] bool time_is_up();

  const std::string name_;
  const Limits limits_;
  lua_State *machine_ = nullptr;
  int script_ = 0;  // in the registry
  Meter meter_;
  std::size_t bytes_ = 0;
  Message message_;
  std::int64_t deadline_ns_ = 0, processor_mark_ns_ = 0;
  bool out_of_time_ = false;
  char complaint_[192];
  std::size_t complaint_bytes_ = 0;
};

// Ends the script's run with the words for a budget that is spent. [does not return]
int raise_over_budget(lua_State *machine);

}  // namespace gantry::lua
