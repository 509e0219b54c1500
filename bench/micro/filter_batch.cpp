// gantry-micro-filter [ROUNDS [MIB [CASE]]]: what filtering costs for one message, beside the same predicate written by hand. CASE: that one alone; then
// the comparisons at the end are left out. Fewer MIB make it quick enough to count instructions under callgrind.
//
// Reads of 32 records each (128 bytes of body, the properties that a Java producer sends and three of its own) out of 64 MiB, so that most of them
// come from memory, those of one queue 16 records apart, as they do in a broker. Every tenth matches all terms.
#include "kernel/broker/filter/select.hpp"
#include "kernel/broker/record/record.hpp"
#include "compiler.hpp"
#include "counter.hpp"

#include <gantry++/result.hpp>
#include <gantry++/str.hpp>

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace gantry;
using namespace gantry::broker;

constexpr std::uint32_t kBatch = 32;
constexpr std::uint32_t kQueues = 16;

// ---- filters: the plugin's evaluation, and two that stand for a plugin which does next to nothing

struct Compiled {
  std::unique_ptr<sql92::Program> sql;
  bool equals = false;  // a plugin that compares one property with the text 3, and nothing more
};

gantry_str expression_types(void *) noexcept { return str("SQL92 COLUMNS EQUALS"); }

std::int32_t compile(void *, gantry_str type, gantry_str text, gantry_filter_program *out, gantry_error *) noexcept {
  sql92::Problem problem;
  auto *made = new Compiled{sql92::compile(view(text), &problem), view(type) == "EQUALS"};
  GANTRY_ASSERT(made->sql != nullptr);
  *out = {};
  out->size = sizeof *out;
  out->program = made;
  out->columns = made->sql->columns.data();
  out->n_columns = static_cast<std::uint32_t>(made->sql->columns.size());
  out->cost = made->sql->steps();
  // The columns are the same, and nothing is evaluated.
  if (view(type) == "COLUMNS") made->sql->ops.clear();
  return GANTRY_OK;
}

void program_release(void *, void *program) noexcept { delete static_cast<Compiled *>(program); }

std::int32_t eval(void *, void *program, std::uint32_t, const gantry_filter_batch *batch, std::uint64_t *match, std::uint64_t *error) noexcept {
  const Compiled &compiled = *static_cast<Compiled *>(program);
  if (compiled.equals) {
    for (std::uint32_t i = 0; i < batch->n; ++i) *match |= static_cast<std::uint64_t>(view(batch->cols[0][i]) == "3") << i;
    return GANTRY_OK;
  }
  const sql92::Program &sql = *compiled.sql;
  if (sql.ops.empty()) {
    for (std::uint32_t i = 0; i < batch->n; ++i) *match |= static_cast<std::uint64_t>(batch->cols[0][i].n != 0) << i;
    return GANTRY_OK;
  }
  const sql92::Planes planes = sql92::evaluate(sql, batch->cols, batch->n);
  *match = planes.yes;
  *error = planes.error;
  return GANTRY_OK;
}

constexpr gantry_filter_v1 kTable = {expression_types, compile, program_release, eval};

// ---- messages

struct Messages {
  std::vector<std::uint8_t> bytes;
  std::vector<gantry_record> records;
};

// One queue behind the other.
std::vector<gantry_record> by_queue(const std::vector<gantry_record> &in_log) {
  std::vector<gantry_record> out;
  for (std::uint32_t queue = 0; queue < kQueues; ++queue)
    for (std::size_t i = queue; i < in_log.size(); i += kQueues) out.push_back(in_log[i]);
  return out;
}

