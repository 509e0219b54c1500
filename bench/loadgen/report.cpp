#include "loadgen/report.hpp"

#include <cstdio>
#include <ostream>

namespace gantry::bench {

namespace {

constexpr std::uint64_t kOneMillisecond_ns = 1'000'000;

struct Quantile {
  const char *name;
  double value;
};
constexpr Quantile kQuantiles[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p99_9", 0.999}};

double rate_of(double amount, double elapsed_s) { return elapsed_s > 0 ? amount / elapsed_s : 0; }

double share_below_1ms(const Histogram &latency) {
  if (latency.total() == 0) return 0;
  return static_cast<double>(latency.count_below(kOneMillisecond_ns)) / static_cast<double>(latency.total());
}

double core_share(const Tally &tally) { return rate_of(static_cast<double>(tally.cpu_us) / 1e6, tally.elapsed_s()); }

void print_escaped(std::ostream &out, const std::string &text) {
  out << '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') out << '\\';
    out << (static_cast<unsigned char>(c) < 0x20 ? ' ' : c);
  }
  out << '"';
}

/// What was asked for, in a few words: "send 1024 B, 4x32" or "pull 32, 4x4".
std::string title_of(const Options &options) {
  std::string text = options.mode == Mode::kSend ? "send " + std::to_string(options.size) + " B, "
                                                 : "pull " + std::to_string(options.batch) + ", ";
  if (options.rate > 0) {
    char rate[64];
    std::snprintf(rate, sizeof rate, "%g/s over %u", options.rate, options.connections);
    return text + rate;
  }
  return text + std::to_string(options.connections) + "x" + std::to_string(options.depth);
}

}  // namespace

void print_text(std::ostream &out, const Options &options, const Tally &tally) {
  char line[512];
  const double elapsed_s = tally.elapsed_s();
  const auto micros = [&tally](double quantile) { return static_cast<double>(tally.latency.at_ns(quantile)) / 1e3; };
  std::snprintf(line, sizeof line,
                "%s %s: %llu messages in %.3f s = %.0f msg/s, %.1f MB/s; latency us p50 %.0f p90 %.0f p99 %.0f "
                "p99.9 %.0f max %.0f; %llu errors, %llu unanswered; generator %.0f%% of a core",
                title_of(options).c_str(), name_of(options.header),
                static_cast<unsigned long long>(tally.messages), elapsed_s,
                rate_of(static_cast<double>(tally.messages), elapsed_s),
                rate_of(static_cast<double>(tally.body_bytes) / 1e6, elapsed_s), micros(0.5), micros(0.9),
                micros(0.99), micros(0.999), static_cast<double>(tally.latency.max_ns()) / 1e3,
                static_cast<unsigned long long>(tally.errors()), static_cast<unsigned long long>(tally.unanswered),
                100 * core_share(tally));
  out << line << '\n';
  if (tally.unsent != 0) out << "  " << tally.unsent << " messages were due and could not be sent\n";
  if (tally.misplaced != 0) out << "  " << tally.misplaced << " pulled messages were not the next of their queue\n";
  if (tally.messages == 0 && tally.empty != 0) out << "  the topic holds no messages\n";
  for (const auto &[code, refusal] : tally.refusals) {
    out << "  code " << code << ": " << refusal.count << " times";
    if (!refusal.first_remark.empty()) out << ", first: " << refusal.first_remark;
    out << '\n';
  }
}

void print_json(std::ostream &out, const Options &options, const Tally &tally) {
  out.precision(10);
  const double elapsed_s = tally.elapsed_s();
  out << "{\"mode\":\"" << (options.mode == Mode::kSend ? "send" : "pull") << "\",\"title\":\"" << title_of(options)
      << "\",\"header\":\"" << name_of(options.header) << "\",\"clean\":" << (tally.clean() ? "true" : "false")
      << ",\"requests\":" << tally.requests << ",\"messages\":" << tally.messages
      << ",\"body_bytes\":" << tally.body_bytes << ",\"empty\":" << tally.empty << ",\"errors\":" << tally.errors()
      << ",\"unanswered\":" << tally.unanswered << ",\"unsent\":" << tally.unsent
      << ",\"misplaced\":" << tally.misplaced << ",\"elapsed_s\":" << elapsed_s
      << ",\"messages_per_s\":" << rate_of(static_cast<double>(tally.messages), elapsed_s)
      << ",\"body_bytes_per_s\":" << rate_of(static_cast<double>(tally.body_bytes), elapsed_s)
      << ",\"generator_cpu_us\":" << tally.cpu_us << ",\"generator_core_share\":" << core_share(tally)
      << ",\"latency_us\":{";
  for (const Quantile &quantile : kQuantiles) {
    out << '"' << quantile.name << "\":" << static_cast<double>(tally.latency.at_ns(quantile.value)) / 1e3 << ',';
  }
  out << "\"max\":" << static_cast<double>(tally.latency.max_ns()) / 1e3 << "},\"share_below_1ms\":"
      << share_below_1ms(tally.latency) << ",\"codes\":{";
  bool first = true;
  for (const auto &[code, refusal] : tally.refusals) {
    out << (first ? "" : ",") << '"' << code << "\":{\"count\":" << refusal.count << ",\"remark\":";
    print_escaped(out, refusal.first_remark);
    out << '}';
    first = false;
  }
  out << '}';
  if (options.histogram) {
    out << ",\"histogram_ns\":[";
    first = true;
    tally.latency.for_each([&](std::uint64_t upper_ns, std::uint64_t count) {
      out << (first ? "" : ",") << '[' << upper_ns << ',' << count << ']';
      first = false;
    });
    out << ']';
  }
  out << "}\n";
}

}  // namespace gantry::bench
