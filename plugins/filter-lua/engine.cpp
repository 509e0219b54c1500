// Lua leaves a function by longjmp: between a call that may do so and its lua_pcall, nothing lives that has a destructor.
#include "engine.hpp"

#include "sandbox.hpp"

#include <gantry++/result.hpp>

#include <lua.hpp>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <ctime>

namespace gantry::lua {

namespace {

constexpr int kHookSteps = 256;  // instructions between two looks at the budget
// Beside its text; what the body's limit allows is allowed for other texts as well.
constexpr std::size_t kStringHeaderBytes = 64;
constexpr std::size_t kStringBytesMin = 64u << 10;

std::int64_t now_ns() { return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

std::int64_t processor_ns() {
  timespec now{};
  (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

struct Pieces {
  std::string_view left[2];
  int next = 0;
};

const char *read_piece(lua_State *, void *arg, std::size_t *n) {
  auto *pieces = static_cast<Pieces *>(arg);
  while (pieces->next < 2 && pieces->left[pieces->next].empty()) ++pieces->next;
  if (pieces->next == 2) {
    *n = 0;
    return nullptr;
  }
  const std::string_view piece = pieces->left[pieces->next++];
  *n = piece.size();
  return piece.data();
}

}  // namespace

Engine &Engine::of(lua_State *machine) { return **static_cast<Engine **>(lua_getextraspace(machine)); }

std::unique_ptr<Engine> Engine::make(const std::string &name, std::string_view text, const Limits &limits, Problem *problem) {
  if (text.size() > kTextBytesMax) {
    *problem = {GANTRY_E_LIMIT, 1, 1, "the script has " + std::to_string(text.size()) + " bytes, more than 32 KiB"};
    return nullptr;
  }
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) {
    *problem = {GANTRY_E_SYNTAX, 1, 1, "the script is empty; write an expression such as p.level == '3'"};
    return nullptr;
  }
  if (text.front() == LUA_SIGNATURE[0]) {
    *problem = {GANTRY_E_SYNTAX, 1, 1, "the script is binary; scripts are texts"};
    return nullptr;
  }
  std::unique_ptr<Engine> made(new Engine(name, limits));
  made->machine_ = lua_newstate(allocate, made.get());
  if (made->machine_ == nullptr) {
    *problem = {GANTRY_E_NOMEM, 1, 1, "no memory for a Lua machine; see the key `memory` of filter-lua"};
    return nullptr;
  }
  *static_cast<Engine **>(lua_getextraspace(made->machine_)) = made.get();
  if (!made->load(text, problem)) return nullptr;
  return made;
}

Engine::~Engine() {
  if (machine_ != nullptr) lua_close(machine_);
}

bool Engine::load_as(std::string_view before, std::string_view text) {
  Pieces pieces{{before, text}};
  const std::string chunk = "=" + name_;
  const int status = lua_load(machine_, read_piece, &pieces, chunk.c_str(), "t");
  if (status == LUA_OK) return true;
  complain(status);
  return false;
}

bool Engine::load(std::string_view text, Problem *problem) {
  lua_pushcfunction(machine_, open_sandbox);
  if (const int status = lua_pcall(machine_, 0, 0, 0); status != LUA_OK) {
    complain(status);
    *problem = problem_of(status, text);
    return false;
  }
  if (!load_as("return ", text)) {
    const std::string as_expression(complaint());
    if (!load_as("", text)) {
      // Of the two complaints the one about what the text seems to be.
      if (text.find("return") == std::string_view::npos) {
        complaint_bytes_ = as_expression.copy(complaint_, sizeof complaint_);
      }
      *problem = problem_of(LUA_ERRSYNTAX, text);
      return false;
    }
  }
  script_ = luaL_ref(machine_, LUA_REGISTRYINDEX);  // the registry has room: open_sandbox left some
  return true;
}

// The complaint's "NAME:LINE:", and where in that line stands what it is "near".
Problem Engine::problem_of(int status, std::string_view text) const {
  Problem out;
  const std::string_view said = complaint();
  out.code = status == LUA_ERRMEM || said.find("not enough memory") != std::string_view::npos ? GANTRY_E_LIMIT : GANTRY_E_SYNTAX;
  out.what = said;
  const std::string before = name_ + ":";
  if (!said.starts_with(before)) return out;
  const std::size_t end = said.find(':', before.size());
  if (end == std::string_view::npos) return out;
  const std::string number(said.substr(before.size(), end - before.size()));
  out.line = std::max(1u, static_cast<std::uint32_t>(std::strtoul(number.c_str(), nullptr, 10)));
  out.what = said.substr(std::min(end + 2, said.size()));
  std::size_t begin = 0;
  for (std::uint32_t line = 1; line < out.line && begin < text.size(); ++line) begin = std::min(text.find('\n', begin), text.size() - 1) + 1;
  const std::string_view line = text.substr(begin, std::min(text.find('\n', begin), text.size()) - begin);
  out.column = static_cast<std::uint32_t>(std::max<std::size_t>(line.find_last_not_of(" \t\r") + 1, 1));  // near <eof>
  const std::size_t near = said.rfind(" near '");
  if (near == std::string_view::npos) return out;
  const std::string_view token = said.substr(near + 7, said.size() - near - 8);
  if (const std::size_t at = line.find(token); at != std::string_view::npos && !token.empty()) out.column = static_cast<std::uint32_t>(at) + 1;
  return out;
}

void Engine::begin_batch() {
  out_of_time_ = false;
  processor_mark_ns_ = 0;
  deadline_ns_ = now_ns() + limits_.batch_ns;
}

Answer Engine::run(const Message &message) {
  message_ = message;
  meter_.used = 0;
  meter_.limit = limits_.steps;
  lua_sethook(machine_, on_count, LUA_MASKCOUNT, kHookSteps);  // counts from here
  lua_rawgeti(machine_, LUA_REGISTRYINDEX, script_);
  const int status = lua_pcall(machine_, 0, 1, 0);
  const bool over = meter_.over() || status == LUA_ERRMEM;
  meter_.limit = UINT64_MAX;
  message_ = {};
  if (status == LUA_OK) {
    const bool yes = lua_toboolean(machine_, -1) != 0;
    lua_settop(machine_, 0);
    return yes ? Answer::kYes : Answer::kNo;
  }
  complain(status);
  return over ? Answer::kOverBudget : Answer::kFailed;
}

// Takes the error from the stack.
void Engine::complain(int status) {
  std::size_t n = 0;
  // Only of a text: of anything else Lua would have to make one.
  const char *text = lua_type(machine_, -1) == LUA_TSTRING ? lua_tolstring(machine_, -1, &n) : nullptr;
  const std::string_view said = text != nullptr ? std::string_view(text, n) : "the script raised an error that is no text";
  complaint_bytes_ = said.copy(complaint_, sizeof complaint_);
  if (status == LUA_ERRMEM && meter_.over()) {
    complaint_bytes_ = std::string_view("over its budget of steps, by what it allocates").copy(complaint_, sizeof complaint_);
  } else if (status == LUA_ERRMEM) {
    complaint_bytes_ = std::string_view("not enough memory: the script takes more than it may").copy(complaint_, sizeof complaint_);
  }
  lua_settop(machine_, 0);
}

// Making less room never fails.
void *Engine::allocate(void *self, void *old, std::size_t old_bytes, std::size_t bytes) {
  auto *engine = static_cast<Engine *>(self);
  const std::size_t before = old != nullptr ? old_bytes : 0;
  if (bytes == 0) {
    std::free(old);
    engine->bytes_ -= before;
    return nullptr;
  }
  if (bytes > before) {
    const bool text = old == nullptr && old_bytes == LUA_TSTRING;
    if (text && bytes > std::max(engine->limits_.body_bytes, kStringBytesMin) + kStringHeaderBytes) return nullptr;
    if (engine->bytes_ - before + bytes > engine->limits_.memory_bytes) return nullptr;
    if (!engine->meter_.spend((bytes - before) / kBytesPerStep)) return nullptr;
  }
  void *const made = std::realloc(old, bytes);
  if (made != nullptr) engine->bytes_ += bytes - before;
  return made;
}

// Waiting for the processor does not count: only when the clock says that time is up, the thread's own time is asked for, which costs a system call.
bool Engine::time_is_up() {
  const std::int64_t now = now_ns();
  if (now < deadline_ns_) return false;
  const std::int64_t used = processor_ns();
  if (processor_mark_ns_ == 0) processor_mark_ns_ = used;
  if (used - processor_mark_ns_ >= limits_.batch_ns) return true;
  deadline_ns_ = now + limits_.batch_ns - (used - processor_mark_ns_);
  return false;
}

void Engine::on_count(lua_State *machine, lua_Debug *) {
  Engine &engine = of(machine);
  if (engine.meter_.limit == UINT64_MAX) return;
  if (engine.time_is_up()) {
    engine.out_of_time_ = true;
    engine.meter_.used = engine.meter_.limit;
  }
  if (!engine.meter_.spend(kHookSteps)) raise_over_budget(machine);
}

int raise_over_budget(lua_State *machine) {
  Engine &engine = Engine::of(machine);
  // Level 0 is the function that runs; a function of C has no line, its caller has.
  lua_Debug where{};
  for (int level = 0; lua_getstack(machine, level, &where) != 0; ++level) {
    lua_getinfo(machine, "Sl", &where);
    if (where.currentline > 0) break;
  }
  const char *const what = engine.out_of_time() ? "the batch is out of time" : "over its budget of steps";
  engine.meter().limit = UINT64_MAX;  // the text must be made; Engine::run knows by `used`
  if (where.currentline > 0)
    lua_pushfstring(machine, "%s:%d: %s", where.short_src, where.currentline, what);
  else
    lua_pushstring(machine, what);
  engine.meter().limit = engine.limits().steps;
  return lua_error(machine);
}

}  // namespace gantry::lua
