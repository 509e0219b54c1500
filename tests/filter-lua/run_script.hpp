// A script on messages, without the plugin's table around it.
#pragma once

#include "engine.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace gantry::lua::test {

struct Outcome {
  Answer answer;
  std::string complaint;
};

inline std::unique_ptr<Engine> engine_of(std::string_view text, const Limits &limits = {}) {
  Problem problem;
  auto made = Engine::make("t", text, limits, &problem);
  EXPECT_NE(made, nullptr) << text << "\n" << problem.line << ": " << problem.what;
  return made;
}

inline Outcome run(std::string_view text, std::string_view props = {}, std::string_view body = {}, const Limits &limits = {}) {
  const auto engine = engine_of(text, limits);
  if (engine == nullptr) return {Answer::kFailed, "does not compile"};
  engine->begin_batch();
  const Answer answer = engine->run({props, body});
  return {answer, answer == Answer::kFailed || answer == Answer::kOverBudget ? std::string(engine->complaint()) : ""};
}

inline Problem refusal(std::string_view text, const Limits &limits = {}) {
  Problem problem;
  EXPECT_EQ(Engine::make("t", text, limits, &problem), nullptr) << text;
  return problem;
}

}  // namespace gantry::lua::test
