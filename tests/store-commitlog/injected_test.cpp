// One request to the disk fails, each in turn: an error, no space, half a write. Whatever the store says after that is true, and it opens again.
#include "recorded_life.h"

#include <algorithm>
#include <cerrno>

namespace gantry::test {
namespace {

struct Fault {
  DiskOp op;
  int error;  // errno, -1: half of the write is done
};

std::string name_of_fault(const Fault &fault) {
  std::string name = name_of(fault.op);
  for (char &c : name) c = c == ' ' ? '_' : c;
  return name + (fault.error == EIO ? "_EIO" : fault.error == ENOSPC ? "_ENOSPC" : "_short");
}

class Injected : public ::testing::TestWithParam<Fault> {
 protected:
  static constexpr std::uint64_t kMost = 60;  // requests of one kind in a run, and more than there are

  struct Run {
    std::shared_ptr<Trace> trace;
    Ledger ledger;
    bool hit = false;        // the fault came
    bool opened = true;      // both opens went well
    bool fenced_as_due = true;
    std::string text;        // of a failed open
    std::vector<std::string> log;
  };

  // Two lives with a kill in between, in which the k-th request of that kind fails.
  void run(const std::string &folder, std::uint64_t k, bool written, Run *out) {
    auto disk = std::make_shared<TwinDisk>();
    disk->claim_direct = true;
    disk->track_unflushed = true;
    disk->trace = out->trace = std::make_shared<Trace>(folder);
    bool log_failed = false;
    disk->on_op = [&](DiskOp op, std::uint64_t nth) {
      if (op != GetParam().op || nth != k) return 0;
      out->hit = true;
      log_failed |= op == DiskOp::kLogWrite;
      return GetParam().error;
    };
    LifeOptions options;
    options.seed = k;
    options.written = written;
    options.steps = GetParam().op == DiskOp::kRemove ? 70 : 25;  // files are removed when enough of them are full
    options.may_fail = true;
    options.config = {{"segment_size", "1 MiB"}, {"hot_cache", "4 MiB"}, {"read_cache", "1 MiB"}, {"readers", "1"}, {"checkpoint_every", "1 MiB"}, {"retention", "0"},
                      {"retention_bytes", "3 MiB"}, {"recycle", GetParam().op == DiskOp::kRemove ? "0" : "1"}, {"flush_interval", written ? "10ms" : "60s"}};
    RecordedLife life(folder, disk, options, out->ledger);
    for (int lives = 0; lives < 2; ++lives) {
      if (life.open() != GANTRY_OK) {
        out->opened = false;
        out->text = life.store().error().text;
        break;
      }
      life.work();
      if (log_failed) out->fenced_as_due &= !life.append_a_little() && life.host().logged("store fenced");
      log_failed = false;
      out->log = life.host().log_lines();
      lives == 0 ? life.kill() : life.close();
    }
    disk->on_op = [](DiskOp, std::uint64_t) { return 0; };
  }

  // Opens what is in the folder with a disk that does all it is asked for.
  static std::string look(const std::string &folder, const Ledger &ledger, const Promise &promise) {
    Ledger longer = ledger;
    LifeOptions options;
    options.config = {{"segment_size", "1 MiB"}, {"hot_cache", "4 MiB"}, {"read_cache", "1 MiB"}, {"readers", "1"}, {"retention", "0"}, {"flush_interval", "60s"}, {"direct", "off"}};
    RecordedLife life(folder, std::make_shared<TwinDisk>(), options, longer);
    if (life.open() != GANTRY_OK) return std::string("it does not open: ") + life.store().error().text;
    std::string why;
    const auto contents = contents_of(life.store(), &why);
    if (!contents) return why;
    if (why = ledger.check(*contents, promise, false); !why.empty()) return why;
    return life.append_a_little() ? "" : "a record is refused after the open";
  }
};

TEST_P(Injected, WhateverFailsNothingAcknowledgedIsLost) {
  std::uint64_t hits = 0;
  for (const bool written : {false, true}) {
    for (std::uint64_t k = 1; k <= kMost && !HasFailure(); ++k) {
      SCOPED_TRACE(name_of_fault(GetParam()) + " number " + std::to_string(k) + (written ? ", levels mixed" : ", all durable"));
      const TempDir folder, after_cut;
      Run one;
      run(folder.str(), k, written, &one);
      if (!one.hit) break;
      ++hits;
      EXPECT_TRUE(one.fenced_as_due) << "the store goes on after a failed write of the log";
      EXPECT_TRUE(one.opened || one.text.find(folder.str()) != std::string::npos) << "names no file: " << one.text;
      const std::size_t end = one.trace->events().size();
      // The machine goes on: what was written is there, flushed or not. Then it is off: only what was flushed is.
      const auto &events = one.trace->events();
      const bool flush_failed = std::any_of(events.begin(), events.end(), [](const Event &event) { return event.kind == EventKind::kSyncFailed; });
      EXPECT_EQ(look(folder.str(), one.ledger, one.ledger.promised(*one.trace, end, flush_failed)), "");
      const CrashModel model(*one.trace);
      CrashState cut{end, {}};
      for (const std::size_t event : model.unsure(end)) cut.fates.push_back({event, Fate::How::kLost, 0});
      model.materialise(cut, after_cut.str());
      EXPECT_EQ(look(after_cut.str(), one.ledger, one.ledger.promised(*one.trace, end, true)), "") << model.describe(cut);
      if (HasFailure()) {
        for (const std::string &line : one.log) std::fprintf(stderr, "  plugin's log: %s\n", line.c_str());
      }
    }
  }
  if (hits == 0 && GetParam().op == DiskOp::kRemove) GTEST_SKIP() << "the background removed nothing in time";
  EXPECT_GT(hits, 0u) << "no such request was met";
}

INSTANTIATE_TEST_SUITE_P(Kinds, Injected,
                         ::testing::Values(Fault{DiskOp::kLogWrite, EIO}, Fault{DiskOp::kLogWrite, ENOSPC}, Fault{DiskOp::kLogWrite, -1}, Fault{DiskOp::kSync, EIO},
                                           Fault{DiskOp::kSync, ENOSPC}, Fault{DiskOp::kWrite, EIO}, Fault{DiskOp::kWrite, ENOSPC}, Fault{DiskOp::kWrite, -1},
                                           Fault{DiskOp::kCreate, EIO}, Fault{DiskOp::kCreate, ENOSPC}, Fault{DiskOp::kRename, EIO}, Fault{DiskOp::kRename, ENOSPC},
                                           Fault{DiskOp::kAllocate, EIO}, Fault{DiskOp::kAllocate, ENOSPC}, Fault{DiskOp::kSyncDir, EIO}, Fault{DiskOp::kSyncDir, ENOSPC},
                                           Fault{DiskOp::kTruncate, EIO}, Fault{DiskOp::kRemove, EIO}, Fault{DiskOp::kMakeDir, EIO}, Fault{DiskOp::kMakeDir, ENOSPC}),
                         [](const auto &test) { return name_of_fault(test.param); });

}  // namespace
}  // namespace gantry::test
