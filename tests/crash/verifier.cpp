// Opens what a killed writer left and compares it with what was acknowledged.
#include "model.h"

#include "support/plugin_loader.h"
#include "support/test_util.h"

#include <unistd.h>

#include <cstdarg>
#include <fstream>
#include <functional>

namespace gantry::test::crash {

namespace {

class Verifier {
 public:
  Verifier(StoreInstance &store, const Expected &expected) : store_(store), expected_(expected) {}

  bool run() {
    if (!store_.sink_faults().empty()) return wrong("recovery: %s", store_.sink_faults().c_str());
    for (const auto &[name, places] : expected_.queues) {
      if (!places.empty() && !store_.recovered_queues().contains(name)) return wrong("queue %s/%u is gone", name.first.c_str(), name.second);
    }
    for (const auto &[name, queue] : store_.recovered_queues()) {
      if (!check_queue(name, queue)) return false;
    }
    if (!check_keys()) return false;
    if (store_.stats().bad_records_total != 0) return wrong("%lu bad records counted", store_.stats().bad_records_total);
    return check_rows();
  }

  bool save(const std::string &path) const {
    std::ofstream out(path, std::ios::binary | std::ios::trunc);
    for (const auto &[name, places] : found_) {
      out << "queue " << name.second << ' ' << places.size() << ' ' << name.first << '\n';
      for (const Place &place : places) out << place.serial << ' ' << place.phys_pos << '\n';
    }
    for (const auto &[key, value] : store_.recovered_meta()) out << "row " << key << ' ' << value << '\n';
    out.flush();
    return static_cast<bool>(out);
  }

 private:
  [[gnu::format(printf, 2, 3)]] bool wrong(const char *format, ...) {
    std::va_list args;
    va_start(args, format);
    std::fprintf(stderr, "store-crash: after round %lu: ", expected_.round);
    std::vfprintf(stderr, format, args);
    std::fputc('\n', stderr);
    va_end(args);
    return false;
  }

  bool check_queue(const QueueName &name, const RecoveredQueue &queue) {
    const auto known = expected_.queues.find(name);
    const std::vector<Place> none, &places = known != expected_.queues.end() ? known->second : none;
    const gantry_queue_stat &stat = queue.stat;
    const auto wanted = static_cast<std::int64_t>(places.size());
    if (stat.min_off != 0 || stat.max_off < wanted || stat.appended_off != stat.max_off) {
      return wrong("queue %s/%u: min %ld, max %ld, appended %ld; acknowledged up to %ld", name.first.c_str(), name.second, stat.min_off,
                   stat.max_off, stat.appended_off, wanted);
    }
    auto &found = found_[name];
    for (std::int64_t at = 0; at < stat.max_off;) {
      const ReadResult got = store_.read(queue.queue, at, 1024);
      if (got->n == 0) return wrong("queue %s/%u: nothing at offset %ld of %ld, stop %u", name.first.c_str(), name.second, at, stat.max_off, got->stop);
      for (std::size_t i = 0; i < got->n; ++i, ++at) {
        if (!check_record(name, at, got->records[i], places)) return false;
        const std::uint64_t serial = serial_in(view(got->records[i]));
        if (!found.empty() && found.back().serial >= serial) return wrong("queue %s/%u: order turned at offset %ld", name.first.c_str(), name.second, at);
        found.push_back({serial, got->records[i].phys_pos});
      }
    }
    return true;
  }

  // A look-up by key finds what the queues have, no more and no less, newest first. Another eighth of the keys after each round.
  bool check_keys() {
    std::map<std::uint64_t, std::map<std::int64_t, std::uint64_t, std::greater<>>> wanted;  // key, then position: serial
    for (const auto &[name, places] : found_) {
      for (const Place &place : places) {
        if (place.serial % kKeys % 8 == expected_.round % 8) wanted[place.serial % kKeys].emplace(place.phys_pos, place.serial);
      }
    }
    for (const auto &[key, records] : wanted) {
      auto next = records.begin();
      for (std::int64_t before = INT64_MAX; before >= 0;) {
        const ReadResult got = store_.query_key(key, 100, before);
        for (const gantry_record &record : got.records()) {
          if (next == records.end()) return wrong("key %lu: a record at %ld that no queue has", key, record.phys_pos);
          const bool same = record.phys_pos == next->first && serial_in(view(record)) == next->second;
          if (!same) return wrong("key %lu: record at %ld instead of %lu at %ld", key, record.phys_pos, next->second, next->first);
          ++next;
        }
        before = got->next_off;
      }
      if (next != records.end()) return wrong("key %lu: record %lu at %ld is not found", key, next->second, next->first);
      const ReadResult own = store_.query_key(record_of(records.begin()->second).key_hashes[1]);
      if (own->n != 1 || own->records[0].phys_pos != records.begin()->first) return wrong("record %lu is not found by its own key", records.begin()->second);
    }
    return true;
  }

  static std::string_view view(const gantry_record &record) { return {reinterpret_cast<const char *>(record.bytes.p), record.bytes.n}; }

