#include "readers.hpp"

#include "log_scan.hpp"
#include "run_file.hpp"

#include <algorithm>
#include <cstring>

namespace gantry::commitlog {

Readers::Readers(Core &core) : core_(core) {}

Readers::~Readers() { stop(); }

void Readers::start() {
  for (std::int64_t i = 0; i < core_.options.readers; ++i) threads_.emplace_back([this] { run(); });
}

void Readers::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread &thread : threads_) thread.join();
  threads_.clear();
}

void Readers::submit(ColdRead read) { push({std::make_unique<ColdRead>(std::move(read)), nullptr, nullptr, {}}); }
void Readers::submit(ColdSeek seek) { push({nullptr, std::make_unique<ColdSeek>(std::move(seek)), nullptr, {}}); }
void Readers::submit(const KeyQuery &query) { push({nullptr, nullptr, std::make_unique<KeyQuery>(query), {}}); }

void Readers::ahead(LogPos begin, std::uint32_t count) {
  constexpr std::size_t kBusy = 64;
  bool wake;
  {
    const std::lock_guard lock(mutex_);
    if (tasks_.size() >= kBusy || stopping_) return;
    tasks_.push_back({nullptr, nullptr, nullptr, begin, count});
    // A thread that works takes it next: another one would only take a core from the shards.
    wake = working_ == 0;
  }
  if (wake) wake_.notify_one();
}

void Readers::push(Task task) {
  {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
  }
  wake_.notify_one();
}

void Readers::run() {
  for (bool worked = false;;) {
    Task task;
    bool cancel;
    {
      std::unique_lock lock(mutex_);
      if (worked) --working_;
      wake_.wait(lock, [this] { return stopping_ || !tasks_.empty(); });
      if (tasks_.empty()) return;
      task = std::move(tasks_.front());
      tasks_.pop_front();
      ++working_;
      worked = true;
      cancel = stopping_;
    }
    if (task.read != nullptr) {
      cancel ? answer(*task.read, GANTRY_E_CANCELLED, nullptr) : perform(*task.read);
    } else if (task.seek == nullptr && task.keys == nullptr) {
      if (!cancel) perform_ahead(task.ahead, task.ahead_count);
    } else if (cancel) {
      const bool seek = task.seek != nullptr;
      const gantry_cqe cqe{seek ? task.seek->user_data : task.keys->request.user_data, 0, 0, GANTRY_E_CANCELLED, 0};
      core_.host.push(seek ? task.seek->cq : task.keys->cq, {&cqe, 1});
    } else {
      task.seek != nullptr ? perform(*task.seek) : perform(*task.keys);
    }
  }
}

void Readers::answer(const ColdRead &read, std::int32_t status, ReadResult *result) const {
  gantry_cqe cqe{read.user_data, 0, 0, status, 0};
  if (result != nullptr) cqe.aux = reinterpret_cast<std::uint64_t>(result->abi());
  if (core_.host.push(read.cq, {&cqe, 1}) < 0 && result != nullptr) result->release();  // nobody will take it
}

// What it asks for expired after the request was taken: the same as for a request that comes now.
void Readers::answer_expired(const ColdRead &read) {
  if (read.one) return answer(read, GANTRY_E_NOT_FOUND, nullptr);
  std::optional<gantry_queue_stat> stat;
  {
    const std::lock_guard lock(core_.mutex);
    if (QueueState *queue = core_.queues.get(read.queue); queue != nullptr) stat = core_.stat_of(*queue);
  }
  if (!stat) return answer(read, GANTRY_E_NOT_FOUND, nullptr);  // the queue went too
  gantry_read_result state{};
  state.stop = GANTRY_STOP_RANGE;
  state.min_off = state.next_off = stat->min_off;
  state.max_off = stat->max_off;
  ReadResult *result = ReadResult::create(0, 0);
  result->set_range(state);
  result->seal(0);
  answer(read, GANTRY_OK, result);
}

bool Readers::has_expired(const Segment &segment) {
  const std::lock_guard lock(core_.mutex);
  return segment.no < core_.segments.first_no();
}

// ---- reading records

namespace {
// Where the extents begin that the records lie in, ascending as long as the records do.
std::vector<LogPos> extents_of(const ColdRead &read) {
  std::vector<LogPos> out;
  if (read.index_only) return out;
  for (const ColdRecord &record : read.records) {
    const LogPos base = record.segment->base;
    const std::int64_t end = std::int64_t{record.offset} + record.bytes;
    for (std::int64_t at = align_down(std::int64_t{record.offset}, Extent::kBytes); at < end; at += Extent::kBytes) {
      if (out.empty() || out.back() < base + at) out.push_back(base + at);
    }
  }
  return out;
}
}  // namespace

