// Records what a store does to its disk and opens every disk that a loss of power could have left behind on the way: everything acknowledged is there
// at its level's promise, nothing else is damaged, and a second open agrees with the first.
//
// GANTRY_ENUMERATE: states per trace; 0 = all of them. GANTRY_ENUMERATE_SEEDS: how many traces of each kind. GANTRY_ENUMERATE_OPENS: of how many disks the opening
// is cut off at each of its own moments; 0 = all of them.
#include "recorded_life.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <unordered_map>

namespace gantry::test {
namespace {

std::size_t number_from(const char *variable, std::size_t otherwise) {
  const char *text = std::getenv(variable);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

// A folder in memory where there is one: thousands of small disks are made.
class StateDir {
 public:
  StateDir() {
    char shared[] = "/dev/shm/gantry-state-XXXXXX";
    if (std::getenv("GANTRY_TEST_TMPDIR") == nullptr && ::mkdtemp(shared) != nullptr) {
      path_ = shared;
    } else {
      own_ = std::make_unique<TempDir>();
      path_ = own_->str();
    }
  }
  ~StateDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] const std::string &str() const { return path_; }

 private:
  std::string path_;
  std::unique_ptr<TempDir> own_;
};

const ConfigTexts kSmall{{"segment_size", "1 MiB"}, {"hot_cache", "4 MiB"},      {"read_cache", "1 MiB"}, {"readers", "1"},
                         {"recycle", "1"},          {"checkpoint_every", "1 MiB"}, {"retention", "0"},      {"retention_bytes", "3 MiB"}};
// Stores that look at what is left: nothing expires under their hands, nothing happens by the clock.
const ConfigTexts kQuiet{{"segment_size", "1 MiB"}, {"hot_cache", "4 MiB"},      {"read_cache", "1 MiB"}, {"readers", "1"},
                         {"recycle", "1"},          {"checkpoint_every", "1 GiB"}, {"retention", "0"},      {"flush_interval", "60s"}, {"direct", "off"}};

struct Candidate {
  CrashState state;
  std::size_t power_cut_end = 0;  // the last moment at which power could go and leave this disk
  std::size_t kill_end = 0;       // the same for a kill of the process alone; 0: none
  bool exact = false;             // no finished write is lost: nothing may look damaged
};

class CrashStates : public ::testing::Test {
 protected:
  // All different disks, oldest first.
  std::vector<Candidate> candidates(const Trace &trace, const CrashModel &model, std::size_t *examined) {
    std::vector<Candidate> out;
    std::unordered_map<std::uint64_t, std::size_t> known;
    const auto &events = trace.events();
    for (std::size_t end = trace.begin(); end <= events.size(); ++end) {
      // Only where the disk changes next: what was promised until then holds.
      if (end < events.size() && !events[end].changes_disk() && events[end].kind != EventKind::kSync && events[end].kind != EventKind::kSyncDir &&
          events[end].kind != EventKind::kLogDone) {
        continue;
      }
      model.states_at(end, [&](CrashState state) {
        ++*examined;
        bool exact = true, killed = true;
        for (const Fate &fate : state.fates) {
          const bool under_way = model.in_flight(fate.event, end);
          exact &= under_way || events[fate.event].kind != EventKind::kLogWrite;
          killed &= under_way;
        }
        const auto [at, fresh] = known.emplace(model.fingerprint(state), out.size());
        if (fresh) out.push_back({});
        Candidate &candidate = out[at->second];
        candidate.state = std::move(state);
        candidate.power_cut_end = end;
        if (killed) candidate.kill_end = end;
        candidate.exact = exact;
      });
    }
    return out;
  }

  // Those to look at: all, or about `most`, spread evenly; what is all there or all gone always.
  static std::vector<const Candidate *> chosen(const std::vector<Candidate> &all, const CrashModel &model, std::size_t most) {
    std::vector<const Candidate *> out, rest;
    for (const Candidate &one : all) {
      const bool all_lost = std::all_of(one.state.fates.begin(), one.state.fates.end(), [](const Fate &fate) { return fate.how == Fate::How::kLost; });
      const bool plain = most == 0 || one.state.fates.empty() || (all_lost && one.state.fates.size() == model.unsure(one.state.end).size());
      (plain ? out : rest).push_back(&one);
    }
    const std::size_t left = most > out.size() ? most - out.size() : most / 4;
    for (std::size_t i = 0; i < std::min(left, rest.size()); ++i) out.push_back(rest[i * rest.size() / std::min(left, rest.size())]);
    return out;
  }

  // What a disk has to hold to.
  struct Due {
    Promise promise;
    std::optional<Promise> of_a_kill;
    bool exact = false, nothing_to_cut = false;
  };
  static Due due_at(const Candidate &one, const Trace &trace, const Ledger &ledger) {
    Due due{ledger.promised(trace, one.power_cut_end, true), {}, one.exact, one.exact && one.state.fates.empty() && none_in_flight(trace, one)};
    if (one.kill_end > 0) due.of_a_kill = ledger.promised(trace, one.kill_end, false);
    return due;
  }

