// One bit flips, in every kind of file and every kind of field: never a wrong byte to a reader, the loss no bigger than the damage, a line in the log with the
// place, and a store that stays up.
#include "recorded_life.h"

#include "checkpoint.hpp"
#include "run_file.hpp"

#include <algorithm>
#include <fstream>
#include <set>

namespace gantry::test {
namespace {

using commitlog::FrameHeader;
using commitlog::ParsedFrame;

// Files of a folder; blocks of zeros are left out.
class Image {
 public:
  explicit Image(const std::filesystem::path &from) {
    for (const auto &entry : std::filesystem::recursive_directory_iterator(from)) {
      const std::string name = std::filesystem::relative(entry.path(), from);
      if (entry.is_directory()) {
        folders_.insert(name);
      } else {
        files_[name] = slurp(entry.path());
      }
    }
  }
  [[nodiscard]] const std::map<std::string, std::string> &files() const { return files_; }
  // The folder becomes this image, with one bit of one file flipped.
  void put(const std::string &folder, const std::string &file = "", std::size_t offset = 0) const {
    for (const auto &entry : std::filesystem::directory_iterator(folder)) std::filesystem::remove_all(entry.path());
    for (const std::string &name : folders_) std::filesystem::create_directories(folder + "/" + name);
    for (const auto &[name, bytes] : files_) {
      std::ofstream out(folder + "/" + name, std::ios::binary);
      constexpr std::size_t kStep = 4096;
      for (std::size_t at = 0; at < bytes.size(); at += kStep) {
        const std::string_view part = std::string_view(bytes).substr(at, kStep);
        if (part.find_first_not_of('\0') == std::string_view::npos) continue;
        out.seekp(static_cast<std::streamoff>(at));
        out.write(part.data(), static_cast<std::streamsize>(part.size()));
      }
      if (name == file) {
        const char changed = static_cast<char>(bytes[offset] ^ (1 << offset % 8));
        out.seekp(static_cast<std::streamoff>(offset));
        out.write(&changed, 1);
      }
      out.close();
      std::filesystem::resize_file(folder + "/" + name, bytes.size());
    }
  }

 private:
  std::set<std::string> folders_;
  std::map<std::string, std::string> files_;
};

// A stretch of a log file, and what may be lost when a bit in it flips.
struct Place {
  std::size_t begin = 0, end = 0;
  std::string what;
  std::int64_t lose_from = 0, lose_to = 0;  // records that begin at these log positions
  bool rows = false;                        // and the meta operations of this frame
  bool record = false;
};

std::vector<Place> places_of(const std::string &bytes, std::int64_t base) {
  std::vector<Place> out;
  const std::span<const std::uint8_t> all(reinterpret_cast<const std::uint8_t *>(bytes.data()), bytes.size());
  for (std::size_t at = 0; at < bytes.size();) {
    const std::int64_t pos = base + static_cast<std::int64_t>(at);
    const auto unit = commitlog::parse_unit(all.subspan(at), {pos}, 0);
    if (!unit) break;
    if (unit->kind == commitlog::Kind::kFiller) {
      out.push_back({at, at + sizeof(commitlog::Filler), "filler", 0, 0, false, false});
      at += unit->bytes;
      continue;
    }
    ParsedFrame frame;
    if (!commitlog::parse_frame(all.subspan(at), unit->header, &frame)) break;
    const FrameHeader &h = unit->header;
    const std::int64_t frame_end = pos + h.frame_bytes;
    const bool rows = h.meta_bytes > 0;
    out.push_back({at, at + sizeof h, "header of a frame", pos, frame_end, rows, false});
    for (const auto &record : frame.records) {
      const std::size_t begin = at + record.offset_in_frame;
      out.push_back({begin, begin + record.bytes, record.refers ? "record with a reference" : "record", pos + record.offset_in_frame, pos + record.offset_in_frame + 1, false, true});
    }
    const std::size_t tail = at + sizeof h + h.records_bytes;
    if (rows) out.push_back({tail, tail + h.meta_bytes, "meta block", pos, frame_end, true, false});
    out.push_back({tail + h.meta_bytes, at + h.frame_bytes, "trailer", pos, frame_end, rows, false});
    at += unit->bytes;
  }
  return out;
}

class Flips : public ::testing::Test {
 protected:
  // A log of some files with runs, both checkpoints, references and rows, old files dropped; then a clean stop, and a life after it that was killed.
  void SetUp() override { make_image(true); }

