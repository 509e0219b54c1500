// The promises of gantry.filter.draft/1, tested through the C table alone, on the plugin and with the expressions that the command line gives.
#include "support/fake_config.h"
#include "support/fake_host.h"
#include "support/plugin_loader.h"

#include <gantry++/str.hpp>
#include <gantry/draft/filter.h>

#include <gtest/gtest.h>

#include <atomic>
#include <cstdio>
#include <cstring>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace gantry::test {
namespace {

// In the plugin's language: the type, "property a is the text 1", something that does not compile, something that matches everything.
struct Arguments {
  std::string plugin, type, ones, bad, all;
} given;

class FilterContract : public ::testing::Test {
 protected:
  void SetUp() override {
    component_ = &component_of(load_plugin(given.plugin), GANTRY_FILTER_ID);
    config_ = std::make_unique<FakeConfig>(*component_, ConfigTexts{});
    gantry_error err{};
    ASSERT_EQ(component_->create(host_.abi(), config_->abi(), &self_, &err), GANTRY_OK) << err.text;
    ASSERT_EQ(component_->start(self_, &err), GANTRY_OK) << err.text;
    table_ = static_cast<const gantry_filter_v1 *>(component_->vtable);
  }
  void TearDown() override {
    component_->stop(self_);
    component_->destroy(self_);
  }

  gantry_filter_program compile(const std::string &text) {
    gantry_filter_program out{};
    gantry_error err{};
    EXPECT_EQ(table_->compile(self_, str(given.type), str(text), &out, &err), GANTRY_OK) << err.text;
    return out;
  }
  void release(const gantry_filter_program &program) { table_->program_release(self_, program.program); }

  // A batch whose message i has a = values[i], and nothing else; an empty value is none.
  std::uint64_t eval(const gantry_filter_program &program, const std::vector<std::string> &values, std::uint64_t *error = nullptr, std::uint32_t shard = 0) const {
    std::vector<std::vector<gantry_str>> columns(program.n_columns);
    std::vector<const gantry_str *> pointers;
    std::vector<std::string> props;
    for (const std::string &value : values) props.push_back(value.empty() ? "" : "a\x01" + value + "\x02");
    for (std::uint32_t c = 0; c < program.n_columns; ++c) {
      for (const std::string &value : values) columns[c].push_back(view(program.columns[c]) == "a" && !value.empty() ? str(value) : gantry_str{});
      pointers.push_back(columns[c].data());
    }
    std::vector<gantry_str> props_column, body(values.size());
    for (const std::string &p : props) props_column.push_back(str(p));
    gantry_filter_batch batch{};
    batch.size = sizeof batch;
    batch.n = static_cast<std::uint32_t>(values.size());
    batch.n_columns = program.n_columns;
    batch.cols = pointers.data();
    if ((program.flags & GANTRY_PROGRAM_NEEDS_PROPS) != 0) batch.props = props_column.data();
    if ((program.flags & GANTRY_PROGRAM_NEEDS_BODY) != 0) batch.body = body.data();
    std::uint64_t match = 0, failed = 0;
    EXPECT_EQ(table_->eval(self_, program.program, shard, &batch, &match, &failed), GANTRY_OK);
    EXPECT_EQ(match & failed, 0u);
    if (error != nullptr) *error = failed;
    return match;
  }

  FakeHost host_;
  std::unique_ptr<FakeConfig> config_;
  const gantry_component *component_ = nullptr;
  const gantry_filter_v1 *table_ = nullptr;
  void *self_ = nullptr;
};

std::uint64_t bits(std::uint32_t n) { return n == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << n) - 1; }

TEST_F(FilterContract, OffersTheType) {
  const std::string types = " " + std::string(view(table_->expression_types(self_))) + " ";
  EXPECT_NE(types.find(" " + given.type + " "), std::string::npos) << types;
  EXPECT_EQ(types.find(" TAG "), std::string::npos) << "TAG is the kernel's";
}

TEST_F(FilterContract, ProgramsAreDescribedWithinTheLimits) {
  for (const std::string &text : {given.ones, given.all}) {
    const gantry_filter_program program = compile(text);
    EXPECT_EQ(program.size, sizeof program);
    ASSERT_LE(program.n_columns, GANTRY_FILTER_COLUMNS_MAX);
    EXPECT_LE(program.reduced, GANTRY_REDUCED_FALSE);
    EXPECT_GE(program.bytes, 1u);
    EXPECT_GE(program.cost, 1u);
    std::set<std::string> names;
    for (std::uint32_t c = 0; c < program.n_columns; ++c) EXPECT_TRUE(names.emplace(view(program.columns[c])).second) << "a column comes twice";
    release(program);
  }
}