  // "" or what is wrong with the store that opens the disk in dir_. Continues it, kills it, and opens it once more.
  std::string look_at(const Due &due, const Ledger &ledger, std::uint64_t seed, bool orderly) {
    Ledger longer = ledger;
    auto disk = std::make_shared<TwinDisk>();
    LifeOptions options;
    options.config = kQuiet;
    options.seed = seed;
    RecordedLife life(dir_.str(), disk, options, longer);
    std::string why;
    if (const std::int32_t rc = life.open(); rc != GANTRY_OK) return std::string("it does not open: ") + life.store().error().text;
    const auto first = contents_of(life.store(), &why);
    if (!first) return why;
    why = ledger.check(*first, due.promise, due.exact);
    if (why.empty() && due.of_a_kill) why = ledger.check(*first, *due.of_a_kill, due.exact);
    if (why.empty() && due.nothing_to_cut && life.store().stats().recovered_bytes_cut > 0) why = "something was cut, and nothing was torn";
    if (!why.empty()) return why;
    if (why = references_are_marked(*first, ledger); !why.empty()) return why;
    const std::size_t before = longer.asked.size();
    if (!life.append_a_little() || !life.append_to_a_new_queue()) return "a record is refused after the open";
    const std::vector<Asked> fresh(longer.asked.begin() + static_cast<std::ptrdiff_t>(before), longer.asked.end());
    orderly ? life.close() : life.kill();

    if (const std::int32_t rc = life.open(); rc != GANTRY_OK) return std::string("it does not open again: ") + life.store().error().text;
    auto second = contents_of(life.store(), &why);
    if (!second) return "second open: " + why;
    if (due.exact && second->bad_records > 0) return "the second open finds damage";
    Contents expected = *first;
    for (const Asked &each : fresh) {
      if (each.what == Asked::What::kPut) expected.rows[each.key] = each.value;
      if (each.what == Asked::What::kDelete) expected.rows.erase(each.key);
      if (each.what != Asked::What::kRecord) continue;
      Contents::Queue &queue = expected.queues[each.queue];
      if (queue.records.empty() && queue.bad.empty()) queue.min_off = each.offset;
      queue.records[each.offset] = {each.phys_pos, each.expected(each.phys_pos)};
      queue.max_off = each.offset + 1;
    }
    why = difference(expected, *second);
    return why.empty() ? "" : "the second open does not agree with the first: " + why;
  }

  static bool none_in_flight(const Trace &trace, const Candidate &one) {
    std::int64_t open = 0;
    for (std::size_t i = 0; i < one.state.end; ++i) {
      open += trace.events()[i].kind == EventKind::kLogWrite ? 1 : trace.events()[i].kind == EventKind::kLogDone ? -1 : 0;
    }
    return open == 0;
  }

  // Where a record with a reference is, older builds must be kept away.
  std::string references_are_marked(const Contents &contents, const Ledger &ledger) const {
    for (const Asked &one : ledger.asked) {
      if (one.borrowed.empty()) continue;
      const auto queue = contents.queues.find(one.queue);
      if (queue == contents.queues.end() || !queue->second.records.contains(one.offset)) continue;
      if (std::filesystem::is_directory(dir_.str() + "/commitlog/00000000000000000002")) return "";
      return "there are records with references and no mark of their format";
    }
    return "";
  }

  void enumerate(const Trace &trace, const Ledger &ledger, std::size_t most) {
    const CrashModel model(trace);
    std::size_t examined = 0, faults = 0, exact = 0;
    const std::vector<Candidate> all = candidates(trace, model, &examined);
    const std::vector<const Candidate *> list = chosen(all, model, most);
    for (std::size_t i = 0; i < list.size() && faults < 3; ++i) {
      const Candidate &one = *list[i];
      exact += one.exact ? 1 : 0;
      model.materialise(one.state, dir_.str());
      const std::string why = look_at(due_at(one, trace, ledger), ledger, one.state.end + 1, i % 4 == 0);
      if (why.empty()) continue;
      ++faults;
      const std::string kept = keep(model, one.state);
      ADD_FAILURE() << why << "\nthe disk is kept in " << kept << "\n" << model.describe(one.state);
    }
    std::printf("  %zu events, %zu crashes, %zu different disks, %zu opened twice, %zu of them without a finished write lost\n", trace.events().size() - trace.begin(), examined,
                all.size(), list.size(), exact);
    EXPECT_GT(list.size(), 50u);
  }

