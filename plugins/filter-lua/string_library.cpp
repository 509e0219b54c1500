// string.find, match, gmatch and gsub on counted patterns; rep and format without what could run for ever or tell addresses.
#include "engine.hpp"
#include "pattern.hpp"
#include "sandbox.hpp"

#include <lua.hpp>

#include <algorithm>
#include <cstring>

namespace gantry::lua {

namespace {

std::string_view text_at(lua_State *machine, int arg) {
  std::size_t n = 0;
  const char *const p = luaL_checklstring(machine, arg, &n);
  return {p, n};
}

// Leaves by an error when the pattern is wrong or the budget is spent.
void check(lua_State *machine, const Matcher &matcher) {
  if (matcher.fault() != nullptr) luaL_error(machine, "%s", matcher.fault());
  if (Engine::of(machine).meter().over()) raise_over_budget(machine);
}

std::size_t match_or_leave(lua_State *machine, Matcher &matcher, std::size_t at) {
  const std::size_t end = matcher.match_at(at);
  if (end == kNoMatch) check(machine, matcher);
  return end;
}

// Where a call begins to look: `arg` counts from 1, or from the end when it is negative. Beyond the end: size + 1 and more.
std::size_t start_of(lua_State *machine, int arg, std::size_t size) {
  const lua_Integer at = luaL_optinteger(machine, arg, 1);
  if (at > 0) return static_cast<std::size_t>(at) - 1;
  if (at == 0 || at < -static_cast<lua_Integer>(size)) return 0;
  return size + static_cast<std::size_t>(at);
}

void push_text(lua_State *machine, std::string_view text) { lua_pushlstring(machine, text.data(), text.size()); }

// The i-th capture, or the whole match when there are none and i is 0.
void push_capture(lua_State *machine, const Matcher &matcher, std::string_view subject, std::size_t begin, std::size_t end, int i) {
  if (i >= matcher.captures()) {
    if (i != 0) luaL_error(machine, "invalid capture index %%%d", i + 1);
    return push_text(machine, subject.substr(begin, end - begin));
  }
  const Capture &capture = matcher.capture(i);
  if (capture.size == Capture::kOpen) luaL_error(machine, "unfinished capture");
  if (capture.size == Capture::kPosition) return lua_pushinteger(machine, static_cast<lua_Integer>(capture.begin) + 1);
  push_text(machine, subject.substr(capture.begin, static_cast<std::size_t>(capture.size)));
}

int push_captures(lua_State *machine, const Matcher &matcher, std::string_view subject, std::size_t begin, std::size_t end, bool whole_if_none) {
  const int n = matcher.captures() == 0 && whole_if_none ? 1 : matcher.captures();
  luaL_checkstack(machine, n, "too many captures");
  for (int i = 0; i < n; ++i) push_capture(machine, matcher, subject, begin, end, i);
  return n;
}

int find_plain(lua_State *machine, std::string_view subject, std::string_view wanted, std::size_t start) {
  const char *const from = subject.data() + start;
  if (!Engine::of(machine).meter().spend_bytes(subject.size() - start)) return raise_over_budget(machine);
  const auto *const found = wanted.empty() ? from : static_cast<const char *>(memmem(from, subject.size() - start, wanted.data(), wanted.size()));
  if (found == nullptr) {
    lua_pushnil(machine);
    return 1;
  }
  const auto at = static_cast<lua_Integer>(found - subject.data());
  lua_pushinteger(machine, at + 1);
  lua_pushinteger(machine, at + static_cast<lua_Integer>(wanted.size()));
  return 2;
}

int find_or_match(lua_State *machine, bool find) {
  const std::string_view subject = text_at(machine, 1);
  std::string_view pattern = text_at(machine, 2);
  std::size_t at = start_of(machine, 3, subject.size());
  if (at > subject.size()) {
    lua_pushnil(machine);
    return 1;
  }
  if (find && (lua_toboolean(machine, 4) != 0 || Matcher::is_plain(pattern))) return find_plain(machine, subject, pattern, at);
  const bool anchored = pattern.starts_with('^');
  if (anchored) pattern.remove_prefix(1);
  Matcher matcher(subject, pattern, Engine::of(machine).meter());
  do {
    const std::size_t end = match_or_leave(machine, matcher, at);
    if (end == kNoMatch) continue;
    if (!find) return push_captures(machine, matcher, subject, at, end, true);
    lua_pushinteger(machine, static_cast<lua_Integer>(at) + 1);
    lua_pushinteger(machine, static_cast<lua_Integer>(end));
    return push_captures(machine, matcher, subject, at, end, false) + 2;
  } while (at++ < subject.size() && !anchored);
  lua_pushnil(machine);
  return 1;
}

int find(lua_State *machine) { return find_or_match(machine, true); }
int match(lua_State *machine) { return find_or_match(machine, false); }

// Upvalues: subject, pattern, where to go on, end of the last match (or -1).
int next_match(lua_State *machine) {
  const std::string_view subject = text_at(machine, lua_upvalueindex(1)), pattern = text_at(machine, lua_upvalueindex(2));
  auto at = static_cast<std::size_t>(lua_tointeger(machine, lua_upvalueindex(3)));
  const lua_Integer last = lua_tointeger(machine, lua_upvalueindex(4));
  Matcher matcher(subject, pattern, Engine::of(machine).meter());
  for (; at <= subject.size(); ++at) {
    const std::size_t end = match_or_leave(machine, matcher, at);
    if (end == kNoMatch || static_cast<lua_Integer>(end) == last) continue;
    lua_pushinteger(machine, static_cast<lua_Integer>(end));
    lua_pushvalue(machine, -1);
    lua_replace(machine, lua_upvalueindex(3));
    lua_replace(machine, lua_upvalueindex(4));
    return push_captures(machine, matcher, subject, at, end, true);
  }
  return 0;
}

int gmatch(lua_State *machine) {
  const std::string_view subject = text_at(machine, 1);
  (void)text_at(machine, 2);
  const std::size_t start = start_of(machine, 3, subject.size());
  lua_settop(machine, 2);
  lua_pushinteger(machine, static_cast<lua_Integer>(std::min(start, subject.size() + 1)));
  lua_pushinteger(machine, -1);
  lua_pushcclosure(machine, next_match, 4);
  return 1;
}

// "%1" and the like in a replacement.
void add_replacement(lua_State *machine, luaL_Buffer *out, const Matcher &matcher, std::string_view subject, std::size_t begin, std::size_t end, std::string_view replacement) {
  if (!Engine::of(machine).meter().spend_bytes(replacement.size())) raise_over_budget(machine);
  for (std::size_t i = 0; i < replacement.size(); ++i) {
    const char c = replacement[i];
    if (c != '%') {
      luaL_addchar(out, c);
      continue;
    }
    const char next = ++i < replacement.size() ? replacement[i] : '\0';
    if (next == '%') {
      luaL_addchar(out, '%');
    } else if (next == '0') {
      luaL_addlstring(out, subject.data() + begin, end - begin);
    } else if (next >= '1' && next <= '9') {
      if (next - '1' >= matcher.captures() && next != '1') luaL_error(machine, "invalid capture index %%%d in replacement string", next - '0');
      push_capture(machine, matcher, subject, begin, end, next - '1');
      luaL_tolstring(machine, -1, nullptr);
      lua_remove(machine, -2);
      luaL_addvalue(out);
    } else {
      luaL_error(machine, "invalid use of '%%' in replacement string");
    }
  }
}

void add_match(lua_State *machine, luaL_Buffer *out, const Matcher &matcher, std::string_view subject, std::size_t begin, std::size_t end, int kind) {
  if (kind == LUA_TSTRING || kind == LUA_TNUMBER) {
    std::size_t n = 0;
    const char *const replacement = lua_tolstring(machine, 3, &n);
    return add_replacement(machine, out, matcher, subject, begin, end, {replacement, n});
  }
  if (kind == LUA_TFUNCTION) {
    lua_pushvalue(machine, 3);
    const int n = push_captures(machine, matcher, subject, begin, end, true);
    lua_call(machine, n, 1);
  } else {
    push_capture(machine, matcher, subject, begin, end, 0);
    lua_gettable(machine, 3);
  }
  if (lua_toboolean(machine, -1) == 0) {
    lua_pop(machine, 1);
    luaL_addlstring(out, subject.data() + begin, end - begin);
  } else if (lua_isstring(machine, -1) == 0) {
    luaL_error(machine, "invalid replacement value (a %s)", luaL_typename(machine, -1));
  } else {
    luaL_addvalue(out);
  }
}

int gsub(lua_State *machine) {
  const std::string_view subject = text_at(machine, 1);
  std::string_view pattern = text_at(machine, 2);
  const int kind = lua_type(machine, 3);
  luaL_argexpected(machine, kind == LUA_TNUMBER || kind == LUA_TSTRING || kind == LUA_TFUNCTION || kind == LUA_TTABLE, 3, "string/function/table");
  const lua_Integer most = luaL_optinteger(machine, 4, static_cast<lua_Integer>(subject.size()) + 1);
  const bool anchored = pattern.starts_with('^');
  if (anchored) pattern.remove_prefix(1);
  if (kind == LUA_TNUMBER) (void)lua_tolstring(machine, 3, nullptr);
  Matcher matcher(subject, pattern, Engine::of(machine).meter());
  std::size_t at = 0, last = kNoMatch;
  lua_Integer n = 0;
  luaL_Buffer out;
  luaL_buffinit(machine, &out);
  while (n < most) {
    const std::size_t end = match_or_leave(machine, matcher, at);
    if (end != kNoMatch && end != last) {
      ++n;
      add_match(machine, &out, matcher, subject, at, end, kind);
      at = last = end;
    } else if (at < subject.size()) {
      luaL_addchar(&out, subject[at]);
      ++at;
    } else {
      break;
    }
    if (anchored) break;
  }
  luaL_addlstring(&out, subject.data() + at, subject.size() - at);
  luaL_pushresult(&out);
  lua_pushinteger(machine, n);
  return 2;
}

// Lua's own goes round n times for empty texts.
int rep(lua_State *machine) {
  const std::string_view text = text_at(machine, 1);
  const lua_Integer n = luaL_checkinteger(machine, 2);
  std::size_t separator_bytes = 0;
  const char *const separator = luaL_optlstring(machine, 3, "", &separator_bytes);
  const std::size_t each = text.size() + separator_bytes;
  if (n <= 0 || each == 0) {
    lua_pushliteral(machine, "");
    return 1;
  }
  const std::size_t limit = Engine::of(machine).limits().memory_bytes;
  if (each > limit || static_cast<std::size_t>(n) > limit / each) return luaL_error(machine, "resulting string too large");
  if (!Engine::of(machine).meter().spend_bytes(each * static_cast<std::size_t>(n))) return raise_over_budget(machine);
  luaL_Buffer out;
  luaL_buffinit(machine, &out);
  for (lua_Integer i = 0; i < n; ++i) {
    luaL_addlstring(&out, text.data(), text.size());
    if (i + 1 < n) luaL_addlstring(&out, separator, separator_bytes);
  }
  luaL_pushresult(&out);
  return 1;
}

// Lua's own, of plain values, and without the conversion that writes addresses.
int format(lua_State *machine) {
  const std::string_view how = text_at(machine, 1);
  for (std::size_t i = 0; i < how.size(); ++i) {
    if (how[i] != '%') continue;
    ++i;
    while (i < how.size() && std::strchr("-+ #0123456789.", how[i]) != nullptr && how[i] != '\0') ++i;
    if (i < how.size() && how[i] == 'p') return luaL_error(machine, "invalid conversion '%%p' to 'format'");
  }
  const int n = lua_gettop(machine);
  for (int i = 2; i <= n; ++i) {
    const int kind = lua_type(machine, i);
    luaL_argexpected(machine, kind == LUA_TSTRING || kind == LUA_TNUMBER || kind == LUA_TBOOLEAN || kind == LUA_TNIL, i, "string, number, boolean or nil");
  }
  lua_getfield(machine, LUA_REGISTRYINDEX, "format");
  const lua_CFunction theirs = lua_tocfunction(machine, -1);
  lua_pop(machine, 1);
  return theirs(machine);  // in the script's own call, so that a complaint has its line
}

constexpr luaL_Reg kFunctions[] = {{"find", find}, {"format", format}, {"gmatch", gmatch}, {"gsub", gsub}, {"match", match}, {"rep", rep}, {nullptr, nullptr}};

}  // namespace

const luaL_Reg *string_functions() { return kFunctions; }

}  // namespace gantry::lua
