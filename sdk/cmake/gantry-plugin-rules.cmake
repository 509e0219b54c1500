# gantry_plugin_rules(<target>)
# How a plugin is compiled and linked: it exports gantry_plugin_v1 and nothing else, takes nothing from the program that loads it, and everything it
# needs is found when it is linked.
set(GANTRY_PLUGIN_VERSION_SCRIPT ${CMAKE_CURRENT_LIST_DIR}/plugin.map)

function(gantry_plugin_rules target)
  set_target_properties(${target} PROPERTIES PREFIX "" SUFFIX .so POSITION_INDEPENDENT_CODE ON
    C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
  # A unique symbol would keep the plugin mapped and would be shared between plugins.
  target_compile_options(${target} PRIVATE $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-fno-gnu-unique>)
  target_link_options(${target} PRIVATE -Wl,--version-script=${GANTRY_PLUGIN_VERSION_SCRIPT} -Wl,--exclude-libs,ALL -Wl,-z,now,-z,relro)
  # A sanitizer's own functions come from the program.
  if(NOT GANTRY_SANITIZE AND NOT "${CMAKE_C_FLAGS} ${CMAKE_CXX_FLAGS}" MATCHES "-fsanitize")
    target_link_options(${target} PRIVATE -Wl,-z,defs)
  endif()
endfunction()
