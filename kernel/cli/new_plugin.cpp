#include "kernel/cli/new_plugin.hpp"

#include "kernel/cli/command_line.hpp"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <utility>

namespace gantry::cli {
namespace {

constexpr std::size_t kLongestName = 40;  // with "org.example." it must fit the manifest

bool is_plugin_name(std::string_view name) {
  if (name.empty() || name.size() > kLongestName || name.front() < 'a' || name.front() > 'z' || name.back() == '-') return false;
  return std::all_of(name.begin(), name.end(), [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; });
}

void replace_all(std::string &text, const std::string &from, const std::string &to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) text.replace(at, from.size(), to);
}

// my-filter, my_filter, MY_FILTER, MyFilter
struct Spellings {
  std::string dashed, lower, upper, camel;
  explicit Spellings(const std::string &name) : dashed(name) {
    bool begins = true;
    for (const char c : name) {
      lower += c == '-' ? '_' : c;
      upper += c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
      if (c != '-') camel += begins ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : c;
      begins = c == '-';
    }
  }
};

std::string renamed(std::string_view text, const Spellings &from, const Spellings &to) {
  std::string out(text);
  replace_all(out, from.dashed, to.dashed);
  replace_all(out, from.lower, to.lower);
  replace_all(out, from.upper, to.upper);
  replace_all(out, from.camel, to.camel);
  return out;
}

}  // namespace

int new_plugin(const NewPluginOptions &options) {
  namespace fs = std::filesystem;
  if (!is_plugin_name(options.name)) {
    std::fprintf(stderr, "gantry: plugin name: found \"%s\", wanted 1 to %zu of a-z, 0-9 and '-', a letter first and no '-' last\n", options.name.c_str(), kLongestName);
    return kExitUsage;
  }
  const std::string prefix = options.kind + "-" + options.language + "/";
  if (std::none_of(template_files().begin(), template_files().end(), [&](const TemplateFile &file) { return file.path.starts_with(prefix); })) {
    std::fprintf(stderr, "gantry: there is no template of a plugin of kind %s in %s; --lang c and --lang cpp have one\n", options.kind.c_str(), options.language.c_str());
    return kExitUsage;
  }
  const fs::path folder = options.name;
  std::error_code failed;
  if (!fs::create_directory(folder, failed)) {
    std::fprintf(stderr, "gantry: folder %s cannot be made: %s; choose another name or folder\n", folder.c_str(), failed ? failed.message().c_str() : "it exists");
    return kExitFailed;
  }
  const Spellings from("example-" + options.kind), to(options.name);
  for (const TemplateFile &file : template_files()) {
    if (!file.path.starts_with(prefix)) continue;
    const fs::path path = folder / renamed(file.path.substr(prefix.size()), from, to);
    fs::create_directories(path.parent_path(), failed);
    std::ofstream out(path, std::ios::binary);
    out << renamed(file.text, from, to);
    out.close();
    if (!out) {
      std::fprintf(stderr, "gantry: file %s cannot be written; look at the disk and the folder's permissions, remove the folder and try again\n", path.c_str());
      return kExitFailed;
    }
    std::printf("%s\n", path.c_str());
  }
  const std::string rust = "cargo build --release --offline && mkdir -p build && cp target/release/lib" + to.lower + ".so build/" + options.name + ".so";
  std::printf("\nNext, as %s/README.md says:\n  cd %s\n  %s\n  gantry plugin check build/%s.so%s\n  gantry run -c broker.toml\n", folder.c_str(), folder.c_str(),
              options.language == "rust" ? rust.c_str() : "cmake -B build && cmake --build build", options.name.c_str(), options.kind == "filter" ? " --cases cases.txt" : "");
  return 0;
}

}  // namespace gantry::cli