  bool check_record(const QueueName &name, std::int64_t offset, const gantry_record &record, const std::vector<Place> &places) {
    const std::string place = name.first + "/" + std::to_string(name.second) + " offset " + std::to_string(offset);
    const std::uint64_t serial = serial_in(view(record));
    if (serial == kNone || serial / kPerRound > expected_.round) return wrong("%s: not a record of this test", place.c_str());
    if (record.queue_off != offset) return wrong("%s: answered as offset %ld", place.c_str(), record.queue_off);
    const RecordSpec spec = record_of(serial);
    const auto names = queues_of_round(serial / kPerRound);
    std::size_t link = 0;
    while (link < spec.queues.size() && names[spec.queues[link]] != name) ++link;
    if (link == spec.queues.size()) return wrong("%s: record %lu belongs to other queues", place.c_str(), serial);
    if (record.tag != spec.tags[link]) return wrong("%s: record %lu has tag %ld", place.c_str(), serial, record.tag);
    // The fix-up holds link 0's offset, which is another queue's for link 1.
    const auto *first_off = record.bytes.p + kFixQueueOff;
    const std::int64_t fixed = link == 0 ? offset : static_cast<std::int64_t>(load_first(first_off));
    if (view(record) != with_fixes(spec.bytes, fixed, record.phys_pos, spec.store_ms)) return wrong("%s: record %lu differs", place.c_str(), serial);
    if (static_cast<std::size_t>(offset) < places.size() && places[static_cast<std::size_t>(offset)].serial != kNone) {
      const Place &known = places[static_cast<std::size_t>(offset)];
      if (known.serial != serial || known.phys_pos != record.phys_pos) {
        return wrong("%s: record %lu at %ld, but %lu at %ld was acknowledged", place.c_str(), serial, record.phys_pos, known.serial, known.phys_pos);
      }
    }
    if (serial % 16 == 0) {
      std::int32_t status = GANTRY_OK;
      const ReadResult again = store_.read_at(record.phys_pos, &status);
      if (!again || again->n != 1 || again.bytes(0) != view(record)) return wrong("%s: read_at(%ld) gives status %d", place.c_str(), record.phys_pos, status);
    }
    return true;
  }

  static std::uint64_t load_first(const std::uint8_t *p) {
    std::uint64_t v = 0;
    for (int i = 0; i < 8; ++i) v = v << 8 | p[i];
    return v;
  }

  // The rows must be those of a prefix of the calls, at least up to the last acknowledged one.
  bool check_rows() {
    const Rows &found = store_.recovered_meta();
    Rows rows = expected_.rows;
    const auto last = found.find("last");
    const std::uint64_t base = expected_.round * kPerRound;
    const std::uint64_t reached = last != found.end() ? std::stoull(last->second) : 0;
    if (expected_.last_meta != kNone && (last == found.end() || reached < expected_.last_meta)) {
      return wrong("meta rows reach %lu, acknowledged was %lu", reached, expected_.last_meta);
    }
    for (std::uint64_t serial = base; last != found.end() && serial <= reached; ++serial) apply_meta(meta_of(serial), rows);
    if (rows == found) return true;
    for (const auto &[key, value] : rows) {
      const auto at = found.find(key);
      if (at == found.end() || at->second != value) {
        return wrong("meta row %s is %s, should be %s (rows up to call %lu)", key.c_str(), at == found.end() ? "missing" : at->second.c_str(),
                     value.c_str(), reached);
      }
    }
    return wrong("%zu meta rows, should be %zu", found.size(), rows.size());
  }

  StoreInstance &store_;
  const Expected &expected_;
  std::map<QueueName, std::vector<Place>> found_;
};

}  // namespace

bool verify(const Options &options, const std::string &dir, const Expected &expected, const std::string &found_path, bool stop_cleanly) {
  FakeHost host;
  host.start_wall_at(kTestWallMs + static_cast<std::int64_t>(expected.round * kPerRound / 16));
  StoreInstance store(host, component_of(load_plugin(options.plugin), GANTRY_STORE_ID), options.config);
  bool ok = store.open(dir, options.level) == GANTRY_OK;
  if (!ok) std::fprintf(stderr, "store-crash: after round %lu: open failed: %s\n", expected.round, store.error().text);
  if (ok) {
    Verifier verifier(store, expected);
    ok = verifier.run() && verifier.save(found_path);
  }
  if (!ok) {
    for (const std::string &line : host.log_lines()) std::fprintf(stderr, "  store's log: %s\n", line.c_str());
  }
  if (!stop_cleanly) ::_exit(ok ? 0 : 1);
  store.destroy();
  return ok;
}

bool load_found(const std::string &found_path, Expected &expected) {
  std::ifstream in(found_path, std::ios::binary);
  std::string word;
  expected.queues.clear();
  expected.rows.clear();
  while (in >> word) {
    if (word == "row") {
      std::string key, value;
      in >> key >> value;
      expected.rows[key] = value;
      continue;
    }
    QueueName name;
    std::size_t count = 0;
    in >> name.second >> count >> name.first;
    auto &places = expected.queues[name];
    places.resize(count);
    for (Place &place : places) in >> place.serial >> place.phys_pos;
  }
  return in.eof();
}

}  // namespace gantry::test::crash
