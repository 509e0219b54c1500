// What scripts see, and what they do not.
#include "run_script.hpp"

#include <gantry++/result.hpp>

namespace gantry::lua::test {
namespace {

constexpr std::string_view kProps = "level\x01" "3\x02" "color\x01red\x02" "TAGS\x01TagA\x02";

TEST(Engine, ExpressionsAndStatementsDecide) {
  EXPECT_EQ(run("p.level == '3'", kProps).answer, Answer::kYes);
  EXPECT_EQ(run("p.level == '4'", kProps).answer, Answer::kNo);
  EXPECT_EQ(run("tonumber(p.level) > 2 and p.TAGS == 'TagA'", kProps).answer, Answer::kYes);
  EXPECT_EQ(run("local n = tonumber(p.level)\nif n > 2 then return true end\nreturn false", kProps).answer, Answer::kYes);
  EXPECT_EQ(run("for i = 1, 10 do if p['level'] == tostring(i) then return true end end", kProps).answer, Answer::kYes);
  EXPECT_EQ(run("local x = 1", kProps).answer, Answer::kNo) << "nothing is returned";
  EXPECT_EQ(run("p.color -- a comment at the end", kProps).answer, Answer::kYes) << "what is not nil or false is true";
  EXPECT_EQ(run("p.absent", kProps).answer, Answer::kNo);
}

TEST(Engine, PropertiesAreReadAsTheBrokerDoes) {
  EXPECT_EQ(run("p.k == '2'", "k\x01" "1\x02k\x01" "2\x02").answer, Answer::kYes) << "the last one counts";
  EXPECT_EQ(run("p.k == '2'", "other\x01x\x02k\x01" "2").answer, Answer::kYes) << "the last one needs no end";
  EXPECT_EQ(run("p.k == nil", "k\x01\x02").answer, Answer::kYes) << "an empty one is none";
  EXPECT_EQ(run("p.k == '2\\1x'", "k\x01" "2\x01x\x02").answer, Answer::kYes);
  EXPECT_EQ(run("p.k == nil", "kk\x01" "2\x02").answer, Answer::kYes);
  EXPECT_EQ(run("p[''] == nil and p['kk\\1'] == nil", "kk\x01" "2\x02").answer, Answer::kYes);
  EXPECT_EQ(run("p.k", "").answer, Answer::kNo);
  EXPECT_EQ(run("p[{}]", "").complaint, "t:1: bad argument #2 to 'index' (string expected, got table)");
}

TEST(Engine, BodiesAreBytes) {
  EXPECT_EQ(run("body:find('pear', 1, true) ~= nil", "", "a pear").answer, Answer::kYes);
  EXPECT_EQ(run("#body == 3 and body:byte(2) == 0", "", std::string_view("a\0b", 3)).answer, Answer::kYes);
  EXPECT_EQ(run("body == ''").answer, Answer::kYes);
  EXPECT_EQ(run("#body == 65536", "", std::string(65536, 'x')).answer, Answer::kYes);
  const Outcome large = run("#body > 0", "", std::string(65537, 'x'));
  EXPECT_EQ(large.answer, Answer::kFailed);
  EXPECT_NE(large.complaint.find("the body is larger"), std::string::npos) << large.complaint;
  EXPECT_EQ(run("p.a == '1'", "a\x01" "1", std::string(65537, 'x')).answer, Answer::kYes) << "who does not look at it does not care";
}

// Nothing that reaches out of the machine, makes code, or stays in it.
TEST(Engine, NothingLeadsOutOfTheSandbox) {
  for (const char *name : {"io", "os", "debug", "package", "require", "load", "loadstring", "loadfile", "dofile", "collectgarbage", "coroutine", "utf8", "pcall", "xpcall", "setmetatable", "getmetatable", "rawset",
                           "rawget", "_G", "_ENV2", "newproxy", "ffi", "jit", "print", "warn", "string2"}) {
    const Outcome out = run(std::string("return ") + name);
    EXPECT_EQ(out.answer, Answer::kFailed) << name;
    EXPECT_NE(out.complaint.find("unknown name"), std::string::npos) << name << ": " << out.complaint;
  }
  for (const char *field : {"string.dump", "string.pack", "string.unpack", "string.packsize", "table.move", "math.random", "math.randomseed", "('x').dump", "('x').rep.x"}) {
    const Outcome out = run(std::string("return ") + field);
    EXPECT_NE(out.answer, Answer::kYes) << field;
  }
  EXPECT_EQ(run("_ENV.p ~= nil").answer, Answer::kYes) << "what a script has anyhow";
  EXPECT_EQ(run("for k in pairs(_ENV) do return true end").answer, Answer::kNo) << "and cannot list";
  EXPECT_EQ(run("for k in pairs(string) do return true end").answer, Answer::kNo);
}

TEST(Engine, NothingStays) {
  for (const char *text : {"x = 1", "p.a = 1", "string.find = nil", "math.pi = 3", "_ENV.p = nil", "p = nil", "_ENV[1] = 2", "string[1] = 2"}) {
    const Outcome out = run(text);
    EXPECT_EQ(out.answer, Answer::kFailed) << text;
    EXPECT_TRUE(out.complaint.find("cannot set") != std::string::npos || out.complaint.find("cannot be changed") != std::string::npos) << text << ": " << out.complaint;
  }
  const auto engine = engine_of("local n = tonumber(p.n) or 0\nreturn n > 1");
  engine->begin_batch();
  EXPECT_EQ(engine->run({"n\x01" "2", ""}), Answer::kYes);
  EXPECT_EQ(engine->run({"", ""}), Answer::kNo) << "the message before is forgotten";
}

TEST(Engine, NoAddressesAreTold) {
  EXPECT_EQ(run("tostring({}) == 'table' and tostring(p) == 'table' and tostring(tostring) == 'function'").answer, Answer::kYes);
  EXPECT_EQ(run("string.format('%s', {})").answer, Answer::kFailed);
  EXPECT_EQ(run("string.format('%p', 'a long text that is not interned, so that its address would say something')").answer, Answer::kFailed);
  EXPECT_EQ(run("('%20p'):format('x')").answer, Answer::kFailed);
  EXPECT_EQ(run("string.format('%d %5.2f %s %q %x %%p', 3, 1.5, 'x', 'y', 255) == '3  1.50 x \"y\" ff %p'").answer, Answer::kYes);
  EXPECT_EQ(run("error({})").complaint, "the script raised an error that is no text");
}

TEST(Engine, ErrorsSayWhere) {
  EXPECT_EQ(run("local a = 1\nlocal b = p.level + nil", kProps).complaint, "t:2: attempt to perform arithmetic on a string value (field 'level')");
  EXPECT_EQ(run("error('no such level')").complaint, "t:1: no such level");
  EXPECT_EQ(run("levle == 3").complaint, "t:1: unknown name 'levle'; properties are p.levle");
  EXPECT_EQ(run("p.level > 3", kProps).complaint, "t:1: attempt to compare number with string");
}

TEST(Engine, RefusalsHaveLineAndColumn) {
  const auto at = [](std::string_view text, std::uint32_t line, std::uint32_t column) {
    const Problem problem = refusal(text);
    EXPECT_EQ(problem.code, GANTRY_E_SYNTAX) << text;
    EXPECT_EQ(problem.line, line) << text << ": " << problem.what;
    EXPECT_EQ(problem.column, column) << text << ": " << problem.what;
    EXPECT_FALSE(problem.what.empty());
  };
  at("p.level ==", 1, 10);
  at("p.level = 3 or", 1, 9);
  at("p.level ! 3", 1, 9);
  at("local n = 1\nreturn n +", 2, 10);
  at("if p.a then\n  return true\n", 3, 1);
  at("p.name == 'open", 1, 15);
  at("", 1, 1);
  at(" \n\t ", 1, 1);
  at("\x1bLua", 1, 1);
  EXPECT_EQ(refusal(std::string(kTextBytesMax + 1, ' ')).code, GANTRY_E_LIMIT);
  EXPECT_EQ(refusal(std::string(2000, '(')).code, GANTRY_E_SYNTAX);
}

TEST(Engine, BytecodeIsRefused) {
  // The header of Lua 5.4, alone and with something behind it.
  const std::string header("\x1bLuaT\0\x19\x93\r\n\x1a\n\4\x08\x08xV\0\0\0\0\0\0\0\0\0\0\0(w@\1\0", 32);
  EXPECT_NE(refusal(header).what.find("binary"), std::string::npos);
  EXPECT_EQ(refusal("\n" + header).code, GANTRY_E_SYNTAX);
}

TEST(Engine, TablesWork) {
  EXPECT_EQ(run("local t = {3, 1, 2} table.sort(t) return table.concat(t, ',') == '1,2,3'").answer, Answer::kYes);
  EXPECT_EQ(run("local t = {} for i = 1, 200 do t[i] = (i * 7919) % 211 end table.sort(t, function(a, b) return a > b end) for i = 2, #t do if t[i - 1] < t[i] then return false end end return #t == 200").answer,
            Answer::kYes);
  EXPECT_EQ(run("local t = {1, 2, 3} table.sort(t, function() return true end) return #t == 3").answer, Answer::kYes) << "a comparison without sense stays within the table";
  EXPECT_EQ(run("local t = {1, 2} table.insert(t, 3) table.insert(t, 1, 0) return table.concat(t) == '0123' and table.remove(t, 1) == 0 and table.remove(t) == 3 and table.concat(t) == '12'").answer, Answer::kYes);
  EXPECT_EQ(run("local t = {} return table.remove(t) == nil and #t == 0").answer, Answer::kYes);
  EXPECT_EQ(run("table.insert({1}, 5, 1)").answer, Answer::kFailed);
  EXPECT_EQ(run("table.sort({1, 'x'})").answer, Answer::kFailed);
  EXPECT_EQ(run("select('#', table.unpack({1, 2, 3})) == 3").answer, Answer::kYes);
}

TEST(Engine, NumbersAreOf64Bits) {
  EXPECT_EQ(run("tonumber(p.n) == 9007199254740993", "n\x01" "9007199254740993").answer, Answer::kYes);
  EXPECT_EQ(run("tonumber(p.n) == nil", "n\x01" "x").answer, Answer::kYes);
  EXPECT_EQ(run("tonumber(('1'):rep(201)) == nil and tonumber('ff', 16) == 255").answer, Answer::kYes);
}

}  // namespace
}  // namespace gantry::lua::test
