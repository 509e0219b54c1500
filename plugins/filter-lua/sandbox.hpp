// What a script finds: p, body, and functions that look at nothing but their arguments. No io, os, debug, package, load, require, coroutine, metatable.
#pragma once

#include <string_view>

struct lua_State;
struct luaL_Reg;

namespace gantry::lua {

// Makes it in the machine of an Engine. A function of Lua: it raises errors, and leaves nothing on the stack.
int open_sandbox(lua_State *machine);

// Functions that Lua's own library has and that are safe to have as they are, or are replaced here because one call of them could run for ever; ends with {nullptr, nullptr}.
[[nodiscard]] const luaL_Reg *string_functions();
[[nodiscard]] const luaL_Reg *table_functions();

// The value of a message's property; the last one counts when there are several. Empty: there is none.
[[nodiscard]] std::string_view property(std::string_view props, std::string_view name);

}  // namespace gantry::lua
