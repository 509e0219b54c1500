include(${CMAKE_CURRENT_LIST_DIR}/../sdk/cmake/gantry-plugin-rules.cmake)

# gantry_add_plugin(<name> SOURCES ... [LIBRARIES ...])
# Makes build/<preset>/plugins/<name>.so that exports gantry_plugin_v1 and nothing else, and takes nothing from the kernel.
# Also makes an object library <name>-objects of all sources but entry.cpp, for unit tests of the plugin's inside.
function(gantry_add_plugin name)
  cmake_parse_arguments(arg "" "" "SOURCES;LIBRARIES" ${ARGN})
  set(inner ${arg_SOURCES})
  list(FILTER inner EXCLUDE REGEX "entry\\.cpp$")
  set(entry ${arg_SOURCES})
  list(FILTER entry INCLUDE REGEX "entry\\.cpp$")

  add_library(${name}-objects OBJECT ${inner})
  target_include_directories(${name}-objects PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})
  target_link_libraries(${name}-objects PUBLIC gantry-sdk ${arg_LIBRARIES})

  add_library(${name} MODULE ${entry})
  target_link_libraries(${name} PRIVATE ${name}-objects)
  set_target_properties(${name} PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/plugins)
  gantry_plugin_rules(${name})
  # Where an installed program looks; plugins of the tests stay here.
  if(CMAKE_CURRENT_SOURCE_DIR MATCHES "^${PROJECT_SOURCE_DIR}/plugins/")
    install(TARGETS ${name} LIBRARY DESTINATION lib/gantry/plugins COMPONENT broker)
  endif()
endfunction()
