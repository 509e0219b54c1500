#include "recovery.hpp"

#include "segment_files.hpp"

namespace gantry::commitlog {

Result<void> recover(Core &core, const gantry_recovery_sink &) {
  std::vector<std::string> names;
  if (const int rc = core.files->list(core.log_dir, &names); rc != 0) return file_error("list folder", core.log_dir, rc);
  for (const std::string &name : names) {
    LogPos base;
    if (parse_position(name, &base)) return Error{GANTRY_E_UNSUPPORTED, core.log_dir + " holds a log; opening an existing one is not built yet"};
  }
  Result<SegmentRef> first = make_segment(core, {0}, core.options.segment_bytes);
  if (!first) return std::move(first.error());
  (*first)->no = core.segments.next_no++;
  (*first)->index = std::make_unique<SegmentIndex>((*first)->no);
  core.segments.live.push_back(std::move(*first));
  core.writer.start({0}, 1, core.default_durability);
  return {};
}

}  // namespace gantry::commitlog
