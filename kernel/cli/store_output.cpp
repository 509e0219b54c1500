#include "kernel/cli/store_output.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <cstdio>
#include <utility>

namespace gantry::cli {

namespace {

constexpr int kBarWidth = 30;
constexpr const char *kSeverities[] = {"note", "damaged", "LOST"};

std::string_view text(const gantry_str &s) { return s.n == 0 ? std::string_view() : std::string_view(s.p, s.n); }

std::string hex(std::string_view bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    out += {kDigits[byte >> 4], kDigits[byte & 15]};
  }
  return out;
}

std::string hash_text(std::uint64_t hash) {
  char out[17];
  std::snprintf(out, sizeof out, "%016llx", static_cast<unsigned long long>(hash));
  return out;
}

const char *kind_of(std::uint32_t kind) { return kind == GANTRY_DUMP_RECORDS ? "record" : kind == GANTRY_DUMP_ENTRIES ? "entry" : "row"; }

void put_line(const boost::json::object &object) { std::printf("%s\n", boost::json::serialize(object).c_str()); }

}  // namespace

std::string escaped(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) {
    if (c >= ' ' && c <= '~' && c != '\\') {
      out += c;
    } else {
      out += "\\x" + hex({&c, 1});
    }
  }
  return out;
}

void StoreOutput::finding(const gantry_store_finding &f) {
  ++findings_;
  const std::uint32_t severity = std::min<std::uint32_t>(f.severity, GANTRY_FINDING_LOST);
  if (json_) {
    boost::json::object out{{"type", "finding"}, {"severity", severity == GANTRY_FINDING_LOST ? "lost" : kSeverities[severity]}, {"file", text(f.file)}};
    if (f.position >= 0) out["position"] = f.position;
    if (f.bytes > 0) out["bytes"] = f.bytes;
    if (f.topic.n > 0) out["topic"] = text(f.topic);
    if (f.queue_no >= 0) out["queue"] = f.queue_no;
    if (f.begin_off >= 0) {
      out["begin_offset"] = f.begin_off;
      out["end_offset"] = f.end_off;
    }
    out["text"] = text(f.text);
    out["repair"] = text(f.remedy);
    return put_line(out);
  }
  clear_bar();
  std::string where(text(f.file));
  if (f.position >= 0) where += " at byte " + std::to_string(f.position);
  std::string what;
  if (f.topic.n > 0) what = "topic " + escaped(text(f.topic)) + " queue " + std::to_string(f.queue_no) + " ";
  if (f.begin_off >= 0) what += f.end_off == f.begin_off + 1 ? "offset " + std::to_string(f.begin_off) : "offsets " + std::to_string(f.begin_off) + " to " + std::to_string(f.end_off - 1);
  if (!what.empty()) what += what.back() == ' ' ? "" : " ";
  std::printf("%-7s %s: %s%s%.*s\n        repair: %.*s\n", kSeverities[severity], where.c_str(), what.c_str(), what.empty() ? "" : "- ", static_cast<int>(f.text.n), f.text.p,
              static_cast<int>(f.remedy.n), f.remedy.p);
}

