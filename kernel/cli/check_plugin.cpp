#include "kernel/cli/check_plugin.hpp"

#include "kernel/cli/command_line.hpp"
#include "kernel/kit/subject.hpp"

#include <boost/json.hpp>

#include <cstdio>
#include <iostream>
#include <random>
#include <sstream>

namespace gantry::cli {
namespace {

using kit::Outcome;

struct Row {
  std::string name;
  Outcome outcome;
};

const char *to_text(Outcome::Verdict verdict) {
  return verdict == Outcome::kPassed ? "passed" : verdict == Outcome::kSkipped ? "skipped" : "failed";
}

// Bytes of the UTF-8 sequence that begins there, 0 when there is none.
std::size_t sequence_bytes(std::string_view text) {
  const auto first = static_cast<unsigned char>(text[0]);
  const std::size_t n = first < 0x80 ? 1 : first >= 0xF0 && first < 0xF5 ? 4 : first >= 0xE0 && first < 0xF0 ? 3 : first >= 0xC2 && first < 0xE0 ? 2 : 0;
  if (n > text.size()) return 0;
  for (std::size_t i = 1; i < n; ++i)
    if ((static_cast<unsigned char>(text[i]) & 0xC0) != 0x80) return 0;
  return n;
}

// What plugins say may be any bytes; a report is text. Others become \xNN.
std::string printable(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t n = sequence_bytes(text);
    const auto first = static_cast<unsigned char>(text[0]);
    if (n == 0 || (first < 0x20 && first != '\n' && first != '\t') || first == 0x7f) {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\x%02x", first);
      out += escaped;
      text.remove_prefix(1);
    } else {
      out += text.substr(0, n);
      text.remove_prefix(n);
    }
  }
  return out;
}

std::string in_one_line(std::string text) {
  for (char &c : text)
    if (c == '\n') c = ' ';
  return text;
}

void print_tap(std::size_t number, const Row &row) {
  const bool fine = row.outcome.verdict != Outcome::kFailed;
  std::cout << (fine ? "ok " : "not ok ") << number << " - " << row.name;
  if (row.outcome.verdict == Outcome::kSkipped) std::cout << " # SKIP " << in_one_line(row.outcome.text);
  std::cout << "\n";
  if (!fine) {
    std::istringstream lines(row.outcome.text + "\n" + row.outcome.output);
    for (std::string line; std::getline(lines, line);) std::cout << "# " << line << "\n";
  }
  std::cout << std::flush;
}

void print_json(const CheckOptions &options, std::uint64_t seed, const std::vector<Row> &rows, std::size_t failed) {
  boost::json::array tests;
  for (const Row &row : rows) tests.push_back(boost::json::object{{"name", row.name}, {"result", to_text(row.outcome.verdict)}, {"text", row.outcome.text}, {"output", row.outcome.output}});
  std::cout << boost::json::serialize(boost::json::object{{"schema", 1}, {"plugin", options.plugin}, {"seed", seed}, {"ok", failed == 0}, {"tests", tests}}) << "\n";
}

// False with a message: a setting is not key=value.
bool read_settings(const CheckOptions &options, kit::Setup &setup) {
  for (const std::string &setting : options.settings) {
    const std::size_t sign = setting.find('=');
    if (sign == std::string::npos || sign == 0) {
      std::fprintf(stderr, "gantry: --set %s: wanted KEY=VALUE, as in broker.toml but without quotes\n", setting.c_str());
      return false;
    }
    setup.settings[setting.substr(0, sign)] = setting.substr(sign + 1);
  }
  return true;
}

}  // namespace

int check_plugin(const CheckOptions &options) {
  kit::Setup setup{options.plugin, {}, options.cases, options.seed ? *options.seed : std::random_device()(), options.timeout_ms};
  if (!read_settings(options, setup)) return kExitUsage;
  std::vector<kit::Test> tests = kit::load_tests(setup);
  for (kit::Test &test : kit::component_tests(setup)) tests.push_back(std::move(test));
  std::erase_if(tests, [&](const kit::Test &test) { return test.name.find(options.only) == std::string::npos; });
  if (tests.empty()) {
    std::fprintf(stderr, "gantry: no test has \"%s\" in its name; without --only all run and are named\n", options.only.c_str());
    return kExitUsage;
  }
  if (!options.json) std::cout << "TAP version 13\n1.." << tests.size() << "\n# " << options.plugin << ", seed " << setup.seed << std::endl;
  std::vector<Row> rows;
  std::size_t failed = 0, skipped = 0;
  for (const kit::Test &test : tests) {
    Outcome outcome = kit::run_in_process(test.run, options.timeout_ms);
    outcome.text = printable(outcome.text);
    outcome.output = printable(outcome.output);
    rows.push_back({test.name, std::move(outcome)});
    failed += rows.back().outcome.verdict == Outcome::kFailed;
    skipped += rows.back().outcome.verdict == Outcome::kSkipped;
    if (!options.json) print_tap(rows.size(), rows.back());
  }
  if (options.json)
    print_json(options, setup.seed, rows, failed);
  else
    std::cout << "# " << rows.size() - failed - skipped << " passed, " << failed << " failed, " << skipped << " skipped\n";
  if (failed > 0 && !options.json) std::cout << "# again: gantry plugin check " << options.plugin << " --seed " << setup.seed << (options.cases.empty() ? "" : " --cases " + options.cases) << " --only NAME\n";
  return failed > 0 ? kExitFailed : 0;
}

}  // namespace gantry::cli