  void make_image(bool busy_to_the_end) {
    const TempDir folder;
    auto disk = std::make_shared<TwinDisk>();
    LifeOptions options;
    options.seed = 11;
    options.steps = 70;
    options.config = config_;
    options.config["checkpoint_every"] = "1 MiB";
    options.config["retention_bytes"] = "4 MiB";
    options.config["flush_interval"] = "10ms";
    RecordedLife life(folder.str(), disk, options, ledger_);
    for (int lives = 0; lives < 2; ++lives) {
      ASSERT_EQ(life.open(), GANTRY_OK);
      if (busy_to_the_end || lives == 0) {
        life.work();
      } else {
        for (int i = 0; i < 4; ++i) ASSERT_TRUE(life.append_a_little());
      }
      if (lives == 0) life.close();
    }
    // The mark of a log that went quiet: from here on what is whole can be told from what was never finished.
    ASSERT_TRUE(life.host().wait_until([&] {
      std::vector<std::filesystem::path> logs;
      for (const auto &entry : std::filesystem::directory_iterator(folder.str() + "/commitlog")) {
        if (entry.is_regular_file() && entry.path().filename().string().size() == 20) logs.push_back(entry.path());
      }
      std::sort(logs.rbegin(), logs.rend());
      for (const auto &path : logs) {
        const auto frames = frames_of(slurp(path), std::stoll(path.filename().string()));
        if (!frames.empty()) return (frames.back().header.flags & commitlog::kFrameMark) != 0;
      }
      return false;
    }));
    life.kill();
    image_ = std::make_unique<Image>(folder.path());
    whole_ = {};
    readable_.clear();
    image_->put(dir_.str());
    std::string why;
    ASSERT_EQ(open_and_read(&whole_, &why), GANTRY_OK) << why;
    ASSERT_EQ(whole_.bad_records, 0u);
    for (const auto &[name, queue] : whole_.queues) {
      for (const auto &[offset, record] : queue.records) readable_.insert(record.first);
    }
    ASSERT_GT(readable_.size(), 40u);
  }

  std::int32_t open_and_read(Contents *out, std::string *why) {
    LifeOptions options;
    options.config = config_;
    Ledger none;
    RecordedLife life(dir_.str(), std::make_shared<TwinDisk>(), options, none);
    const std::int32_t rc = life.open();
    if (rc != GANTRY_OK) {
      *why = life.store().error().text;
      return rc;
    }
    const auto got = contents_of(life.store(), why);
    if (!got) return GANTRY_E_INTERNAL;
    *out = *got;
    log_ = life.host().log_lines();
    if (!life.append_a_little()) *why = "a record is refused";
    return why->empty() ? GANTRY_OK : GANTRY_E_INTERNAL;
  }

  // Flips and looks. Positions of records that are gone; nullopt after a failure.
  std::optional<std::set<std::int64_t>> flip(const std::string &file, std::size_t offset, bool rows_may_differ) {
    image_->put(dir_.str(), file, offset);
    Contents now;
    std::string why;
    if (open_and_read(&now, &why) != GANTRY_OK) {
      ADD_FAILURE() << "the store is not up: " << why;
      return std::nullopt;
    }
    ++flips_;
    bad_records_ = now.bad_records;
    if (!rows_may_differ) {
      EXPECT_EQ(now.rows, whole_.rows);
    }
    std::set<std::int64_t> lost;
    for (const auto &[name, queue] : whole_.queues) {
      const Contents::Queue &after = now.queues[name];
      for (const auto &[at, record] : queue.records) {
        const auto same = after.records.find(at);
        if (same == after.records.end()) {
          lost.insert(record.first);
        } else if (same->second != record) {
          ADD_FAILURE() << name.first << " offset " << at << " is given with other bytes than were stored";
          return std::nullopt;
        }
      }
      for (const auto &[at, record] : after.records) EXPECT_TRUE(queue.records.contains(at)) << "a record that was never stored: " << name.first << " offset " << at;
    }
    return lost;
  }

