// Tools: reading the files. Nothing is changed here.
#include "tool.hpp"

#include "format_mark.hpp"
#include "log_scan.hpp"
#include "segment_files.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

namespace gantry::commitlog {

namespace {
constexpr std::int64_t kSmallArenaBytes = 4ll << 20;
constexpr std::uint64_t kProgressBytes = 4u << 20;

Options tool_options() {
  Options options;
  options.read_cache_bytes = 1 << 20;  // nothing is read through it
  options.direct = false;              // so that a file system that cannot do it is no trouble
  return options;
}

Error cancelled() { return Error{GANTRY_E_CANCELLED, "stopped before the end"}; }
}  // namespace

StoreTool::StoreTool(const gantry_host *host, const gantry_store_tool_request &request, const gantry_store_tool_sink &sink)
    : request_(request), sink_(sink), topic_(request.topic.n == 0 ? std::string() : std::string(request.topic.p, request.topic.n)) {
  summary_.size = sizeof summary_;
  Result<Arena *> arena = Arena::create(static_cast<std::uint64_t>(kSmallArenaBytes));
  GANTRY_ASSERT(arena);  // 4 MiB of address space
  core_ = std::make_unique<Core>(Host::of_tool(host), tool_options(), std::make_unique<Files>(), **arena);
  core_->data_dir.assign(request.data_dir.p, request.data_dir.n);
  core_->log_dir = core_->data_dir + "/commitlog";
  core_->index_dir = core_->data_dir + "/index";
}

StoreTool::~StoreTool() = default;

Result<void> StoreTool::run() {
  GANTRY_TRY(list_segments());
  GANTRY_TRY(load_checkpoints());
  GANTRY_TRY(open_runs());
  GANTRY_TRY(walk());
  summary_.queues = static_cast<std::uint64_t>(std::count_if(queues_.begin(), queues_.end(), [](const auto &queue) { return !queue.second.dropped; }));
  summary_.rows = rows_.size();
  if (request_.action == GANTRY_TOOL_DUMP && (request_.dump & GANTRY_DUMP_ROWS) != 0) GANTRY_TRY(dump_rows());
  if (request_.action == GANTRY_TOOL_REPAIR && (request_.flags & GANTRY_TOOL_APPLY) != 0) GANTRY_TRY(mend_all());
  return {};
}

Result<void> StoreTool::progress(const char *what, std::uint64_t done) {
  const gantry_str text{what, static_cast<std::uint32_t>(std::char_traits<char>::length(what)), 0};
  if (cancelled_ || sink_.progress(sink_.self, text, done, total_bytes_) != GANTRY_OK) return cancelled();
  return {};
}

const StoreTool::QueueName *StoreTool::name_of(std::int64_t queue) const {
  const auto at = queue < 0 ? queues_.end() : queues_.find(static_cast<std::uint32_t>(queue));
  return at == queues_.end() ? nullptr : &at->second;
}

// ---- which files there are

Result<void> StoreTool::list_segments() {
  std::vector<std::string> names;
  if (const int rc = core_->files->list(core_->log_dir, &names); rc == -ENOENT || rc == -ENOTDIR) {
    return Error{GANTRY_E_NOT_FOUND, "no store in " + core_->data_dir + ": it has no folder commitlog; name the folder that broker.toml has as [broker] data_dir"};
  } else if (rc != 0) {
    return file_error("list folder", core_->log_dir, rc);
  }
  std::sort(names.begin(), names.end());
  for (const std::string &name : names) {
    LogPos base;
    if (!parse_position(name, &base)) continue;
    if (const std::uint32_t format = format_of_mark(base); format != 0) {
      if (format > kFormatWithReferences) return Error{GANTRY_E_UNSUPPORTED, "the log in " + core_->log_dir + " is of format " + std::to_string(format) + ", which this build does not know: use a newer one"};
      continue;
    }
    const std::string path = core_->log_dir + "/" + name;
    const int fd = core_->files->open(path, O_RDONLY);
    if (fd < 0) return file_error("open log file", path, fd);
    auto segment = std::make_shared<Segment>();
    segment->base = base;
    segment->file = FileHandle(fd);
    segment->path = path;
    segment->no = static_cast<std::uint32_t>(segments_.size());
    struct stat info {};
    if (::fstat(fd, &info) != 0) return file_error("size of log file", path, -errno);
    segment->bytes = info.st_size;
    ++summary_.files;
    if (segment->bytes < kBlock || segment->bytes % kBlock != 0) {
      const std::int64_t whole = std::max<std::int64_t>(align_up(segment->bytes, kBlock), kBlock);
      tell({GANTRY_FINDING_LOST, path, -1, segment->bytes, -1, -1, -1, "the log file was cut to " + std::to_string(segment->bytes) + " bytes; a broker refuses to start with it",
            "fill it up with zeros to " + std::to_string(whole) + " bytes, so that what is left of it can be read", [this, path, whole] { return resize(path, whole); }});
      segment->bytes = whole;  // what is not there reads as nothing
    }
    if (!segments_.empty() && segments_.back()->end() > base) {
      const SegmentRef before = segments_.back();
      const std::int64_t whole = base - before->base;
      tell({GANTRY_FINDING_LOST, before->path, whole, before->end() - base, -1, -1, -1, "the log file reaches into the one that follows it; a broker refuses to start with it",
            "cut it to " + std::to_string(whole) + " bytes", [this, before, whole] { return resize(before->path, whole); }});
      before->bytes = whole;
    }
    total_bytes_ += static_cast<std::uint64_t>(segment->bytes);
    segments_.push_back(std::move(segment));
  }
  return {};
}

Result<void> StoreTool::load_checkpoints() {
  std::optional<Checkpoint> slots[2];
  for (int i = 0; i < 2; ++i) {
    std::vector<std::string> problems;
    slots[i] = load_checkpoint(*core_, i, &problems);
    summary_.files += slots[i] || !problems.empty() ? 1 : 0;
    for (const std::string &problem : problems) unusable_checkpoints_.push_back(problem);
    if (problems.empty()) continue;
    const std::string path = core_->data_dir + "/" + checkpoint_name(static_cast<std::uint64_t>(i));
    tell({GANTRY_FINDING_DAMAGED, path, -1, 0, -1, -1, -1, problems.front(), "put it aside; the next start takes the other one, or reads more of the log", [this, path] { return quarantine(path); }});
  }
  if (slots[0] && slots[1] && slots[0]->head.generation > slots[1]->head.generation) std::swap(slots[0], slots[1]);
  checkpoint_ = std::move(slots[1] ? slots[1] : slots[0]);
  if (!checkpoint_) {
    if (!segments_.empty() && segments_.front()->base.v != 0) {
      tell({GANTRY_FINDING_LOST, core_->data_dir, -1, 0, -1, -1, -1, "no usable checkpoint, and the log's beginning is gone by retention: topics, groups and offsets set there are lost",
            "none: restore a checkpoint file from a copy, or start with [store] accept_lost_checkpoint = true", nullptr});
    }
    return {};
  }
  known_stable_ = {checkpoint_->head.pos};
  for (const auto &[row, topic] : checkpoint_->queues) {
    queues_[row.queue] = {std::string(topic), row.queue_no, false};
  }
  for (const auto &[key, value] : checkpoint_->rows) rows_[std::string(key)] = value;
  if (segments_.empty() || segments_.back()->end().v < checkpoint_->head.pos) {
    tell({GANTRY_FINDING_LOST, core_->log_dir, -1, 0, -1, -1, -1, "the log ends before position " + std::to_string(checkpoint_->head.pos) + ", which a checkpoint vouches for; a broker refuses to start",
          "none: restore the log files from a copy, or move the checkpoints away to start without what is missing", nullptr});
  }
  for (std::size_t i = 1; i < segments_.size(); ++i) {
    if (segments_[i]->base == segments_[i - 1]->end()) continue;
    if (segments_[i - 1]->end().v >= checkpoint_->head.pos) continue;
    tell({GANTRY_FINDING_LOST, segments_[i - 1]->path, segments_[i - 1]->bytes, segments_[i]->base - segments_[i - 1]->end(), -1, -1, -1, "the log is missing between this file and the one that follows it",
          "none: restore the log files from a copy", nullptr});
  }
  return {};
}

Result<void> StoreTool::open_runs() {
  for (const SegmentRef &segment : segments_) {
    Result<std::shared_ptr<RunFile>> run = RunFile::open(*core_, segment->base, segment->bytes);
    if (run && (*run)->verified()) {
      ++summary_.files;
      segment->run = std::move(*run);
      continue;
    }
    if (!run && run.error().code == GANTRY_E_NOT_FOUND) continue;
    if (!run && run.error().code != GANTRY_E_CORRUPT) return std::move(run.error());
    ++summary_.files;
    const std::string path = core_->index_dir + "/" + RunFile::name(segment->base);
    tell({GANTRY_FINDING_DAMAGED, path, -1, 0, -1, -1, -1, "the index run is damaged", "put it aside; the next start makes it again from " + segment->path, [this, path] { return quarantine(path); }});
  }
  return {};
}

// ---- the log

Result<void> StoreTool::walk() {
  for (std::size_t i = 0; i < segments_.size() && !log_ended_; ++i) GANTRY_TRY(walk_segment(i));
  return progress("log", total_bytes_);
}

Result<void> StoreTool::walk_segment(std::size_t i) {
  const SegmentRef &segment = segments_[i];
  Result<void> emitted;
  SegmentCheck::Sink sink;
  sink.on_frame = [&](const ScannedUnit &unit) {
    known_stable_ = std::max(known_stable_, LogPos{unit.frame.header.stable_pos});
    note_ops(unit.frame);
    if (emitted && request_.action == GANTRY_TOOL_DUMP && (request_.dump & GANTRY_DUMP_RECORDS) != 0) emitted = dump_frame(unit);
  };
  sink.on_finding = [&](const CheckFinding &finding) { found(*segment, finding); };
  SegmentCheck *running = nullptr;
  sink.vouched = [&](LogPos pos) { return pos < known_stable_ || later_segment_vouches(i, pos, running->epoch()); };
  sink.stored = [this](LogPos pos, std::uint32_t bytes) { return stored(pos, bytes); };
  SegmentCheck check(*core_->files, *segment, segment->run.get(), &next_off_, sink);
  running = &check;
  check.start_epoch(epoch_);
  std::uint64_t told = 0;
  for (;;) {
    Result<bool> more = check.step();
    if (!more) return std::move(more.error());
    if (!emitted) return emitted;
    epoch_ = check.epoch();
    const auto here = static_cast<std::uint64_t>(check.pos() - segment->base);
    if (here - told >= kProgressBytes || cancelled_) {
      told = here;
      GANTRY_TRY(progress("log", done_bytes_ + here));
    }
    if (!*more) break;
  }
  done_bytes_ += static_cast<std::uint64_t>(segment->bytes);
  summary_.bytes += static_cast<std::uint64_t>(check.pos() - segment->base);
  summary_.records += check.records();
  if (request_.action == GANTRY_TOOL_DUMP && (request_.dump & GANTRY_DUMP_ENTRIES) != 0) GANTRY_TRY(dump_entries(*segment));
  if (check.log_ended()) return end_of_log(i, check);
  if (segment->run == nullptr && i + 1 < segments_.size()) {
    tell({GANTRY_FINDING_NOTE, segment->path, -1, 0, -1, -1, -1, "it has no index run", "none is needed: the next start makes it", nullptr});
  }
  return {};
}

Result<void> StoreTool::end_of_log(std::size_t i, const SegmentCheck &check) {
  log_ended_ = true;
  if (check.torn_bytes() > 0) {
    tell({GANTRY_FINDING_NOTE, segments_[i]->path, check.pos() - segments_[i]->base, check.torn_bytes(), -1, -1, -1,
          "the log ends with an unfinished write; nothing in it was acknowledged as durable", "none is needed: the next start cuts it", nullptr});
  }
  return {};
}

// A frame in a later file says that all before it had been written.
bool StoreTool::later_segment_vouches(std::size_t i, LogPos pos, std::uint64_t epoch) {
  for (std::size_t s = i + 1; s < segments_.size(); ++s) {
    SegmentReader reader(*core_->files, *segments_[s]);
    const Result<std::optional<Unit>> found = find_frame(reader, *segments_[s], segments_[s]->base, segments_[s]->end(), epoch);
    if (!found || !*found) continue;
    if ((*found)->header.stable_pos > pos.v || ((*found)->header.flags & kFrameEpochStart) != 0) return true;
  }
  return false;
}

std::span<const std::uint8_t> StoreTool::stored(LogPos pos, std::uint32_t bytes) {
  const auto at = std::upper_bound(segments_.begin(), segments_.end(), pos, [](LogPos p, const SegmentRef &s) { return p < s->base; });
  if (at == segments_.begin()) return {};
  const Segment &segment = **(at - 1);
  if (pos + bytes > segment.end()) return {};
  base_bytes_.resize(bytes);
  const std::int64_t got = core_->files->read(segment.file.get(), base_bytes_.data(), bytes, pos - segment.base);
  return got == std::int64_t{bytes} ? std::span<const std::uint8_t>(base_bytes_) : std::span<const std::uint8_t>();
}

// As recovery does it: what the checkpoint has already is applied again, with the same result.
void StoreTool::note_ops(const ParsedFrame &frame) {
  const bool old = checkpoint_ && frame.header.pos < checkpoint_->head.pos;
  for (const MetaOp &op : frame.ops) {
    const std::string_view key(op.key, op.key_bytes), value(op.value, op.value_bytes);
    switch (static_cast<MetaOpKind>(op.op)) {
      case MetaOpKind::kPut:
        if (!old) rows_[std::string(key)] = value;
        break;
      case MetaOpKind::kDelete:
        if (!old) rows_.erase(std::string(key));
        break;
      case MetaOpKind::kQueueNew: {
        QueueNewValue queue;
        if (value.size() != sizeof queue) break;
        std::memcpy(&queue, value.data(), sizeof queue);
        queues_.try_emplace(queue.handle, QueueName{std::string(key), queue.queue_no, old});  // dropped since, if the checkpoint does not have it
        break;
      }
      case MetaOpKind::kQueueDrop: {
        std::uint32_t handle;
        if (value.size() != sizeof handle) break;
        std::memcpy(&handle, value.data(), sizeof handle);
        if (const auto at = queues_.find(handle); at != queues_.end()) at->second.dropped = true;
        break;
      }
    }
  }
}

}  // namespace gantry::commitlog
