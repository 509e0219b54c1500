// Tools: saying what is wrong, and mending it.
#include "tool.hpp"

#include "log_scan.hpp"
#include "segment_files.hpp"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>

namespace gantry::commitlog {

using What = CheckFinding::What;

namespace {
gantry_str borrowed(const std::string &text) { return {text.data(), static_cast<std::uint32_t>(text.size()), 0}; }
}  // namespace

void StoreTool::tell(Finding finding) {
  summary_.notes += finding.severity == GANTRY_FINDING_NOTE;
  summary_.damaged += finding.severity == GANTRY_FINDING_DAMAGED;
  summary_.lost += finding.severity == GANTRY_FINDING_LOST;
  if (request_.action != GANTRY_TOOL_DUMP) {
    const QueueName *queue = name_of(finding.queue);
    gantry_store_finding out{};
    out.size = sizeof out;
    out.severity = finding.severity;
    out.file = borrowed(finding.file);
    out.position = finding.position;
    out.bytes = static_cast<std::uint64_t>(finding.bytes);
    if (queue != nullptr) out.topic = borrowed(queue->topic);
    out.queue_no = queue != nullptr ? queue->queue_no : -1;
    out.begin_off = finding.begin;
    out.end_off = finding.end;
    out.text = borrowed(finding.text);
    out.remedy = borrowed(finding.remedy);
    cancelled_ |= sink_.finding(sink_.self, &out) != GANTRY_OK;
  }
  if (finding.mend != nullptr) to_mend_.push_back(std::move(finding));
}

void StoreTool::found(const Segment &segment, const CheckFinding &finding) {
  Finding out;
  out.file = segment.path;
  out.position = finding.pos - segment.base;
  out.bytes = finding.bytes;
  out.queue = finding.queue;
  out.begin = finding.begin.v;
  out.end = finding.end.v;
  const LogPos base = segment.base;
  const bool sealed = base != segments_.back()->base && finding.pos < known_stable_;
  const auto mark_in_run = [&, this] {
    if (!to_rebuild_.emplace(base, true).second) return;
    out.mend = [this, base] { return rebuild_run(base); };
  };
  switch (finding.what) {
    case What::kRecord:
    case What::kBase:
      ++summary_.records_lost;
      out.severity = GANTRY_FINDING_LOST;
      out.text = finding.what == What::kRecord ? "the record does not fit its checksum" : "the body of the record is gone or damaged with another record";
      out.remedy = "none: restore the file from a copy; this record alone is skipped when it is read";
      if (finding.what == What::kRecord && sealed && segment.run != nullptr) {
        out.remedy = "give it up: a new index run says that it is lost; this record alone is skipped when it is read";
        mark_in_run();
      }
      break;
    case What::kKnown:
      out.text = "lost, and given up earlier";
      out.remedy = "none is needed: it is skipped when its queue is read";
      break;
    case What::kInFrame:
      summary_.records_lost += static_cast<std::uint64_t>(finding.end - finding.begin);
      out.severity = GANTRY_FINDING_LOST;
      out.text = "records were in a damaged frame";
      out.remedy = "none: restore the file from a copy; they are skipped when the queue is read";
      break;
    case What::kRun:
      out.severity = GANTRY_FINDING_DAMAGED;
      out.text = "the index run says something else than the log file";
      out.remedy = "make the run again from the log file";
      mark_in_run();
      break;
    case What::kFrame: return frame_lost(segment, finding, std::move(out));
  }
  tell(std::move(out));
}

void StoreTool::frame_lost(const Segment &segment, const CheckFinding &finding, Finding out) {
  if (finding.readable > 0) {
    out.severity = GANTRY_FINDING_DAMAGED;
    out.text = "a frame's header or trailer is damaged; " + std::to_string(finding.readable) + " records in it can be read all the same, through the index run";
    out.remedy = "none: a repair would lose them; copy them, or keep the index run";
    return tell(std::move(out));
  }
  out.severity = GANTRY_FINDING_LOST;
  out.text = "the log is damaged here: no frame can be made out";
  out.remedy = "save these bytes in the folder quarantine and make a filler of them, so that the log can be walked";
  const SegmentRef held = segments_[segment.no];
  out.mend = [this, held, begin = finding.pos, bytes = finding.bytes, epoch = epoch_] { return fill_hole(held, begin, bytes, epoch); };
  tell(std::move(out));
}

// ---- mending

Result<void> StoreTool::mend_all() {
  for (const Finding &finding : to_mend_) {
    GANTRY_TRY(finding.mend());
    ++summary_.repaired;
  }
  return {};
}

Result<void> StoreTool::quarantine(const std::string &path) {
  const std::string folder = core_->data_dir + "/quarantine";
  if (const int rc = core_->files->make_dir(folder); rc != 0) return file_error("create folder", folder, rc);
  const std::size_t slash = path.rfind('/');
  const std::string from = path.substr(0, slash), to = folder + path.substr(slash);
  if (const int rc = core_->files->rename(path, to); rc != 0) return file_error("move aside", path, rc);
  for (const std::string &changed : {folder, from, core_->data_dir}) {
    if (const int rc = core_->files->sync_dir(changed); rc != 0) return file_error("sync folder", changed, rc);
  }
  return {};
}

// As quarantine/<log position>.bytes
Result<void> StoreTool::save_bytes(const Segment &segment, LogPos begin, std::int64_t bytes) {
  const std::string folder = core_->data_dir + "/quarantine";
  if (const int rc = core_->files->make_dir(folder); rc != 0) return file_error("create folder", folder, rc);
  FileBuilder out(*core_->files, folder, segment_file_name(begin) + ".bytes", false);
  std::vector<std::uint8_t> buffer(1u << 20);
  for (std::int64_t at = 0; at < bytes; at += static_cast<std::int64_t>(buffer.size())) {
    const auto n = static_cast<std::size_t>(std::min<std::int64_t>(static_cast<std::int64_t>(buffer.size()), bytes - at));
    std::memset(buffer.data(), 0, n);
    // What cannot be read is saved as zeros.
    (void)core_->files->read(segment.file.get(), buffer.data(), n, begin - segment.base + at);
    out.put(buffer.data(), n);
  }
  return out.finish();
}

Result<void> StoreTool::fill_hole(const SegmentRef &segment, LogPos begin, std::int64_t bytes, std::uint64_t epoch) {
  GANTRY_TRY(save_bytes(*segment, begin, bytes));
  const FileHandle file(core_->files->open(segment->path, O_RDWR));
  if (file.get() < 0) return file_error("open log file", segment->path, file.get());
  std::uint8_t filler[sizeof(Filler)];
  put_filler(filler, static_cast<std::uint32_t>(bytes), begin, epoch);
  std::int64_t rc = core_->files->write(file.get(), filler, sizeof filler, begin - segment->base);
  if (rc >= 0) rc = core_->files->sync(file.get());
  if (rc < 0) return file_error("write a filler into", segment->path, rc);
  return {};
}

Result<void> StoreTool::rebuild_run(LogPos base) {
  const Result<std::shared_ptr<RunFile>> made = LogScan(*core_).rebuild(base);
  return made ? Result<void>() : Result<void>(made.error());
}

Result<void> StoreTool::resize(const std::string &path, std::int64_t bytes) {
  const FileHandle file(core_->files->open(path, O_RDWR));
  if (file.get() < 0) return file_error("open log file", path, file.get());
  std::int64_t rc = core_->files->truncate(file.get(), bytes);
  if (rc >= 0) rc = core_->files->sync(file.get());
  if (rc < 0) return file_error("set the size of", path, rc);
  return {};
}

}  // namespace gantry::commitlog
