// Our patterns beside Lua's own, on many random ones: the same matches, captures and complaints.
#include "pattern.hpp"

#include "run_script.hpp"

#include <lua.hpp>

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace gantry::lua::test {
namespace {

using Random = std::mt19937;

// What Lua's string.find(subject, pattern) returns, as text; "error" for a pattern that it refuses.
std::string by_lua(lua_State *lua, const std::string &subject, const std::string &pattern) {
  lua_settop(lua, 0);
  lua_getglobal(lua, "string");
  lua_getfield(lua, 1, "find");
  lua_pushlstring(lua, subject.data(), subject.size());
  lua_pushlstring(lua, pattern.data(), pattern.size());
  if (lua_pcall(lua, 2, LUA_MULTRET, 0) != LUA_OK) return "error";
  std::string out;
  for (int i = 2; i <= lua_gettop(lua); ++i) {
    std::size_t n = 0;
    const char *const text = luaL_tolstring(lua, i, &n);
    out += "[" + std::string(text, n) + "]";
    lua_pop(lua, 1);
  }
  return out;
}

std::string by_us(const std::string &subject, std::string pattern) {
  if (Matcher::is_plain(pattern)) {
    const std::size_t at = subject.find(pattern);
    return at == std::string::npos ? "[nil]" : "[" + std::to_string(at + 1) + "][" + std::to_string(at + pattern.size()) + "]";
  }
  const bool anchored = pattern.starts_with('^');
  if (anchored) pattern.erase(0, 1);
  Meter meter;
  Matcher matcher(subject, pattern, meter);
  for (std::size_t at = 0; at <= subject.size() && !(anchored && at != 0); ++at) {
    const std::size_t end = matcher.match_at(at);
    if (matcher.fault() != nullptr) return "error";
    if (end == kNoMatch) continue;
    std::string out = "[" + std::to_string(at + 1) + "][" + std::to_string(end) + "]";
    for (int i = 0; i < matcher.captures(); ++i) {
      const Capture &capture = matcher.capture(i);
      if (capture.size == Capture::kOpen) return "error";
      out += "[" + (capture.size == Capture::kPosition ? std::to_string(capture.begin + 1) : subject.substr(capture.begin, static_cast<std::size_t>(capture.size))) + "]";
    }
    return out;
  }
  return "[nil]";
}

TEST(Pattern, AgreesWithLua) {
  lua_State *const lua = luaL_newstate();
  luaL_openlibs(lua);
  Random random(20);
  const auto below = [&random](std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(random); };
  constexpr const char *kPieces[] = {"a", "b", ".", "%a", "%d", "%s", "%w", "%A", "%p", "%u", "%x", "%g", "%c", "[ab]", "[^a]", "[a-c]", "[%d-]", "[]]", "[^]]", "[%]a]", "(", ")", "()", "(a", "*", "+", "-", "?",
                                     "$", "^", "%1", "%2", "%b()", "%bab", "%f[%w]", "%f[^a]", "%%", "%.", "%", "[", "[a", "%f", "%b", "1", " ", "\x80", "[\x80-\xff]", "-a", "[a-", "[a-]", "%0"};
  std::size_t matched = 0, errors = 0;
  for (int round = 0; round < 200'000; ++round) {
    std::string pattern, subject;
    for (std::size_t n = below(7); n != 0; --n) pattern += kPieces[below(std::size(kPieces))];
    for (std::size_t n = below(12); n != 0; --n) subject += "aab1 ()[]-.\x80\0A%"[below(15)];
    if (pattern.find('\0') != std::string::npos) continue;
    const std::string theirs = by_lua(lua, subject, pattern), ours = by_us(subject, pattern);
    ASSERT_EQ(ours, theirs) << "pattern " << pattern << "\nsubject " << ::testing::PrintToString(subject);
    matched += theirs != "[nil]" && theirs != "error" ? 1 : 0;
    errors += theirs == "error" ? 1 : 0;
  }
  lua_close(lua);
  EXPECT_GT(matched, 20'000u);
  EXPECT_GT(errors, 1'000u);
}

// The functions around them, on what their manual says.
TEST(Pattern, FunctionsAnswerAsLuas) {
  lua_State *const lua = luaL_newstate();
  luaL_openlibs(lua);
  for (const char *text : {
           "('hello world'):gsub('o', '0')", "('hello'):gsub('', '-')", "('abc'):gsub('%w', '%0%0')", "('abc'):gsub('(a)(b)', '%2%1')", "('hello world'):gsub('%w+', {hello = 'bye'})",
           "('abc'):gsub('.', function(c) if c == 'b' then return 1 end end)", "('abc'):gsub('b*', 'x')", "('abc'):gsub('^a', 'x')", "('aaa'):gsub('a', 'b', 2)", "('a.b'):gsub('%.', '%%')",
           "('abc'):gsub('()', '%1')", "('x = 1, y = 2'):match('(%w+) = (%w+)')", "('key=val'):match('^(%w+)=(%w*)$')", "('abc'):match('b()')", "('abc'):find('b', -2)", "('abc'):find('b', 10)", "('abc'):find('', 4)",
           "('abc'):find('', 5)", "('a.b'):find('.', 1, true)", "('a.b'):find('%.')", "('f(a(b)c)d'):match('%b()')", "('THE (quick) fox'):find('%f[%a]%a+%f[%A]', 5)", "('abab'):match('(ab)%1')", "string.rep(1234, 2)",
           "('abc'):match('.', 0)", "('abc'):match('.', -10)", "('x'):rep(3, ', ')", "('  trim '):match('^%s*(.-)%s*$')", "('abc'):gsub('', '')"}) {
    const std::string chunk = std::string("local t = table.pack(") + text + ") for i = 1, t.n do t[i] = tostring(t[i]) end return table.concat(t, '|')";
    ASSERT_EQ(luaL_dostring(lua, chunk.c_str()), LUA_OK) << lua_tostring(lua, -1);
    const std::string wanted = lua_tostring(lua, -1);
    lua_settop(lua, 0);
    const Outcome out = run(chunk.substr(0, chunk.rfind("return")) + "local got = table.concat(t, '|') if got == p.wanted then return true end error(got)", "wanted\x01" + wanted);
    EXPECT_EQ(out.answer, Answer::kYes) << text << "\nwanted " << wanted << "\n" << out.complaint;
  }
  EXPECT_EQ(run("local n = 0 for k, v in ('a=1, b=2'):gmatch('(%w)=(%w)') do n = n + tonumber(v) end return n == 3").answer, Answer::kYes);
  EXPECT_EQ(run("local n = 0 for w in ('one two'):gmatch('%a*') do n = n + 1 end return n == 2").answer, Answer::kYes);
  for (const char *bad : {"('a'):find('[a')", "('a'):find('%')", "('a'):find('%f')", "('a'):find('%b')", "('a'):find('(a')", "('a'):match('a)')", "('a'):find('%1')", "('a'):gsub('a', '%2')", "('a'):gsub('a', '%x')",
                          "('a'):gsub('a', true)", "('a'):gsub('a', function() return {} end)"}) {
    const Outcome out = run(std::string("return ") + bad);
    EXPECT_EQ(out.answer, Answer::kFailed) << bad;
    EXPECT_EQ(out.complaint.rfind("t:1: ", 0), 0u) << bad << ": " << out.complaint;
  }
  lua_close(lua);
}

TEST(Pattern, StopsWhenTheBudgetIsSpent) {
  const std::string subject(4000, 'a');
  Meter meter{0, 10'000};
  Matcher matcher(subject, ".-.-.-.-b", meter);
  EXPECT_EQ(matcher.match_at(0), kNoMatch);
  EXPECT_TRUE(meter.over());
  EXPECT_EQ(matcher.fault(), nullptr);
  EXPECT_LT(meter.used, 11'000u) << "not much later either";
}

}  // namespace
}  // namespace gantry::lua::test
