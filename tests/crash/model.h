// What the crash test writes, as a function of serial numbers, so that writer and verifier agree without talking.
#pragma once

#include "support/store_records.h"

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace gantry::test::crash {

using Rows = std::map<std::string, std::string>;
using QueueName = std::pair<std::string, std::uint32_t>;

// Serials of a round are round * kPerRound ...; never used again in a later round.
constexpr std::uint64_t kPerRound = 1000000;
constexpr std::uint64_t kKeys = 64;
constexpr std::uint64_t kNone = ~std::uint64_t{0};

// Queues that records of this round go to: some common to all rounds, one of its own.
[[nodiscard]] std::vector<QueueName> queues_of_round(std::uint64_t round);

// The record of a serial: 1 or 2 queues of its round, content by the serial alone.
struct RecordSpec {
  std::vector<std::size_t> queues;  // indexes into queues_of_round
  std::vector<std::int64_t> tags;
  std::string bytes;  // fix-ups not applied
  std::int64_t store_ms = 0;
  std::vector<std::uint64_t> key_hashes;  // one that the records of kKeys share by turns, one of its own
};
[[nodiscard]] RecordSpec record_of(std::uint64_t serial);
// An earlier record of the same round whose body this one repeats from kOwnBodyBytes on, so that it may be stored with a reference; kNone: none.
constexpr std::size_t kOwnBodyBytes = 8;  // the serial
[[nodiscard]] std::uint64_t body_source(std::uint64_t serial);
// The serial that a stored record claims; kNone when it is too short to carry one.
[[nodiscard]] std::uint64_t serial_in(std::string_view record);

// The meta ops of one call: a pair of rows put or deleted together, and the row "last" = serial.
struct MetaOp {
  std::uint32_t op = 0;
  std::string key, value;
};
[[nodiscard]] std::vector<MetaOp> meta_of(std::uint64_t serial);
void apply_meta(const std::vector<MetaOp> &ops, Rows &rows);

// One acknowledgement on the pipe from the writer; fixed size, so a torn last one is told by its length.
struct Ack {
  enum Kind : std::uint64_t { kRecord = 1, kMeta = 2, kFault = 3 };
  std::uint64_t kind = 0, serial = 0;
  std::uint64_t refers = 0;       // kRecord: 1 when it was stored with a reference
  std::int64_t phys_pos = 0;
  std::int64_t offsets[2] = {-1, -1};  // kFault: offsets[0] is the code
};

// A record at its place in a queue.
struct Place {
  std::uint64_t serial = kNone;  // kNone: nothing known of this offset
  std::int64_t phys_pos = 0;
};

// All that must be found: everything acknowledged, and everything that an earlier reopening already showed.
struct Expected {
  std::map<QueueName, std::vector<Place>> queues;  // index = queue offset
  Rows rows;                                       // before the last round
  std::uint64_t round = 0;                         // the last round
  std::uint64_t last_meta = kNone;                 // highest meta serial acknowledged in it
  std::uint64_t acknowledged = 0, referring = 0;   // records, in all
};

struct Options {
  std::string plugin;
  ConfigTexts config;
  std::uint32_t level = GANTRY_DURABILITY_WRITTEN;
  std::uint64_t rounds = 25, seed = 0;
  bool bases = false;        // records that may be stored with a reference are
  bool expect_loss = false;  // the other way round: success is that a loss was noticed
};

// Opens the store and appends without end, each acknowledgement into fd. Ends the process only on a fault.
[[noreturn]] void run_writer(const Options &options, const std::string &dir, std::uint64_t round, int fd);
// Opens the store and compares; on success writes what it found into found_path. Explains a difference on stderr.
[[nodiscard]] bool verify(const Options &options, const std::string &dir, const Expected &expected, const std::string &found_path,
                          bool stop_cleanly);
// What verify wrote: replaces queues and rows of `expected`.
[[nodiscard]] bool load_found(const std::string &found_path, Expected &expected);
[[nodiscard]] int run_parent(const Options &options);

}  // namespace gantry::test::crash