TEST_F(FilterContract, MatchesInBatchesOfAllSizes) {
  const gantry_filter_program program = compile(given.ones);
  ASSERT_EQ(program.reduced, GANTRY_REDUCED_NONE);
  for (std::uint32_t n = 1; n <= GANTRY_FILTER_BATCH_MAX; ++n) {
    std::vector<std::string> values;
    std::uint64_t wanted = 0;
    for (std::uint32_t i = 0; i < n; ++i) {
      values.push_back(i % 3 == 0 ? "1" : i % 3 == 1 ? "other" : "");
      if (i % 3 == 0) wanted |= std::uint64_t{1} << i;
    }
    std::uint64_t error = 0;
    EXPECT_EQ(eval(program, values, &error), wanted) << n;
    EXPECT_EQ(error & ~bits(n), 0u) << n;
  }
  release(program);
}

TEST_F(FilterContract, WhatAlwaysMatchesDoes) {
  const gantry_filter_program program = compile(given.all);
  if (program.reduced == GANTRY_REDUCED_NONE) {
    EXPECT_EQ(eval(program, std::vector<std::string>(64, "x")), ~std::uint64_t{0});
  }
  EXPECT_NE(program.reduced, GANTRY_REDUCED_FALSE);
  release(program);
}

TEST_F(FilterContract, TheTextMayGoAfterCompiling) {
  auto text = std::make_unique<std::string>(given.ones);
  const gantry_filter_program program = compile(*text);
  std::fill(text->begin(), text->end(), '#');
  text.reset();
  EXPECT_EQ(eval(program, {"1", "2"}), 1u);
  release(program);
}

TEST_F(FilterContract, RefusalsHaveACodeAndATextAndLeaveTheResultAlone) {
  gantry_filter_program out{};
  std::memset(&out, 0x5A, sizeof out);
  const gantry_filter_program before = out;
  gantry_error err{};
  EXPECT_EQ(table_->compile(self_, str(given.type), str(given.bad), &out, &err), GANTRY_E_SYNTAX);
  EXPECT_NE(err.text[0], '\0');
  EXPECT_GE(err.line, 1u);
  EXPECT_GE(err.column, 1u);
  EXPECT_EQ(table_->compile(self_, str("NO-SUCH-TYPE"), str(given.ones), &out, &err), GANTRY_E_UNSUPPORTED);
  EXPECT_EQ(table_->compile(self_, str(given.type), str(given.bad), &out, nullptr), GANTRY_E_SYNTAX) << "err may be NULL";
  EXPECT_EQ(std::memcmp(&out, &before, sizeof out), 0);
}

TEST_F(FilterContract, AnyBytesAreTextAndAVeryLongOneIsBounded) {
  for (const std::string &text : {std::string(), std::string(1, '\0'), std::string("\xff\xfe\x01\x02", 4), std::string(1 << 20, '('), std::string(1 << 20, 'a'), std::string(1 << 20, '\'')}) {
    gantry_filter_program out{};
    gantry_error err{};
    const std::int32_t status = table_->compile(self_, str(given.type), str(text), &out, &err);
    if (status == GANTRY_OK) {
      release(out);
    } else {
      EXPECT_TRUE(status == GANTRY_E_SYNTAX || status == GANTRY_E_LIMIT) << status;
    }
  }
}

TEST_F(FilterContract, SeveralProgramsLiveAtOnce) {
  std::vector<gantry_filter_program> programs;
  for (int i = 0; i < 100; ++i) programs.push_back(compile(given.ones));
  for (std::size_t i = 0; i < programs.size(); i += 2) release(programs[i]);
  for (std::size_t i = 1; i < programs.size(); i += 2) {
    EXPECT_EQ(eval(programs[i], {"0", "1"}), 2u);
    release(programs[i]);
  }
}

TEST_F(FilterContract, OneProgramRunsOnSeveralShards) {
  const gantry_filter_program program = compile(given.ones);
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      const std::vector<std::string> values(16, t % 2 == 0 ? "1" : "2");
      for (int i = 0; i < 500; ++i)
        if (eval(program, values, nullptr, static_cast<std::uint32_t>(t)) != (t % 2 == 0 ? 0xFFFFu : 0u)) ++wrong;
    });
  }
  for (std::thread &thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  release(program);
}

}  // namespace
}  // namespace gantry::test

int main(int argc, char **argv) {
  ::testing::InitGoogleTest(&argc, argv);
  gantry::test::Arguments &given = gantry::test::given;
  const std::pair<std::string_view, std::string *> options[] = {{"--plugin=", &given.plugin}, {"--type=", &given.type}, {"--ones=", &given.ones}, {"--bad=", &given.bad}, {"--all=", &given.all}};
  for (int i = 1; i < argc; ++i)
    for (const auto &[option, value] : options)
      if (const std::string_view arg = argv[i]; arg.starts_with(option)) *value = arg.substr(option.size());
  if (!::testing::GTEST_FLAG(list_tests) && (given.plugin.empty() || given.type.empty())) {
    std::fprintf(stderr, "filter-contract: --plugin=FILE --type=TYPE --ones=TEXT --bad=TEXT --all=TEXT are needed\n");
    return 2;
  }
  return RUN_ALL_TESTS();
}