Messages make_messages(std::size_t memory_bytes) {
  Messages out;
  out.bytes.reserve(memory_bytes);
  for (std::uint32_t i = 0;; ++i) {
    const std::string properties = "UNIQ_KEY\1" "7F00000100002A139A5B12CD0000" + std::to_string(1000 + i % 9000) + "\2WAIT\1true\2TAGS\1TagA\2n\1" + std::to_string(i / kQueues % 10) + "\2color\1red\2price\1" "12.5\2";
    const std::string body(128, 'b'), topic = "Bench_pull_sql_128";
    RecordHeader header{};
    header.body_bytes = static_cast<std::uint32_t>(body.size());
    header.total_bytes = static_cast<std::uint32_t>(kFixedBytesIpv4 + body.size() + 1 + topic.size() + 2 + properties.size());
    if (out.bytes.size() + header.total_bytes > memory_bytes) break;
    const std::size_t at = out.bytes.size();
    out.bytes.resize(at + header.total_bytes);
    std::uint8_t *p = out.bytes.data() + at;
    p += encode_header(header, p).bytes;
    const auto put = [&p](std::string_view s) { p = std::copy(s.begin(), s.end(), p); };
    put(body);
    *p++ = static_cast<std::uint8_t>(topic.size());
    put(topic);
    *p++ = static_cast<std::uint8_t>(properties.size() >> 8);
    *p++ = static_cast<std::uint8_t>(properties.size());
    put(properties);
    out.records.push_back({{out.bytes.data() + at, header.total_bytes, 0, nullptr}, i, static_cast<std::int64_t>(at), 0, 0});
  }
  out.records = by_queue(out.records);
  return out;
}

// ---- measuring

std::string_view wanted_case;

// ns per message in the best of the rounds, which others on the machine disturb least; 0 when the case is not wanted.
template <typename Fn>
double measure(const char *what, std::size_t messages, int rounds, Fn fn) {
  if (!wanted_case.empty() && what != wanted_case) return 0;
  const gantry::bench::InstructionCounter counter;
  const auto begin_instructions = counter.read();
  std::size_t matched = 0;
  double best = 0;
  for (int i = 0; i < rounds; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    matched += fn();
    const double ns = std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - begin).count() / static_cast<double>(messages);
    best = i == 0 ? ns : std::min(best, ns);
  }
  const double n = static_cast<double>(messages) * rounds;
  const auto end_instructions = counter.read();
  std::printf("%-42s %7.1f ns/message", what, best);
  if (end_instructions && begin_instructions) std::printf(" %7.1f instructions", static_cast<double>(*end_instructions - *begin_instructions) / n);
  std::printf("  %.1f%% match\n", 100.0 * static_cast<double>(matched) / n);
  return best;
}

std::size_t selected(const FilterProgram &program, const Messages &messages) {
  static Selected out;
  std::size_t matched = 0;
  gantry_read_result read{};
  for (std::size_t at = 0; at + kBatch <= messages.records.size(); at += kBatch) {
    read.records = messages.records.data() + at;
    read.n = kBatch;
    select(program, 0, read, kBatch, UINT32_MAX, &out);
    matched += out.records.size();
  }
  return matched;
}

// One property compared with one text, as one would write it for this property alone.
bool matches_one(std::string_view props) {
  while (!props.empty()) {
    const std::size_t end = std::min(props.find('\2'), props.size());
    if (props.starts_with("n\1")) return props.substr(2, end - 2) == "3";
    props.remove_prefix(std::min(end + 1, props.size()));
  }
  return false;
}

// Columns of one batch after the other, ready before anything is measured.
struct ReadyColumns {
  std::vector<gantry_str> values;  // of property n
  explicit ReadyColumns(const Messages &messages) {
    for (const gantry_record &record : messages.records) {
      MessageParts parts;
      GANTRY_ASSERT(find_parts(view(record.bytes), &parts));
      const std::size_t at = ("\2" + std::string(parts.props)).find("\2n\1");
      values.push_back(str(parts.props.substr(at + 2, parts.props.find('\2', at + 2) - at - 2)));
    }
  }
};

// The predicate as one would write it for these properties alone.
bool matches(std::string_view props) {
  bool n = false, red = false, price = false;
  while (!props.empty()) {
    const std::size_t end = std::min(props.find('\2'), props.size());
    const std::string_view entry = props.substr(0, end);
    props.remove_prefix(std::min(end + 1, props.size()));
    if (entry.starts_with("n\1")) n = entry.substr(2) == "3";
    if (entry.starts_with("color\1")) red = entry.substr(6) == "red";
    if (entry.starts_with("price\1")) {
      const double value = std::strtod(entry.data() + 6, nullptr);
      price = value >= 10.0 && value <= 20.5;
    }
  }
  return n && red && price;
}

}  // namespace

