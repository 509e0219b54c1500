// table.insert, remove and sort, which Lua's own library has without a count of what they move.
#include "engine.hpp"
#include "sandbox.hpp"

#include <lua.hpp>

namespace gantry::lua {

namespace {

void spend(lua_State *machine, std::uint64_t steps) {
  if (!Engine::of(machine).meter().spend(steps)) raise_over_budget(machine);
}

lua_Integer size_of(lua_State *machine) {
  luaL_checktype(machine, 1, LUA_TTABLE);
  return static_cast<lua_Integer>(lua_rawlen(machine, 1));
}

int insert(lua_State *machine) {
  const lua_Integer n = size_of(machine) + 1;
  lua_Integer at = n;
  switch (lua_gettop(machine)) {
    case 2: break;
    case 3:
      at = luaL_checkinteger(machine, 2);
      luaL_argcheck(machine, at >= 1 && at <= n, 2, "position out of bounds");
      break;
    default: return luaL_error(machine, "wrong number of arguments to 'insert'");
  }
  spend(machine, static_cast<std::uint64_t>(n - at) + 1);
  for (lua_Integer i = n; i > at; --i) {
    lua_rawgeti(machine, 1, i - 1);
    lua_rawseti(machine, 1, i);
  }
  lua_rawseti(machine, 1, at);
  return 0;
}

int remove(lua_State *machine) {
  const lua_Integer n = size_of(machine);
  lua_Integer at = luaL_optinteger(machine, 2, n);
  if (lua_gettop(machine) > 1) luaL_argcheck(machine, (n == 0 && at == 0) || (at >= 1 && at <= n + 1), 2, "position out of bounds");
  spend(machine, static_cast<std::uint64_t>(n > at ? n - at : 0) + 1);
  lua_rawgeti(machine, 1, at);
  for (; at < n; ++at) {
    lua_rawgeti(machine, 1, at + 1);
    lua_rawseti(machine, 1, at);
  }
  if (at <= n) {
    lua_pushnil(machine);
    lua_rawseti(machine, 1, at);
  }
  return 1;
}

// Whether element a comes before b.
bool before(lua_State *machine, lua_Integer a, lua_Integer b) {
  spend(machine, 2);
  const bool compares = lua_isfunction(machine, 2);
  if (compares) lua_pushvalue(machine, 2);
  lua_rawgeti(machine, 1, a);
  lua_rawgeti(machine, 1, b);
  if (!compares) {
    const bool less = lua_compare(machine, -2, -1, LUA_OPLT) != 0;
    lua_pop(machine, 2);
    return less;
  }
  lua_call(machine, 2, 1);
  const bool less = lua_toboolean(machine, -1) != 0;
  lua_pop(machine, 1);
  return less;
}

void swap(lua_State *machine, lua_Integer a, lua_Integer b) {
  lua_rawgeti(machine, 1, a);
  lua_rawgeti(machine, 1, b);
  lua_rawseti(machine, 1, a);
  lua_rawseti(machine, 1, b);
}

void sink(lua_State *machine, lua_Integer from, lua_Integer n) {
  for (lua_Integer child = 2 * from; child <= n; from = child, child *= 2) {
    if (child < n && before(machine, child, child + 1)) ++child;
    if (!before(machine, from, child)) return;
    swap(machine, from, child);
  }
}

// A heap: whatever the comparison says, it takes n log n steps and stays within the table.
int sort(lua_State *machine) {
  const lua_Integer n = size_of(machine);
  if (!lua_isnoneornil(machine, 2)) luaL_checktype(machine, 2, LUA_TFUNCTION);
  lua_settop(machine, 2);
  luaL_checkstack(machine, 8, "sort");
  for (lua_Integer i = n / 2; i >= 1; --i) sink(machine, i, n);
  for (lua_Integer i = n; i > 1; --i) {
    swap(machine, 1, i);
    sink(machine, 1, i - 1);
  }
  return 0;
}

constexpr luaL_Reg kFunctions[] = {{"insert", insert}, {"remove", remove}, {"sort", sort}, {nullptr, nullptr}};

}  // namespace

const luaL_Reg *table_functions() { return kFunctions; }

}  // namespace gantry::lua
