// Lua scripts and our own patterns: any text compiles or is refused, runs within its budget on any message, and leaves the machine usable. Input: script, 0, pattern, 0, properties.
#include "engine.hpp"
#include "pattern.hpp"

#include <gantry++/result.hpp>

using namespace gantry::lua;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  std::string_view input(reinterpret_cast<const char *>(data), size);
  const auto next = [&input] {
    const std::size_t end = std::min(input.find('\0'), input.size());
    const std::string_view piece = input.substr(0, end);
    input.remove_prefix(std::min(end + 1, input.size()));
    return piece;
  };
  const std::string_view text = next(), pattern = next(), props = input;

  Meter meter{0, 100'000};
  Matcher matcher(props, pattern, meter);
  for (std::size_t at = 0; at <= props.size() && !meter.over() && matcher.fault() == nullptr; ++at) {
    const std::size_t end = matcher.match_at(at);
    if (end == kNoMatch) continue;
    GANTRY_ASSERT(end >= at && end <= props.size() && matcher.captures() <= kCapturesMax);
    for (int i = 0; i < matcher.captures(); ++i) {
      const Capture &capture = matcher.capture(i);
      GANTRY_ASSERT(capture.begin <= props.size() && (capture.size < 0 || capture.begin + static_cast<std::size_t>(capture.size) <= props.size()));
    }
  }

  const Limits limits{.steps = 5'000};
  Problem problem;
  const auto engine = Engine::make("fuzz", text, limits, &problem);
  if (engine == nullptr) {
    GANTRY_ASSERT(problem.code == GANTRY_E_SYNTAX || problem.code == GANTRY_E_LIMIT || problem.code == GANTRY_E_NOMEM);
    GANTRY_ASSERT(problem.line >= 1 && problem.column >= 1 && !problem.what.empty());
    return 0;
  }
  engine->begin_batch();
  const Answer first = engine->run({props, pattern});
  const Answer again = engine->run({props, pattern});
  GANTRY_ASSERT(engine->bytes() <= limits.memory_bytes);
  // What is decided is decided again in the same way. Memory may run out at another place when there is rubbish of the first run.
  if (first == Answer::kYes || first == Answer::kNo) GANTRY_ASSERT(again == first || again == Answer::kOverBudget);
  return 0;
}