int main(int argc, char **argv) {
  const int rounds = argc > 1 ? std::max(1, std::atoi(argv[1])) : 20;
  const Messages messages = make_messages(static_cast<std::size_t>(argc > 2 ? std::max(1, std::atoi(argv[2])) : 64) << 20);
  if (argc > 3) wanted_case = argv[3];
  const std::size_t n = messages.records.size() / kBatch * kBatch;
  std::printf("%zu messages in batches of %u\n", n, kBatch);
  std::size_t touched = 0;
  measure("reading a byte of each", n, rounds, [&] {
    for (const gantry_record &record : messages.records) touched += record.bytes.p[record.bytes.n / 2] == 'b' ? 1 : 0;
    return std::size_t{0};
  });
  measure("the predicate written by hand", n, rounds, [&] {
    std::size_t matched = 0;
    for (std::size_t i = 0; i < n; ++i) {
      MessageParts parts;
      if (find_parts(view(messages.records[i].bytes), &parts) && matches(parts.props)) ++matched;
    }
    return matched;
  });
  const double one_by_hand = measure("one property compared by hand", n, rounds, [&] {
    std::size_t matched = 0;
    for (std::size_t i = 0; i < n; ++i) {
      MessageParts parts;
      if (find_parts(view(messages.records[i].bytes), &parts) && matches_one(parts.props)) ++matched;
    }
    return matched;
  });
  Filters filters;
  if (!filters.add("micro", &kTable, nullptr)) return 2;
  double one_by_plugin = 0, ready_by_hand = 0, ready_by_plugin = 0, three_terms = 0;
  {
    const auto program = [&](const char *type, const char *text) { return filters.compile(type, text, nullptr).program; };
    const auto is_three = program("EQUALS", "n = '3'");
    one_by_plugin = measure("one property compared by a plugin", n, rounds, [&] { return selected(*is_three, messages); });
    const ReadyColumns ready(messages);
    ready_by_hand = measure("columns ready, compared by hand", n, rounds, [&] {
      std::size_t matched = 0;
      for (std::size_t i = 0; i < n; ++i) matched += view(ready.values[i]) == "3" ? 1 : 0;
      return matched;
    });
    ready_by_plugin = measure("columns ready, compared by a plugin", n, rounds, [&] {
      std::size_t matched = 0;
      for (std::size_t at = 0; at + kBatch <= n; at += kBatch) {
        const gantry_str *const columns[] = {ready.values.data() + at};
        gantry_filter_batch batch{};
        batch.size = sizeof batch;
        batch.n = kBatch;
        batch.n_columns = 1;
        batch.cols = columns;
        matched += static_cast<std::size_t>(std::popcount(is_three->eval(0, batch).match));
      }
      return matched;
    });
    const auto one = program("COLUMNS", "n = 3"), three = program("COLUMNS", "n = 3 AND color = 'red' AND price BETWEEN 10.0 AND 20.5");
    const auto sql_one = program("SQL92", "n = 3"), sql_three = program("SQL92", "n = 3 AND color = 'red' AND price BETWEEN 10.0 AND 20.5");
    const auto sql_late = program("SQL92", "price BETWEEN 10.0 AND 20.5 AND color = 'red' AND n = 3");
    measure("one column, nothing evaluated", n, rounds, [&] { return selected(*one, messages); });
    measure("three columns, nothing evaluated", n, rounds, [&] { return selected(*three, messages); });
    measure("SQL92, one term", n, rounds, [&] { return selected(*sql_one, messages); });
    three_terms = measure("SQL92, three terms", n, rounds, [&] { return selected(*sql_three, messages); });
    measure("SQL92, three terms, the deciding one last", n, rounds, [&] { return selected(*sql_late, messages); });
  }
  filters.close();
  if (!wanted_case.empty()) return 0;
  std::printf("\noverhead of a plugin, batches of %u, against the same predicate inlined:\n", kBatch);
  std::printf("  with taking the property out of the message  %6.1f ns/message (bar: 50)\n", one_by_plugin - one_by_hand);
  std::printf("  with columns ready                           %6.1f ns/message (bar: 10)\n", ready_by_plugin - ready_by_hand);
  std::printf("  SQL92, three terms, all of it                %6.1f ns/message (bar: 100)\n", three_terms);
  return touched == 0 ? 1 : 0;
}