void Readers::perform(ColdRead &read) {
  if (read.by_position) {
    std::int32_t status = GANTRY_OK;
    if (!resolve_position(read, &status)) return answer(read, status, nullptr);
  } else if (!read.runs.empty()) {
    switch (resolve(read)) {
      case Resolved::kFound: break;
      case Resolved::kDropped: return answer_expired(read);
      case Resolved::kCorrupt: return answer(read, GANTRY_E_CORRUPT, nullptr);
    }
  }
  const std::vector<LogPos> wanted = extents_of(read);
  // The first one is there or on its way: most likely for this consumer, which goes through the log faster than it is read ahead.
  const bool goes_on = wanted.size() > 1 && core_.extents.is_known(wanted.front());
  ExtentRef last;
  ReadResult *result = read.index_only ? collect_index(read) : collect(read, wanted, &last);
  if (result->result().n == 0 && !read.records.empty() && has_expired(*read.records.front().segment)) {
    result->release();
    return answer_expired(read);
  }
  if (read.one && result->result().n == 0) {
    result->release();
    return answer(read, GANTRY_E_CORRUPT, nullptr);
  }
  answer(read, GANTRY_OK, result);
  if (goes_on && last != nullptr && last->ask_ahead()) ahead(last->end(), core_.extents.ahead_count(wanted.size()));
}

ReadResult *Readers::collect_index(const ColdRead &read) {
  const auto n = static_cast<std::uint32_t>(read.records.size());
  ReadResult *result = ReadResult::create(n, 0);
  result->set_range(read.result);
  for (std::uint32_t i = 0; i < n; ++i) {
    const ColdRecord &record = read.records[i];
    result->records()[i] = {{nullptr, 0, 0, nullptr}, record.queue_off, (record.segment->base + record.offset).v, record.tag, record.store_ms};
  }
  result->seal(n);
  return result;
}

// In place where few extents hold everything; records across borders and those of reads that would pin too much are copied.
ReadResult *Readers::collect(const ColdRead &read, std::span<const LogPos> wanted, ExtentRef *last_used) {
  const auto n = static_cast<std::uint32_t>(read.records.size());
  std::uint32_t extents = 0;
  std::size_t total = 0, across = 0;
  std::int64_t last_begin = -1;
  for (const ColdRecord &record : read.records) {
    const std::int64_t begin = (record.segment->base + align_down(std::int64_t{record.offset}, Extent::kBytes)).v;
    if (begin != std::exchange(last_begin, begin)) ++extents;
    total += record.bytes;
    if (record.offset % Extent::kBytes + record.bytes > Extent::kBytes) {
      across += record.bytes;
      ++extents;  // the record behind it may ask for the first extent again
    }
  }
  const bool in_place = extents <= kMaxExtentsPinned;
  ReadResult *result = ReadResult::create(n, in_place ? across : total, in_place ? extents : 0);
  gantry_read_result &r = result->result();
  result->set_range(read.result);
  std::uint8_t *to = result->bytes();
  std::uint64_t bytes = 0;
  std::uint32_t good = 0;
  ExtentRef &last = *last_used;
  ExtentRef kept, last_of_base;
  const auto keep_placed = [&](const ColdRecord &record, const std::uint8_t *at) {
    if (at == to) {
      to += record.bytes;
    } else if (!in_place) {
      std::memcpy(to, at, record.bytes);
      at = to;
      to += record.bytes;
    } else if (last != kept) {
      kept = last;
      result->keep(last);
    }
    return at;
  };
  for (; good < n; ++good) {
    const ColdRecord &record = read.records[good];
    const std::uint8_t *at = record.own.data();
    Found found = record.own.empty() ? place(record, read.stable, wanted, &last, to, &at) : Found::kGood;
    if (found == Found::kUnread && good == 0) {
      result->release();
      result = collect_one(record);
      result->result().min_off = read.result.min_off;
      result->result().max_off = read.result.max_off;
      return result;
    }
    gantry_span whole{at, record.bytes, 0, nullptr};
    if (found == Found::kGood && record.refers) {
      if (at == to) to += record.bytes;
      const std::optional<Reference> reference = reference_of(record, at);
      const std::uint32_t whole_size = reference ? whole_bytes(*reference, record.bytes) : 0;
      if (good > 0 && bytes + whole_size > read.max_bytes) {
        r.next_off = record.queue_off;
        r.stop = GANTRY_STOP_LIMIT;
        break;
      }
      found = reference && borrow(*reference, record, at, &last_of_base, result, &whole) ? Found::kGood : Found::kBad;
    }
    if (found != Found::kGood) {
      // What cannot be had from its extent is read alone by the next read.
      r.next_off = record.queue_off + (found == Found::kBad ? 1 : 0);
      r.stop = found == Found::kBad ? GANTRY_STOP_BAD : GANTRY_STOP_LIMIT;
      break;
    }
    bytes += whole.n;
    if (!record.refers) whole.p = keep_placed(record, at);
    result->records()[good] = {whole, record.queue_off, record.pos().v, record.tag, record.store_ms};
  }
  result->seal(good);
  return result;
}