  [[nodiscard]] bool logged(const std::string &part) const {
    return std::any_of(log_.begin(), log_.end(), [&](const std::string &line) { return line.find(part) != std::string::npos; });
  }

  // What lies in those positions, and what has its body there.
  [[nodiscard]] std::set<std::int64_t> with_dependants(std::int64_t from, std::int64_t to) const {
    std::set<std::int64_t> out(readable_.lower_bound(from), readable_.lower_bound(to));
    for (const Asked &one : ledger_.asked) {
      if (one.base_pos >= from && one.base_pos < to) out.insert(one.phys_pos);
    }
    return out;
  }

  void flip_in_log(const std::string &file, const Place &place, std::size_t offset) {
    SCOPED_TRACE(place.what + " of " + file + ", byte " + std::to_string(offset - place.begin) + " of it");
    const auto lost = flip(file, offset, place.rows);
    if (!lost) return;
    const std::set<std::int64_t> most = with_dependants(place.lose_from, place.lose_to);
    EXPECT_TRUE(std::includes(most.begin(), most.end(), lost->begin(), lost->end())) << lost->size() << " records are lost, at most " << most.size() << " lie there";
    if (place.record && readable_.contains(place.lose_from)) {
      EXPECT_TRUE(lost->contains(place.lose_from)) << "a record is given that was changed";
    }
    if (lost->empty()) return;
    EXPECT_GT(bad_records_, 0u) << "records are lost and none is counted";
    if (place.record) {
      EXPECT_TRUE(logged("log position " + std::to_string(place.lose_from))) << "not logged with its position";
      EXPECT_TRUE(logged("topic ") && logged(", queue ") && logged(", offset ")) << "not logged with topic, queue and offset";
    } else {
      EXPECT_TRUE(logged("the log is damaged between positions"));
    }
  }

  // Nothing but what is said of it.
  void flip_elsewhere(const std::string &file, std::size_t offset, const std::string &said) {
    SCOPED_TRACE(file + ", byte " + std::to_string(offset));
    const auto lost = flip(file, offset, false);
    if (!lost) return;
    EXPECT_TRUE(lost->empty()) << lost->size() << " records are lost";
    EXPECT_EQ(bad_records_, 0u);
    said_ += logged(said) ? 1 : 0;
  }

  std::string newest_log() const {
    std::string newest;
    for (const auto &[name, bytes] : image_->files()) {
      if (!name.starts_with("commitlog/0") || name.size() != 30 || places_of(bytes, std::stoll(name.substr(10))).empty()) continue;
      newest = std::max(newest, name);
    }
    return newest;
  }

