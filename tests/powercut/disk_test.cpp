// The model: what is flushed stays, what is not may go, in whole and in parts.
#include "disk.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <set>

namespace gantry::test::powercut {
namespace {

constexpr std::uint64_t kRoot = Disk::kRoot;

struct Life {
  std::uint64_t make(const std::string &name, std::uint64_t folder = kRoot, bool is_folder = false) {
    Disk::Status status;
    EXPECT_EQ(disk.make(folder, name, is_folder, 0640, &status), 0) << name;
    return status.id;
  }
  std::uint64_t write(std::uint64_t id, std::int64_t offset, const std::string &text) {
    std::uint64_t change = 0;
    EXPECT_EQ(disk.write(id, offset, reinterpret_cast<const std::uint8_t *>(text.data()), text.size(), &change), static_cast<std::int64_t>(text.size()));
    return change;
  }
  void flush(std::uint64_t id) { EXPECT_EQ(disk.flush(id, disk.begin_flush()), 0); }
  std::uint64_t id_of(const std::string &name, std::uint64_t folder = kRoot) {
    Disk::Status status;
    return disk.find(folder, name, false, &status) == 0 ? status.id : 0;
  }
  std::string text_of(std::uint64_t id) {
    std::vector<std::uint8_t> out;
    EXPECT_GE(disk.read(id, 0, 1 << 20, &out), 0);
    return {out.begin(), out.end()};
  }
  std::string text_of(const std::string &name) { return text_of(id_of(name)); }
  CutReport cut(std::uint64_t seed) {
    std::mt19937_64 random(seed);
    return disk.cut(random);
  }

