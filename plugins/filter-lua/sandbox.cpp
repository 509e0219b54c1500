#include "sandbox.hpp"

#include "engine.hpp"

#include <lua.hpp>

#include <cstring>

namespace gantry::lua {

namespace {

constexpr const char *kBase[] = {"assert", "error", "ipairs", "next", "pairs", "rawequal", "rawlen", "select", "type"};
constexpr const char *kMath[] = {"abs", "ceil", "exp", "floor", "fmod", "log", "max", "min", "modf", "sqrt", "tointeger", "type", "ult", "pi", "huge", "maxinteger", "mininteger"};
constexpr const char *kString[] = {"byte", "char", "len", "lower", "reverse", "sub", "upper"};
constexpr const char *kTable[] = {"concat", "pack", "unpack"};
constexpr std::size_t kNumberBytesMax = 200;  // of a text that may be a number

int no_assignment(lua_State *machine) {
  if (lua_type(machine, 2) == LUA_TSTRING) return luaL_error(machine, "cannot set '%s': scripts keep nothing from one message to the next; write `local`", lua_tostring(machine, 2));
  return luaL_error(machine, "this table cannot be changed");
}

int get_property(lua_State *machine) {
  std::size_t n = 0;
  const char *const name = luaL_checklstring(machine, 2, &n);
  Engine &engine = Engine::of(machine);
  const std::string_view props = engine.message().props;
  if (!engine.meter().spend_bytes(props.size())) return raise_over_budget(machine);
  const std::string_view value = property(props, {name, n});
  if (value.empty())
    lua_pushnil(machine);
  else
    lua_pushlstring(machine, value.data(), value.size());
  return 1;
}

// Names that are nowhere else.
int get_global(lua_State *machine) {
  if (lua_type(machine, 2) != LUA_TSTRING) return luaL_error(machine, "no such name");
  const char *const name = lua_tostring(machine, 2);
  if (std::strcmp(name, "body") != 0) return luaL_error(machine, "unknown name '%s'; properties are p.%s", name, name);
  Engine &engine = Engine::of(machine);
  const std::string_view body = engine.message().body;
  if (body.size() > engine.limits().body_bytes) return luaL_error(machine, "the body is larger than filter-lua shows to scripts (key `body`)");
  lua_pushlstring(machine, body.data(), body.size());
  return 1;
}

// No addresses: they are nobody's business, and differ from run to run.
int to_string(lua_State *machine) {
  luaL_checkany(machine, 1);
  switch (lua_type(machine, 1)) {
    case LUA_TSTRING: lua_settop(machine, 1); break;
    case LUA_TNUMBER:
    case LUA_TBOOLEAN:
    case LUA_TNIL: luaL_tolstring(machine, 1, nullptr); break;
    default: lua_pushstring(machine, luaL_typename(machine, 1)); break;
  }
  return 1;
}

// Upvalue 1: Lua's own, which goes over any length without looking up.
int to_number(lua_State *machine) {
  if (lua_type(machine, 1) == LUA_TSTRING && lua_rawlen(machine, 1) > kNumberBytesMax) {
    lua_pushnil(machine);
    return 1;
  }
  return lua_tocfunction(machine, lua_upvalueindex(1))(machine);
}

// From the table on the top of the stack into the one below; takes the former away.
template <std::size_t n>
void pick(lua_State *machine, const char *const (&names)[n]) {
  for (const char *name : names) {
    lua_getfield(machine, -1, name);
    lua_setfield(machine, -3, name);
  }
  lua_pop(machine, 1);
}

// The table on the top of the stack becomes one that can be read alone: an empty one before it.
void protect(lua_State *machine) {
  lua_createtable(machine, 0, 0);
  lua_createtable(machine, 0, 2);
  lua_pushvalue(machine, -3);
  lua_setfield(machine, -2, "__index");
  lua_pushcfunction(machine, no_assignment);
  lua_setfield(machine, -2, "__newindex");
  lua_setmetatable(machine, -2);
  lua_remove(machine, -2);
}

// Runs one of Lua's openers, which leaves its table on the stack.
void open(lua_State *machine, lua_CFunction opener) {
  lua_pushcfunction(machine, opener);
  lua_call(machine, 0, 1);
}

void add_strings(lua_State *machine) {
  lua_createtable(machine, 0, 16);
  open(machine, luaopen_string);
  pick(machine, kString);
  open(machine, luaopen_string);
  lua_getfield(machine, -1, "format");
  lua_remove(machine, -2);
  lua_setfield(machine, LUA_REGISTRYINDEX, "format");  // string_functions' own asks for it
  luaL_setfuncs(machine, string_functions(), 0);
  // Methods of texts, ("x"):upper(): Lua's opener gave them a metatable with everything.
  lua_pushliteral(machine, "");
  lua_createtable(machine, 0, 1);
  lua_pushvalue(machine, -3);
  lua_setfield(machine, -2, "__index");
  lua_setmetatable(machine, -2);
  lua_pop(machine, 1);
  protect(machine);
}

void add_tables(lua_State *machine) {
  lua_createtable(machine, 0, 8);
  open(machine, luaopen_table);
  pick(machine, kTable);
  luaL_setfuncs(machine, table_functions(), 0);
  protect(machine);
}

// An empty table whose fields `get` finds.
void add_virtual(lua_State *machine, lua_CFunction get) {
  lua_createtable(machine, 0, 0);
  lua_createtable(machine, 0, 2);
  lua_pushcfunction(machine, get);
  lua_setfield(machine, -2, "__index");
  lua_pushcfunction(machine, no_assignment);
  lua_setfield(machine, -2, "__newindex");
  lua_setmetatable(machine, -2);
}

}  // namespace

std::string_view property(std::string_view props, std::string_view name) {
  std::string_view found;
  while (!props.empty()) {
    const auto *const end_at = static_cast<const char *>(std::memchr(props.data(), 2, props.size()));
    const std::size_t end = end_at != nullptr ? static_cast<std::size_t>(end_at - props.data()) : props.size();
    if (end > name.size() + 1 && props[name.size()] == 1 && std::memcmp(props.data(), name.data(), name.size()) == 0) found = props.substr(name.size() + 1, end - name.size() - 1);
    props.remove_prefix(end == props.size() ? end : end + 1);
  }
  return found;
}

int open_sandbox(lua_State *machine) {
  lua_settop(machine, 0);
  // luaL_ref needs places in the registry when nothing protects it.
  lua_pushboolean(machine, 1);
  const int place = luaL_ref(machine, LUA_REGISTRYINDEX);

  lua_createtable(machine, 0, 24);
  lua_pushcfunction(machine, luaopen_base);
  lua_call(machine, 0, 1);
  lua_getfield(machine, -1, "tonumber");
  lua_pushcclosure(machine, to_number, 1);
  lua_setfield(machine, -3, "tonumber");
  pick(machine, kBase);
  lua_pushcfunction(machine, to_string);
  lua_setfield(machine, -2, "tostring");
  add_strings(machine);
  lua_setfield(machine, -2, "string");
  add_tables(machine);
  lua_setfield(machine, -2, "table");
  lua_createtable(machine, 0, 20);
  open(machine, luaopen_math);
  pick(machine, kMath);
  protect(machine);
  lua_setfield(machine, -2, "math");
  add_virtual(machine, get_property);
  lua_setfield(machine, -2, "p");

  // What is in neither table above is looked for by get_global.
  lua_createtable(machine, 0, 1);
  lua_pushcfunction(machine, get_global);
  lua_setfield(machine, -2, "__index");
  lua_setmetatable(machine, -2);
  protect(machine);
  lua_rawseti(machine, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
  luaL_unref(machine, LUA_REGISTRYINDEX, place);
  lua_gc(machine, LUA_GCCOLLECT);
  return 0;
}

}  // namespace gantry::lua