  const ConfigTexts config_{{"segment_size", "1 MiB"}, {"hot_cache", "4 MiB"}, {"read_cache", "1 MiB"}, {"readers", "1"}, {"retention", "0"}, {"flush_interval", "60s"},
                            {"direct", "off"}};
  Ledger ledger_;
  std::unique_ptr<Image> image_;
  Contents whole_;
  std::set<std::int64_t> readable_;
  std::vector<std::string> log_;
  std::uint64_t bad_records_ = 0;
  std::size_t flips_ = 0, said_ = 0;
  TempDir dir_;
};

TEST_F(Flips, InEveryFieldOfFramesAndRecords) {
  std::map<std::string, std::size_t> kinds;
  for (const auto &[name, bytes] : image_->files()) {
    if (!name.starts_with("commitlog/0") || name.size() != 30) continue;
    const auto places = places_of(bytes, std::stoll(name.substr(10)));
    const bool open = name == newest_log();
    std::map<std::string, std::size_t> here;
    for (std::size_t i = 0; i < places.size() && !HasFailure(); ++i) {
      const Place &place = places[i];
      const std::size_t nth = here[place.what]++;
      // Every byte of the fields of some, a few bytes of others; nothing can be known of what is unfinished, so the last frame is left alone.
      if (open && place.end + 200 > places.back().end) continue;
      ++kinds[place.what];
      const std::size_t size = place.end - place.begin;
      const bool closely = open && nth == 4 && !place.record;
      const std::size_t step = closely ? 1 : place.record ? size / 2 : nth % 3 == 0 ? size / 3 : size;
      for (std::size_t at = place.begin + (closely ? 0 : nth % 7); at < place.end; at += std::max<std::size_t>(step, 1)) flip_in_log(name, place, at);
    }
  }
  for (const char *kind : {"filler", "header of a frame", "record", "record with a reference", "meta block", "trailer"}) EXPECT_GT(kinds[kind], 2u) << kind;
  std::printf("  %zu bits flipped\n", flips_);
}

// A clean stop says that the log ends there. What the next life has put behind it is not to be taken for nothing because its beginning rots.
TEST_F(Flips, RightBehindACleanEnd) {
  ledger_ = {};
  make_image(false);
  std::int64_t clean_end = -1;
  for (const auto &[name, bytes] : image_->files()) {
    if (!name.starts_with("checkpoint.")) continue;
    commitlog::CheckpointHead head;
    std::memcpy(&head, bytes.data(), sizeof head);
    if (head.clean != 0) clean_end = std::max(clean_end, head.pos);
  }
  ASSERT_GE(clean_end, 0);
  std::size_t seen = 0;
  for (const auto &[name, bytes] : image_->files()) {
    if (!name.starts_with("commitlog/0") || name.size() != 30) continue;
    const std::int64_t base = std::stoll(name.substr(10));
    for (const Place &place : places_of(bytes, base)) {
      const std::int64_t pos = base + static_cast<std::int64_t>(place.begin);
      if (pos < clean_end || pos > clean_end + 8192 || place.record) continue;
      ++seen;
      flip_in_log(name, place, place.begin + 9);
    }
  }
  EXPECT_GE(seen, 3u);
}

TEST_F(Flips, InRunsCostNothing) {
  for (const auto &[name, bytes] : image_->files()) {
    if (!name.starts_with("index/")) continue;
    for (std::size_t at = 0; at < bytes.size() && !HasFailure(); at += at < 16 || at + 128 >= bytes.size() ? 5 : 37) flip_elsewhere(name, at, "rebuilding");
    for (const auto &again : {1, 2, 3}) flip_elsewhere(name, bytes.size() - static_cast<std::size_t>(again), "rebuilding");
  }
  EXPECT_GT(flips_, 50u);
  EXPECT_GT(said_, flips_ / 2) << "of " << flips_ << " flips; what is between sections is under no checksum";
}

TEST_F(Flips, InOneOfTheCheckpointsCostNothing) {
  for (const auto &[name, bytes] : image_->files()) {
    if (!name.starts_with("checkpoint.")) continue;
    for (std::size_t at = 0; at < bytes.size() && !HasFailure(); at += at < 104 || at + 88 >= bytes.size() ? 3 : 41) flip_elsewhere(name, at, name + " is damaged");
  }
  EXPECT_GT(flips_, 100u);
  EXPECT_GT(said_, flips_ * 8 / 10) << "of " << flips_ << " flips; what is between sections is under no checksum";
}

TEST_F(Flips, InTheMarkOfTheFormatCostNothing) {
  const std::string name = "commitlog/00000000000000000002/README";
  ASSERT_TRUE(image_->files().contains(name));
  flip_elsewhere(name, 5, "");
}

}  // namespace
}  // namespace gantry::test