  Disk disk;
};

class DiskTest : public ::testing::Test, protected Life {};

// Runs one life per seed and gathers what was found after it.
template <typename Run>
std::set<std::string> outcomes(Run run) {
  std::set<std::string> found;
  for (std::uint64_t seed = 0; seed < 200; ++seed) found.insert(run(seed));
  return found;
}

TEST_F(DiskTest, WhatIsFlushedOutlivesEveryCut) {
  const auto found = outcomes([](std::uint64_t seed) {
    Life life;
    const std::uint64_t id = life.make("a");
    life.write(id, 0, "flushed");
    life.flush(id);
    EXPECT_EQ(life.disk.flush_names(kRoot), 0);
    life.cut(seed);
    return life.text_of("a");
  });
  EXPECT_EQ(found, std::set<std::string>{"flushed"});
}

TEST_F(DiskTest, WhatIsNotFlushedMayBeThereOrNot) {
  const auto found = outcomes([](std::uint64_t seed) {
    Life life;
    const std::uint64_t id = life.make("a");
    life.write(id, 0, "old");
    life.flush(id);
    EXPECT_EQ(life.disk.flush_names(kRoot), 0);
    life.write(id, 0, "new");
    life.cut(seed);
    return life.text_of("a");
  });
  EXPECT_EQ(found, (std::set<std::string>{"new", "old"}));
}

TEST_F(DiskTest, AFlushDoesNotCoverWhatCameWhileItRan) {
  const auto found = outcomes([](std::uint64_t seed) {
    Life life;
    const std::uint64_t id = life.make("a");
    life.write(id, 0, "1.");
    const std::uint64_t begun = life.disk.begin_flush();
    life.write(id, 2, "2.");
    EXPECT_EQ(life.disk.flush(id, begun), 0);
    EXPECT_EQ(life.disk.flush_names(kRoot), 0);
    life.cut(seed);
    return life.text_of("a").substr(0, 3);
  });
  EXPECT_TRUE(found.contains("1."));
  EXPECT_TRUE(found.contains("1.2"));
  for (const std::string &text : found) EXPECT_EQ(text.substr(0, 2), "1.");
}

TEST_F(DiskTest, AFlushingWriteKeepsItselfAndNotWhatIsBeforeIt) {
  const auto found = outcomes([](std::uint64_t seed) {
    Life life;
    const std::uint64_t id = life.make("a");
    life.write(id, 0, "aaaa");
    life.flush(id);
    EXPECT_EQ(life.disk.flush_names(kRoot), 0);
    life.write(id, 0, "bbbb");
    EXPECT_EQ(life.disk.flush_write(id, life.write(id, 2, "cc")), 0);
    EXPECT_EQ(life.text_of("a"), "bbcc");
    life.cut(seed);
    return life.text_of("a");
  });
  EXPECT_EQ(found, (std::set<std::string>{"aacc", "bbcc"}));
}

TEST_F(DiskTest, ANameNeedsAFlushOfItsFolder) {
  const auto found = outcomes([](std::uint64_t seed) {
    Life life;
    const std::uint64_t id = life.make("a");
    life.write(id, 0, "x");
    life.flush(id);
    life.cut(seed);
    return life.id_of("a") != 0 ? life.text_of("a") : "gone";
  });
  EXPECT_EQ(found, (std::set<std::string>{"gone", "x"}));
}

TEST_F(DiskTest, ARenameMayBeLostButIsNeverHalf) {
  const auto found = outcomes([](std::uint64_t seed) {
    Life life;
    const std::uint64_t old = life.make("a"), fresh = life.make("a.tmp");
    life.write(old, 0, "old");
    life.write(fresh, 0, "new");
    life.flush(old);
    life.flush(fresh);
    EXPECT_EQ(life.disk.flush_names(kRoot), 0);
    EXPECT_EQ(life.disk.rename(kRoot, "a.tmp", kRoot, "a", true), 0);
    life.cut(seed);
    return life.text_of("a") + (life.id_of("a.tmp") != 0 ? " and " + life.text_of("a.tmp") : "");
  });
  EXPECT_EQ(found, (std::set<std::string>{"new", "old and new"}));
}

TEST_F(DiskTest, ARemovedFileMayBeThereAgainWithItsOpenChanges) {
  const auto found = outcomes([](std::uint64_t seed) {
    Life life;
    const std::uint64_t id = life.make("a");
    life.write(id, 0, "old");
    life.flush(id);
    EXPECT_EQ(life.disk.flush_names(kRoot), 0);
    life.write(id, 0, "new");
    EXPECT_EQ(life.disk.remove(kRoot, "a", false), 0);
    life.disk.forget(id, 1);
    EXPECT_EQ(life.disk.used(), 0u);
    life.cut(seed);
    return life.id_of("a") != 0 ? life.text_of("a") : "gone";
  });
  EXPECT_EQ(found, (std::set<std::string>{"gone", "new", "old"}));
}

TEST_F(DiskTest, AFolderWithoutAFlushMayBeGoneWithAllInIt) {
  const auto found = outcomes([](std::uint64_t seed) {
    Life life;
    const std::uint64_t folder = life.make("d", kRoot, true), id = life.make("a", folder);
    life.write(id, 0, "x");
    life.flush(id);
    EXPECT_EQ(life.disk.flush_names(folder), 0);
    life.cut(seed);
    return life.id_of("d") == 0 ? "gone" : life.text_of(life.id_of("a", life.id_of("d")));
  });
  EXPECT_EQ(found, (std::set<std::string>{"gone", "x"}));
}

// Sectors of 512 bytes and blocks of 4 KiB, each old or new, never within one; fronts, backs and anything between them.
TEST_F(DiskTest, WritesAreTornAtSectorsAndBlocks) {
  std::set<std::size_t> sectors_kept;
  std::uint64_t torn = 0;
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    Life life;
    const std::uint64_t id = life.make("a");
    life.write(id, 0, std::string(16384, 'o'));
    life.flush(id);
    EXPECT_EQ(life.disk.flush_names(kRoot), 0);
    life.write(id, 0, std::string(16384, 'n'));
    torn += life.cut(seed).torn;
    const std::string text = life.text_of("a");
    ASSERT_EQ(text.size(), 16384u);
    std::size_t kept = 0;
    for (std::size_t at = 0; at < text.size(); at += 512) {
      ASSERT_EQ(text.substr(at, 512), std::string(512, text[at])) << "seed " << seed << ": a sector is torn at " << at;
      kept += text[at] == 'n' ? 1 : 0;
    }
    sectors_kept.insert(kept);
  }
  EXPECT_GT(torn, 50u);
  EXPECT_GT(sectors_kept.size(), 10u);
  EXPECT_TRUE(sectors_kept.contains(0));
  EXPECT_TRUE(sectors_kept.contains(32));
}

TEST_F(DiskTest, TheSameSeedLeavesTheSame) {
  const auto life_of = [](std::uint64_t seed) {
    Life life;
    for (int i = 0; i < 20; ++i) {
      const std::uint64_t id = life.make("f" + std::to_string(i));
      life.write(id, 100 * i, std::string(5000, static_cast<char>('a' + i)));
      if (i % 3 == 0) life.flush(id);
    }
    std::string all;
    for (const std::string &line : life.cut(seed).lines) all += line + "\n";
    return all;
  };
  EXPECT_EQ(life_of(7), life_of(7));
  EXPECT_NE(life_of(7), life_of(8));
}

TEST_F(DiskTest, AFailedFlushIsShownButNeverReachesTheDisk) {
  const std::uint64_t id = make("a");
  write(id, 0, "old");
  flush(id);
  EXPECT_EQ(disk.flush_names(kRoot), 0);
  write(id, 0, "new");
  EXPECT_EQ(disk.fail_flush(id, disk.begin_flush()), 0);
  EXPECT_EQ(text_of(id), "new");
  flush(id);  // and says that all is well
  EXPECT_EQ(text_of(id), "new");
  disk.show_what_failed_flushes_left();
  EXPECT_EQ(text_of(id), "old");
  cut(1);
  EXPECT_EQ(text_of("a"), "old");
}

TEST_F(DiskTest, ASmallDiskGetsFullAndSpaceComesBack) {
  disk.resize(16384);
  const std::uint64_t a = make("a"), b = make("b");
  EXPECT_EQ(disk.allocate(a, 12288), 0);
  EXPECT_EQ(disk.allocate(b, 8192), -ENOSPC);
  write(b, 0, std::string(4096, 'b'));
  std::uint64_t change = 0;
  const std::uint8_t byte = 0;
  EXPECT_EQ(disk.write(b, 4096, &byte, 1, &change), -ENOSPC);
  write(a, 0, "there is room for this one");
  EXPECT_EQ(disk.remove(kRoot, "a", false), 0);
  EXPECT_EQ(disk.used(), 16384u) << "still open";
  disk.forget(a, 1);
  EXPECT_EQ(disk.used(), 4096u);
  EXPECT_EQ(disk.write(b, 4096, &byte, 1, &change), 1);
}

TEST_F(DiskTest, WhatWasOpenBeforeTheCutIsStaleAfterIt) {
  const std::uint64_t id = make("a");
  write(id, 0, "x");
  flush(id);
  EXPECT_EQ(disk.flush_names(kRoot), 0);
  cut(1);
  EXPECT_EQ(disk.flush(id, disk.begin_flush()), -ESTALE);
  EXPECT_NE(id_of("a"), id);
}

}  // namespace
}  // namespace gantry::test::powercut