  // Opens one disk, and all disks that a loss of power may leave behind while it is opened: what held before has to hold. Answers how many these were.
  std::size_t crash_while_it_opens(const Candidate &outer, const CrashModel &model, const Due &due, const Ledger &ledger) {
    model.materialise(outer.state, dir_.str());
    auto disk = std::make_shared<TwinDisk>();
    disk->claim_direct = true;
    disk->trace = std::make_shared<Trace>(dir_.str());
    disk->trace->begin_with_what_is_there();
    {
      Ledger longer = ledger;
      LifeOptions options;
      options.config = kQuiet;
      RecordedLife life(dir_.str(), disk, options, longer);
      if (life.open() != GANTRY_OK) {
        ADD_FAILURE() << "it does not open: " << life.store().error().text;
        return 0;
      }
      life.kill();
    }
    const CrashModel within(*disk->trace);
    std::size_t examined = 0;
    const std::vector<Candidate> all = candidates(*disk->trace, within, &examined);
    for (std::size_t i = 0; i < all.size(); ++i) {
      within.materialise(all[i].state, dir_.str());
      const Due now{due.promise, all[i].kill_end > 0 ? due.of_a_kill : std::nullopt, due.exact && all[i].exact, false};
      const std::string why = look_at(now, ledger, all[i].state.end + 1, i % 4 == 0);
      if (why.empty()) continue;
      ADD_FAILURE() << why << "\nthe disk is kept in " << keep(within, all[i].state) << "\nwhile this was opened: " << model.describe(outer.state) << "\n" << within.describe(all[i].state);
      break;
    }
    return all.size();
  }

  std::string keep(const CrashModel &model, const CrashState &state) const {
    static int number = 0;
    const std::string folder = std::filesystem::temp_directory_path().string() + "/gantry-crash-state-" + std::to_string(::getpid()) + "-" + std::to_string(++number);
    std::filesystem::create_directories(folder);
    model.materialise(state, folder);
    return folder;
  }

  StateDir dir_;
  std::size_t most_ = number_from("GANTRY_ENUMERATE", 700);
};

struct Kind {
  const char *name;
  bool written;       // levels mixed, else all durable
  const char *flush;  // flush_interval
};

class Recorded : public CrashStates, public ::testing::WithParamInterface<Kind> {
 protected:
  // Three lives on one disk: the first ends in order, the second by a kill.
  void record(std::uint64_t seed, std::shared_ptr<Trace> *trace, Ledger *ledger) {
    const TempDir folder;
    auto disk = std::make_shared<TwinDisk>();
    disk->claim_direct = true;
    disk->trace = *trace = std::make_shared<Trace>(folder.str());
    std::mt19937_64 random(seed);
    disk->put_off = [&random] { return random() % 2 == 0; };
    LifeOptions options;
    options.seed = seed;
    options.written = GetParam().written;
    options.config = kSmall;
    options.config["flush_interval"] = GetParam().flush;
    RecordedLife life(folder.str(), disk, options, *ledger);
    for (int lives = 0; lives < 3; ++lives) {
      ASSERT_EQ(life.open(), GANTRY_OK) << life.store().error().text;
      life.work();
      lives == 1 ? life.kill() : life.close();
    }
  }
};

TEST_P(Recorded, EveryDiskThatACrashMayLeaveHoldsToThePromises) {
  const std::size_t seeds = number_from("GANTRY_ENUMERATE_SEEDS", 1);
  for (std::uint64_t seed = 1; seed <= seeds && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::shared_ptr<Trace> trace;
    Ledger ledger;
    record(seed, &trace, &ledger);
    if (HasFatalFailure()) return;
    enumerate(*trace, ledger, most_);
  }
}

// Recovery writes, too: the end of the last block, a first frame, runs, names. It may be cut off anywhere, and begin again with what it left.
TEST_P(Recorded, ACrashWhileTheStoreOpensAfterACrashCostsNothingMore) {
  const std::size_t wanted = number_from("GANTRY_ENUMERATE_OPENS", 6);
  std::shared_ptr<Trace> trace;
  Ledger ledger;
  record(1, &trace, &ledger);
  if (HasFatalFailure()) return;
  const CrashModel model(*trace);
  std::size_t examined = 0, disks = 0, done = 0;
  const std::vector<Candidate> all = candidates(*trace, model, &examined);
  const std::size_t opens = wanted == 0 ? all.size() : std::min(wanted, all.size());
  for (; done < opens && !HasFailure(); ++done) {
    // Evenly spread, from the last one on: the later ones have more to recover.
    const Candidate &outer = all[all.size() - 1 - done * all.size() / opens];
    disks += crash_while_it_opens(outer, model, due_at(outer, *trace, ledger), ledger);
  }
  std::printf("  %zu disks opened, %zu different disks left behind on the way\n", done, disks);
  EXPECT_GT(disks, 10 * done);
}
INSTANTIATE_TEST_SUITE_P(Levels, Recorded, ::testing::Values(Kind{"durable", false, "500ms"}, Kind{"mixed", true, "10ms"}, Kind{"mixed_rarely_flushed", true, "60s"}),
                         [](const auto &test) { return test.param.name; });

}  // namespace
}  // namespace gantry::test