// One record past all caches.
ReadResult *Readers::collect_one(const ColdRecord &record) {
  ReadResult *result = ReadResult::create(1, record.bytes);
  std::uint8_t *to = result->bytes();
  bool good = read_direct(record, to);
  const LogPos pos = record.pos();
  if (!good) report_bad(*record.segment, pos, record.bytes);
  gantry_span whole{to, record.bytes, 0, nullptr};
  if (good && record.refers) {
    const std::optional<Reference> reference = reference_of(record, to);
    ExtentRef last;
    good = reference && borrow(*reference, record, to, &last, result, &whole);
  }
  result->records()[0] = {whole, record.queue_off, pos.v, record.tag, record.store_ms};
  result->result().next_off = record.queue_off + 1;
  result->result().stop = good ? GANTRY_STOP_LIMIT : GANTRY_STOP_BAD;
  result->seal(good ? 1 : 0);
  return result;
}

// ---- finding records in runs

// A run whose content does not hold is made again from its segment. Null: that failed too, or *dropped: the segment is no more, and neither is its run's
// file, so that nothing can be said of either.
std::shared_ptr<RunFile> Readers::usable(const RunPart &part, bool *dropped) {
  *dropped = false;
  if (part.run->verified()) return part.run;
  const std::lock_guard rebuilding(rebuild_mutex_);
  {
    const std::lock_guard lock(core_.mutex);
    *dropped = part.segment->no < core_.segments.live.front()->no;
    if (*dropped) return nullptr;
    if (part.segment->run != part.run && part.segment->run != nullptr) return part.segment->run;  // another reader was faster
  }
  core_.log(GANTRY_LOG_WARN, "index run of " + part.segment->path + " is damaged: rebuilding it");
  Result<std::shared_ptr<RunFile>> fresh = LogScan(core_).rebuild(part.segment->base);
  {
    const std::lock_guard lock(core_.mutex);
    *dropped = part.segment->no < core_.segments.live.front()->no;
    if (fresh && !*dropped) part.segment->run = *fresh;
  }
  if (*dropped) {
    // Its run may have been removed before we wrote it again.
    if (const Result<void> removed = RunFile::remove(core_, part.segment->base); !removed) core_.log(GANTRY_LOG_WARN, removed.error().text);
    return nullptr;
  }
  if (!fresh) {
    core_.log(GANTRY_LOG_ERROR, fresh.error().text);
    return nullptr;
  }
  return *fresh;
}

Readers::Resolved Readers::resolve(ColdRead &read) {
  std::uint32_t scanned = 0;
  std::uint64_t bytes = 0;
  read.result.stop = GANTRY_STOP_LIMIT;
  for (const RunPart &part : read.runs) {
    bool dropped;
    const std::shared_ptr<RunFile> run = usable(part, &dropped);
    if (run == nullptr) return dropped ? Resolved::kDropped : Resolved::kCorrupt;  // with a part all before it were dropped
    const RunPart found{part.segment, run, part.end};
    open_window(read, found);
    if (!resolve_part(read, found, &scanned, &bytes)) break;
    if (read.offset >= part.end.v) continue;
    // A run that was made again from a damaged segment knows fewer entries of the queue than there were: the rest is lost, and reads go on behind it.
    if (read.records.empty()) {
      read.offset = part.end.v;
      read.result.stop = GANTRY_STOP_BAD;
    }
    break;
  }
  read.result.next_off = read.offset;
  if (read.offset == read.result.max_off && read.result.stop == GANTRY_STOP_LIMIT) read.result.stop = GANTRY_STOP_END;
  return Resolved::kFound;
}

