#include "format_mark.hpp"

#include <string_view>

namespace gantry::commitlog {

namespace {
constexpr const char *kTextName = "README";
constexpr std::string_view kText =
    "This log has records whose bodies are stored with other records (format 2).\n"
    "A build of Gantry that does not know that would deliver garbage. This folder has the name of a log file, so that such a build refuses the log.\n"
    "Do not remove it: use a newer build.\n";
}  // namespace

std::uint32_t format_of_mark(LogPos base) { return base.v > 1 && base.v < kBlock ? static_cast<std::uint32_t>(base.v) : 0; }

Result<void> put_format_mark(Core &core) {
  const std::string folder = core.log_dir + "/" + segment_file_name({kFormatWithReferences});
  if (const int rc = core.files->make_dir(folder); rc != 0) return file_error("create folder", folder, rc);
  FileBuilder text(*core.files, folder, kTextName, false);
  text.put(kText.data(), kText.size());
  GANTRY_TRY(text.finish());
  if (const int rc = core.files->sync_dir(core.log_dir); rc != 0) return file_error("sync folder", core.log_dir, rc);
  return {};
}

}  // namespace gantry::commitlog