void StoreOutput::item(const gantry_store_item &i) {
  if (json_) {
    boost::json::object out{{"type", kind_of(i.kind)}};
    if (i.kind == GANTRY_DUMP_ROWS) {
      out["key"] = escaped(text(i.key));
      out["value_hex"] = hex(text(i.value));
      return put_line(out);
    }
    if (i.topic.n > 0) out["topic"] = text(i.topic);
    if (i.queue_no >= 0) out["queue"] = i.queue_no;
    out["offset"] = i.offset;
    out["log_position"] = i.position;
    out["bytes"] = i.bytes;
    out["store_ms"] = i.store_ms;
    out["tag"] = i.tag;
    boost::json::array keys;
    for (std::uint32_t k = 0; k < i.n_keys; ++k) keys.emplace_back(hash_text(i.key_hashes[k]));
    if (!keys.empty()) out["key_hashes"] = keys;
    out["good"] = (i.flags & GANTRY_ITEM_BAD) == 0;
    out["refers"] = (i.flags & GANTRY_ITEM_REFERS) != 0;
    out["queue_dropped"] = (i.flags & GANTRY_ITEM_DROPPED) != 0;
    return put_line(out);
  }
  clear_bar();
  if (i.kind == GANTRY_DUMP_ROWS) {
    std::printf("row    %s = %s\n", escaped(text(i.key)).c_str(), hex(text(i.value)).c_str());
    return;
  }
  std::string extra;
  for (std::uint32_t k = 0; k < i.n_keys; ++k) extra += " key " + hash_text(i.key_hashes[k]);
  if ((i.flags & GANTRY_ITEM_BAD) != 0) extra += " BAD";
  if ((i.flags & GANTRY_ITEM_REFERS) != 0) extra += " refers";
  if ((i.flags & GANTRY_ITEM_DROPPED) != 0) extra += " dropped";
  std::printf("%-6s %s/%lld %lld at %lld, %u bytes, stored %lld, tag %lld%s\n", kind_of(i.kind), i.topic.n > 0 ? escaped(text(i.topic)).c_str() : "?", static_cast<long long>(i.queue_no),
              static_cast<long long>(i.offset), static_cast<long long>(i.position), i.bytes, static_cast<long long>(i.store_ms), static_cast<long long>(i.tag), extra.c_str());
}

void StoreOutput::progress(std::string_view what, std::uint64_t done, std::uint64_t total) {
  if (!progress_ || total == 0) return;
  const int permille = static_cast<int>(static_cast<double>(std::min(done, total)) * 1000 / static_cast<double>(total));
  if (permille == permille_) return;
  permille_ = permille;
  const int full = permille * kBarWidth / 1000;
  const std::string bar = std::string(static_cast<std::size_t>(full), '#') + std::string(static_cast<std::size_t>(kBarWidth - full), '.');
  std::fprintf(stderr, "\r%.*s [%s] %3d.%d%% of %llu MiB, %llu finding(s) ", static_cast<int>(what.size()), what.data(), bar.c_str(), permille / 10, permille % 10,
               static_cast<unsigned long long>(total >> 20), static_cast<unsigned long long>(findings_));
  std::fflush(stderr);
  bar_shown_ = true;
}

void StoreOutput::clear_bar() {
  if (!std::exchange(bar_shown_, false)) return;
  std::fprintf(stderr, "\r%100s\r", "");
  std::fflush(stderr);
  permille_ = -1;
}

void StoreOutput::summary(std::string_view action, const gantry_store_tool_summary &s, bool applied, int exit_code) {
  clear_bar();
  if (json_) {
    return put_line({{"type", "summary"}, {"schema", 1}, {"action", action}, {"exit_code", exit_code}, {"files", s.files}, {"bytes", s.bytes}, {"records", s.records}, {"queues", s.queues},
                     {"rows", s.rows}, {"notes", s.notes}, {"damaged", s.damaged}, {"lost", s.lost}, {"records_lost", s.records_lost}, {"repaired", s.repaired}});
  }
  std::printf("%llu files, %llu MiB of log, %llu records, %llu queues, %llu rows: %llu damaged, %llu lost", static_cast<unsigned long long>(s.files),
              static_cast<unsigned long long>(s.bytes >> 20), static_cast<unsigned long long>(s.records), static_cast<unsigned long long>(s.queues), static_cast<unsigned long long>(s.rows),
              static_cast<unsigned long long>(s.damaged), static_cast<unsigned long long>(s.lost));
  if (s.records_lost > 0) std::printf(", %llu records with them", static_cast<unsigned long long>(s.records_lost));
  if (applied) std::printf("; %llu mended", static_cast<unsigned long long>(s.repaired));
  std::printf("\n");
  if (action == "repair" && !applied && s.damaged + s.lost > 0) std::printf("nothing was changed; --apply does what is said above\n");
}

}  // namespace gantry::cli
