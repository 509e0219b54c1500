// A plugin of one component made of a C++ class: its life cycle, the barrier that keeps exceptions inside, and the plugin's one symbol.
// The class is made with (const gantry_host *, const gantry_config *) when it can be, else with nothing; a constructor refuses by throwing.
#pragma once

#include <gantry/abi.h>

#include <cstdint>
#include <cstdio>
#include <exception>
#include <new>
#include <type_traits>

namespace gantry {

// Copies text (cut to fit) and code into the caller's struct, which may be NULL. Allocates nothing. Returns the code.
inline std::int32_t refuse(gantry_error *err, std::int32_t code, const char *text) noexcept {
  if (err != nullptr) {
    *err = gantry_error{};
    err->code = code;
    std::snprintf(err->text, sizeof err->text, "%s", text);
  }
  return code;
}

// The code that fn returns; of what it throws: NOMEM, or INTERNAL with the exception's text.
template <typename Fn>
std::int32_t guarded(gantry_error *err, Fn &&fn) noexcept {
  try {
    return fn();
  } catch (const std::bad_alloc &) {
    return refuse(err, GANTRY_E_NOMEM, "out of memory");
  } catch (const std::exception &thrown) {
    return refuse(err, GANTRY_E_INTERNAL, thrown.what());
  } catch (...) {
    return refuse(err, GANTRY_E_INTERNAL, "an exception without a text");
  }
}

template <typename Class>
struct LifeCycle {
  static std::int32_t create(const gantry_host *host, const gantry_config *config, void **self, gantry_error *err) noexcept {
    return guarded(err, [&] {
      if constexpr (std::is_constructible_v<Class, const gantry_host *, const gantry_config *>)
        *self = new Class(host, config);
      else
        *self = new Class();
      return GANTRY_OK;
    });
  }
  static std::int32_t start(void *, gantry_error *) noexcept { return GANTRY_OK; }
  static void stop(void *) noexcept {}
  static void destroy(void *self) noexcept { delete static_cast<Class *>(self); }
};

// Class::keys, when there is one, is an array of gantry_config_key.
template <typename Class>
constexpr gantry_component component_of_class(const char *interface_id, const char *name, const char *doc, const void *vtable) {
  const gantry_config_key *keys = nullptr;
  std::uint32_t n_keys = 0;
  if constexpr (requires { Class::keys; }) {
    keys = Class::keys;
    n_keys = sizeof Class::keys / sizeof Class::keys[0];
  }
  using Life = LifeCycle<Class>;
  return {sizeof(gantry_component), 0, interface_id, name, doc, vtable, keys, n_keys, 0, Life::create, Life::start, Life::stop, Life::destroy, nullptr};
}

}  // namespace gantry

// Manifest, component and entry of a plugin whose one component is `component_expr`. Once, at namespace scope, in one source file.
#define GANTRY_PLUGIN_OF_ONE(plugin_id, plugin_version, plugin_license, interface_id, component_expr)                                         \
  GANTRY_MANIFEST(plugin_id, plugin_version, interface_id)                                                                                     \
  static constexpr gantry_component gantry_the_component = component_expr;                                                                     \
  static const gantry_component *const gantry_the_components[] = {&gantry_the_component};                                                      \
  extern "C" GANTRY_EXPORT const gantry_plugin gantry_plugin_v1 = {sizeof(gantry_plugin), GANTRY_ABI_MINOR, plugin_id, plugin_version,         \
                                                                   plugin_license,        "",               gantry_the_components, 1, 0};
