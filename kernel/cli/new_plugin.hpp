// `gantry plugin new`: a folder that builds with CMake against the installed SDK, made of the templates in sdk/templates.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace gantry::cli {

struct NewPluginOptions {
  std::string kind;            // "filter", "allocator"
  std::string name;            // of the plugin and of the folder
  std::string language = "c";  // "c", "cpp"
};

// Makes the folder ./NAME and prints what to do next. Exit code 0, or 1 with the reason on stderr; an existing folder is left alone.
[[nodiscard]] int new_plugin(const NewPluginOptions &options);

// A file of sdk/templates, as it was when this program was built.
struct TemplateFile {
  std::string_view path;  // "filter-c/CMakeLists.txt"
  std::string_view text;
};
[[nodiscard]] const std::vector<TemplateFile> &template_files();

}  // namespace gantry::cli
