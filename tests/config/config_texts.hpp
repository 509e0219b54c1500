// Short configurations, and looking for a problem among those of a document.
#pragma once

#include "kernel/config/document.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>

namespace gantry::test {

// A whole broker; `broker`, `store` and `protocol` are further lines of the three sections.
inline std::string broker_text(const std::string &broker = {}, const std::string &store = {}, const std::string &protocol = {}) {
  return "[broker]\n" + broker + "\n[store]\n" + store + "\n[[protocol]]\nplugin = \"protocol-remoting\"\nlisten = \"127.0.0.1:10911\"\n" + protocol + "\n";
}

inline config::Document parse(const std::string &text, const std::vector<config::Override> &overrides = {}) {
  return config::Document::parse(text, "test.toml", overrides);
}

inline config::Override flag(const std::string &argument) {
  auto out = config::flag_override(argument);
  EXPECT_TRUE(out) << argument;
  return *out;
}

// The only problem there is, as people see it.
inline std::string only_problem(const config::Document &document) {
  EXPECT_EQ(document.problems().size(), 1u) << config::render(document.problems());
  return document.problems().empty() ? std::string() : config::render(document.problems().front());
}

inline void expect_fine(const config::Document &document) { EXPECT_TRUE(document.ok()) << config::render(document.problems()); }

inline void expect_in(const std::string &text, std::string_view part) {
  EXPECT_NE(text.find(part), std::string::npos) << "\"" << part << "\" is not in:\n" << text;
}

}  // namespace gantry::test
