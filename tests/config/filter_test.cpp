// [broker] filters and [[filter]]: which plugins filter, and whose keys they get.
#include "config_texts.hpp"

#include <gantry/draft/filter.h>

#include <gtest/gtest.h>

namespace gantry::test {
namespace {

using namespace config;

constexpr std::string_view kRest = "[store]\n[[protocol]]\nplugin = \"p\"\nlisten = \":1\"\n";

Document with(const std::string &text, const std::vector<Override> &overrides = {}) { return parse(text + std::string(kRest), overrides); }

std::string listed(const Document &doc) {
  std::string out;
  for (const FilterSettings &f : doc.filters()) out += f.plugin + "/" + std::to_string(f.section) + " ";
  return out;
}

constexpr gantry_config_key kKeys[] = {{"budget", GANTRY_KEY_INT, 0, "20000", 1, 100'000, nullptr, "steps"}};
constexpr gantry_component kComponent = {sizeof(gantry_component), 0, GANTRY_FILTER_ID, "f", "", nullptr, kKeys, 1, 0, nullptr, nullptr, nullptr, nullptr, nullptr};

TEST(Filters, OfTheListAndOfSections) {
  EXPECT_EQ(listed(with("")), "filter-sql92/-1 ");
  EXPECT_EQ(listed(with("[broker]\nfilters = []\n")), "");
  EXPECT_EQ(listed(with("[[filter]]\nplugin = \"filter-lua\"\n")), "filter-sql92/-1 filter-lua/0 ");
  EXPECT_EQ(listed(with("[broker]\nfilters = [\"a\", \"b\"]\n[[filter]]\nplugin = \"c\"\n[[filter]]\nplugin = \"a\"\n")), "a/1 b/-1 c/0 ");
}

TEST(Filters, KeysAreThoseOfTheirSection) {
  Document doc = with("[broker]\nfilters = [\"a\", \"b\"]\n[[filter]]\nplugin = \"b\"\nbudget = 7\n");
  const auto a = doc.bind_filter(0, kComponent), b = doc.bind_filter(1, kComponent);
  EXPECT_EQ(a->get_int(a.get(), "budget"), 20000);
  EXPECT_EQ(b->get_int(b.get(), "budget"), 7);
  EXPECT_TRUE(doc.ok()) << render(doc.problems());
}

TEST(Filters, KeysAreSetFromOutside) {
  for (const char *name : {"lua", "0"}) {
    Document doc = with("[[filter]]\nplugin = \"filter-lua\"\n", {Override{"-D", std::string("filter.") + name + ".budget", "9"}});
    const auto config = doc.bind_filter(1, kComponent);
    EXPECT_EQ(config->get_int(config.get(), "budget"), 9);
    EXPECT_TRUE(doc.ok()) << render(doc.problems());
  }
  expect_in(only_problem(with("", {Override{"-D filter.lua.budget", "filter.lua.budget", "9"}})), "there is no [[filter]] called \"lua\"");
  expect_in(only_problem(with("", {Override{"-D filter.lua", "filter.lua", "9"}})), "no [[filter]] and key are named");
}

TEST(Filters, ProblemsNameTheirPlace) {
  expect_in(only_problem(with("[[filter]]\n")), "[[filter]] number 0 lacks the key \"plugin\"");
  expect_in(only_problem(with("[[filter]]\nplugin = \"a\"\n[[filter]]\nplugin = \"a\"\n")), "\"a\" has a [[filter]] already");
  expect_in(only_problem(with("[filter]\nplugin = \"a\"\n")), "write [[filter]] on a line of its own");
  Document unknown = with("[[filter]]\nplugin = \"a\"\nbudgte = 7\n");
  (void)unknown.bind_filter(1, kComponent);
  expect_in(render(unknown.problems()), "did you mean \"budget\"?");
  Document range = with("[[filter]]\nplugin = \"a\"\nbudget = 0\n");
  (void)range.bind_filter(1, kComponent);
  expect_in(render(range.problems()), "1 to 100000");
  Document refused = with("[[filter]]\nplugin = \"a\"\n");
  refused.report_filter(0, "of the list");
  refused.report_filter(1, "of a section");
  const std::string all = render(refused.problems());
  expect_in(all, "of the list");
  expect_in(all, "test.toml:2:10: error: of a section");
}

}  // namespace
}  // namespace gantry::test