// So that the queue's next reads choose their records on the shard.
void Readers::open_window(const ColdRead &read, const RunPart &part) {
  if (read.max_records >= IndexWindow::kEntries) return;  // such a read leaves nothing for the next one
  const IndexReader &index = part.run->index();
  const PartRow *row = index.find_part(read.queue);
  if (row == nullptr || read.offset < row->first_off || read.offset >= row->first_off + row->count) return;
  const auto at = static_cast<std::uint32_t>(read.offset - row->first_off);
  if (core_.windows.find(read.queue, part.segment->no, at) != nullptr) return;
  const std::uint32_t begin = at - at % IndexWindow::kEntries;
  auto window = std::make_shared<IndexWindow>();
  window->first = {row->first_off + begin};
  window->first_store_ms = part.run->footer().first_store_ms;
  window->rows.resize(std::min(IndexWindow::kEntries, row->count - begin));
  for (std::uint32_t i = 0; i < window->rows.size(); ++i) {
    const Entry entry = index.entry(*row, begin + i);
    window->rows[i].tag = entry.tag;
    if (entry.record == kNoRecord) continue;
    const RecordRow &record = index.records()[entry.record];
    if (std::int64_t{record.offset} + record.bytes() <= part.segment->bytes) window->rows[i].record = record;
  }
  core_.windows.put(read.queue, part.segment->no, at, std::move(window));
}

// Goes through the entries of one part from read.offset. True: reached its end, the next part may follow.
bool Readers::resolve_part(ColdRead &read, const RunPart &part, std::uint32_t *scanned, std::uint64_t *bytes) {
  const IndexReader &index = part.run->index();
  const PartRow *row = index.find_part(read.queue);
  if (row == nullptr || read.offset >= row->first_off + row->count) return true;
  if (read.offset < row->first_off) {
    if (!read.records.empty()) return false;
    read.offset = row->first_off;
    read.result.stop = GANTRY_STOP_BAD;
    return false;
  }
  for (auto i = static_cast<std::uint32_t>(read.offset - row->first_off); i < row->count; ++i, ++read.offset) {
    if ((*scanned)++ == kMaxScanned) return false;
    const Entry entry = index.entry(*row, i);
    const bool lost = entry.record == kNoRecord;
    if (!lost && !read.any_tag && std::find(read.tags.begin(), read.tags.end(), entry.tag) == read.tags.end()) continue;
    const RecordRow record = lost ? RecordRow{} : index.records()[entry.record];
    if (record.damaged()) {
      ++read.offset;
      read.result.stop = GANTRY_STOP_BAD;
      return false;
    }
    if (read.records.size() == read.max_records) return false;
    if (!read.index_only && !read.records.empty() && *bytes + record.bytes() > read.max_bytes) return false;
    if (std::int64_t{record.offset} + record.bytes() > part.segment->bytes) {  // an index that contradicts its segment
      ++read.offset;
      read.result.stop = GANTRY_STOP_BAD;
      return false;
    }
    *bytes += record.bytes();
    read.records.push_back({part.segment.get(), record.offset, record.bytes(), record.crc, read.offset, entry.tag,
                            store_ms_of(part.run->footer().first_store_ms, record.store_ms_delta), record.refers(), {}});
  }
  return true;
}

bool Readers::resolve_position(ColdRead &read, std::int32_t *status) {
  bool dropped;
  const std::shared_ptr<RunFile> run = usable(read.runs[0], &dropped);
  *status = dropped ? GANTRY_E_NOT_FOUND : GANTRY_E_CORRUPT;
  if (run == nullptr) return false;
  const std::uint32_t number = run->index().find_record(read.position_in_segment);
  *status = GANTRY_E_NOT_FOUND;
  if (number == kNoRecord) return false;
  const RecordRow &record = run->index().records()[number];
  *status = GANTRY_E_CORRUPT;
  if (record.damaged() || std::int64_t{record.offset} + record.bytes() > read.runs[0].segment->bytes) return false;
  read.result.stop = GANTRY_STOP_END;
  read.records.push_back({read.runs[0].segment.get(), record.offset, record.bytes(), record.crc, -1, 0,
                          store_ms_of(run->footer().first_store_ms, record.store_ms_delta), record.refers(), {}});
  return true;
}

// ---- seeking

void Readers::perform(const ColdSeek &seek) {
  gantry_cqe cqe{seek.user_data, seek.end.v, 0, GANTRY_OK, 0};
  bool dropped;
  const std::shared_ptr<RunFile> run = usable(seek.part, &dropped);
  const PartRow *row = run != nullptr ? run->index().find_part(seek.queue) : nullptr;
  if (dropped) {
    // All behind it is as young as what was asked for: the end of the part is the answer.
  } else if (row == nullptr) {
    cqe.status = GANTRY_E_CORRUPT;
    cqe.result = 0;
  } else {
    const IndexReader &index = run->index();
    const std::uint32_t at = first_not_before(row->count, seek.ms, [&](std::uint32_t i) {
      const Entry entry = index.entry(*row, i);
      return entry.record == kNoRecord ? 0 : store_ms_of(run->footer().first_store_ms, index.records()[entry.record].store_ms_delta);
    });
    if (at < row->count) cqe.result = row->first_off + at;
  }
  core_.host.push(seek.cq, {&cqe, 1});
}

}  // namespace gantry::commitlog
