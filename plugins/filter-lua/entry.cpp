// Symbol, keys and table of the plugin.
#include "folder.hpp"
#include "program.hpp"

#include <gantry++/component.hpp>
#include <gantry++/str.hpp>
#include <gantry/draft/host.h>

#include <algorithm>

namespace {

using namespace gantry;
using lua::Engine;
using lua::Problem;
using lua::Program;

constexpr std::uint32_t kCost = 16;  // a script may look at all there is several times
constexpr std::uint64_t kBytesBesideMachines = sizeof(Program);

struct FilterLua {
  static constexpr gantry_config_key keys[] = {
      {"scripts", GANTRY_KEY_PATH, 0, nullptr, 0, 0, nullptr, "folder of named scripts: NAME.lua is what consumers subscribe to as @NAME; none when left out"},
      {"rescan", GANTRY_KEY_DURATION, 0, "1s", 0, 3'600'000, nullptr, "how often the folder is looked at for changed scripts; 0 is never"},
      {"memory", GANTRY_KEY_SIZE, 0, "256 KiB", 64 << 10, 64 << 20, nullptr, "what one script may take, for each shard"},
      {"budget", GANTRY_KEY_INT, 0, "20000", 1000, 100'000'000, nullptr, "steps that a script may take for one message: instructions, steps of patterns, and work on long texts"},
      {"batch_time", GANTRY_KEY_DURATION, 0, "50ms", 1, 60'000, nullptr, "processor time that a script may take for up to 64 messages, whatever its steps"},
      {"body", GANTRY_KEY_SIZE, 0, "64 KiB", 0, 16 << 20, nullptr, "largest body that a script may look at"},
  };

  FilterLua(const gantry_host *host, const gantry_config *config)
      : host_(host),
        log_(static_cast<const gantry_log_v1 *>(host->query(host, GANTRY_LOG_ID))),
        limits{.memory_bytes = static_cast<std::size_t>(config->get_int(config, "memory")),
               .steps = static_cast<std::uint64_t>(config->get_int(config, "budget")),
               .body_bytes = static_cast<std::size_t>(config->get_int(config, "body")),
               .batch_ns = config->get_int(config, "batch_time") * 1'000'000},
        folder(std::string(view(config->get_text(config, "scripts"))), config->get_int(config, "rescan"), limits, [this](std::int32_t level, const std::string &text) { say(level, text); }) {
    const auto *exec = static_cast<const gantry_exec_v1 *>(host->query(host, GANTRY_EXEC_ID));
    if (exec != nullptr) shards = std::clamp(exec->shard_count(host), 1u, lua::kShardsMax);
  }

  void say(std::int32_t level, const std::string &text) const {
    if (log_ != nullptr) log_->write(host_, level, text.data(), static_cast<std::uint32_t>(text.size()));
  }

 private:
  const gantry_host *host_;
  const gantry_log_v1 *log_;

 public:
  std::uint32_t shards = 1;
  const lua::Limits limits;
  lua::Folder folder;
};

gantry_str expression_types(void *) noexcept { return str("LUA"); }

std::int32_t refuse_with(const Problem &problem, gantry_error *err) {
  const std::string where = "LUA, line " + std::to_string(problem.line) + ", column " + std::to_string(problem.column) + ": ";
  refuse(err, problem.code, (where + problem.what).c_str());
  if (err != nullptr) {
    err->line = problem.line;
    err->column = problem.column;
  }
  return problem.code;
}

std::unique_ptr<Program> of_expression(const FilterLua &filter, std::string_view text, Problem *problem) {
  auto engine = Engine::make("LUA", text, filter.limits, problem);
  if (engine == nullptr) return nullptr;
  return std::make_unique<Program>(std::make_shared<const lua::Script>(lua::Script{"LUA", std::string(text)}), nullptr, filter.limits, std::move(engine));
}

std::unique_ptr<Program> of_name(const FilterLua &filter, std::string_view name, Problem *problem) {
  const auto refused = [&](std::string what) {
    *problem = {GANTRY_E_SYNTAX, 1, 1, std::move(what)};
    return nullptr;
  };
  if (!lua::Folder::is_name(name)) return refused("'@' begins the name of a script: 1 to 48 letters, digits, '_', '-' and '.'");
  if (filter.folder.path().empty()) return refused("this broker has no folder of scripts; its administrator sets `scripts` of filter-lua");
  const auto script = filter.folder.find(std::string(name));
  if (script == nullptr) return refused("there is no script '" + std::string(name) + "' on this broker");
  if (script->current() == nullptr) {
    *problem = script->problem();
    problem->what = "script @" + std::string(name) + ": " + problem->what;
    return nullptr;
  }
  return std::make_unique<Program>(nullptr, script, filter.limits, nullptr);
}

std::int32_t compile(void *self, gantry_str type, gantry_str text, gantry_filter_program *out, gantry_error *err) noexcept {
  if (view(type) != "LUA") return refuse(err, GANTRY_E_UNSUPPORTED, "filter-lua compiles expressions of type LUA only");
  return guarded(err, [&] {
    const auto &filter = *static_cast<const FilterLua *>(self);
    const std::string_view expression = view(text);
    const bool named = expression.starts_with('@');
    Problem problem;
    auto program = named ? of_name(filter, expression.substr(1), &problem) : of_expression(filter, expression, &problem);
    if (program == nullptr) return refuse_with(problem, err);
    *out = {};
    out->size = sizeof *out;
    // A named script may look at the body tomorrow.
    out->flags = GANTRY_PROGRAM_NEEDS_PROPS | (named || expression.find("body") != std::string_view::npos ? GANTRY_PROGRAM_NEEDS_BODY : 0);
    out->bytes = kBytesBesideMachines + filter.limits.memory_bytes * filter.shards;
    out->cost = kCost;
    out->program = program.release();
    return GANTRY_OK;
  });
}

void program_release(void *, void *program) noexcept { delete static_cast<Program *>(program); }

std::int32_t eval(void *, void *program, std::uint32_t shard, const gantry_filter_batch *batch, std::uint64_t *match, std::uint64_t *error) noexcept {
  return guarded(nullptr, [&] { return static_cast<Program *>(program)->eval(shard, *batch, match, error); });
}

constexpr gantry_filter_v1 kTable = {expression_types, compile, program_release, eval};

std::int32_t start(void *self, gantry_error *err) noexcept {
  return guarded(err, [&] {
    const auto started = static_cast<FilterLua *>(self)->folder.start();
    return started ? GANTRY_OK : refuse(err, started.error().code, started.error().text.c_str());
  });
}
void stop(void *self) noexcept { static_cast<FilterLua *>(self)->folder.stop(); }

constexpr gantry_component lua_component() {
  gantry_component made = component_of_class<FilterLua>(GANTRY_FILTER_ID, "lua", "scripts that look at properties and bodies", &kTable);
  made.start = start;
  made.stop = stop;
  return made;
}

}  // namespace

GANTRY_PLUGIN_OF_ONE("gantry.filter-lua", "0.1.0", "Apache-2.0", GANTRY_FILTER_ID, (lua_component()))
