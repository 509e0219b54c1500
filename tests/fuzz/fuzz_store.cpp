// Opening a store on any bytes: no crash, no hang, no unbounded memory; what is read is within its bounds. Input: one byte of flags, then patches
// {u8 file, u24 offset, u8 bytes, those}. They go over a small store of two log files, a run and two checkpoints; or, with flag 1, each file of `bytes` = 255 is
// as a whole what follows. With flag 2 the checksums are made right again afterwards, so that what is behind them is reached.
#include "support/fake_host.h"
#include "support/store_instance.h"
#include "support/store_records.h"
#include "support/test_util.h"

#include "checkpoint.hpp"
#include "run_file.hpp"

#include <gantry++/bytes.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>

using namespace gantry::test;
using namespace gantry::commitlog;

extern "C" const gantry_plugin gantry_plugin_v1;

namespace {

const ConfigTexts kConfig{{"segment_size", "1 MiB"}, {"hot_cache", "4 MiB"}, {"read_cache", "1 MiB"}, {"readers", "1"},  {"retention", "0"},
                          {"engine", "pwrite"},      {"direct", "off"},      {"zero_fill", "off"},    {"checkpoint_every", "1 MiB"}, {"accept_lost_checkpoint", "true"}};

struct File {
  std::string name;
  std::string bytes;
};

std::string slurp(const std::filesystem::path &path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// Of a store that sent a little, went on in a second log file, and was stopped.
std::vector<File> make_files() {
  const TempDir folder;
  for (int lives = 0; lives < 2; ++lives) {
    FakeHost host;
    StoreInstance store(host, *gantry_plugin_v1.components[0], kConfig);
    require(store.open(folder.str(), GANTRY_DURABILITY_DURABLE) == GANTRY_OK, store.error().text);
    for (int i = 0; i < 12; ++i) {
      Message m = message(store.queue("T", static_cast<std::uint32_t>(i % 3)), filled(static_cast<std::size_t>(40 + 60 * i), static_cast<std::uint64_t>(i)), i % 2);
      m.store_ms = kTestWallMs + (lives == 1 || i > 6 ? 26ll * 24 * 3600 * 1000 : 0);
      m.key_hashes = {static_cast<std::uint64_t>(i)};
      (void)append_one(store, std::move(m));
      CompletionLog done(host);
      const std::string value = std::to_string(i);
      const gantry_meta_op op{GANTRY_META_PUT, 0, str_of("row"), str_of(value)};
      host.on_shard(0, [&] { require(store.table().meta_write(store.self(), &op, 1, GANTRY_DURABILITY_DURABLE, 1, done.id()) == GANTRY_OK, "no row"); });
      (void)done.wait_for(1);
    }
    (void)host.wait_until([&] { return std::filesystem::exists(folder.path() / "index/00000000000000000000.run"); }, 5000);
  }
  std::vector<File> out;
  for (const auto &entry : std::filesystem::recursive_directory_iterator(folder.path())) {
    if (entry.is_regular_file()) out.push_back({std::filesystem::relative(entry.path(), folder.path()), slurp(entry.path())});
  }
  std::sort(out.begin(), out.end(), [](const File &a, const File &b) { return a.name < b.name; });
  return out;
}

std::uint8_t *bytes_at(std::string &bytes, std::size_t at) { return reinterpret_cast<std::uint8_t *>(bytes.data()) + at; }

template <typename T>
T get(const std::string &bytes, std::size_t at) {
  T out;
  std::memcpy(&out, bytes.data() + at, sizeof out);
  return out;
}
template <typename T>
void put(std::string &bytes, std::size_t at, const T &value) {
  std::memcpy(bytes.data() + at, &value, sizeof value);
}

void right_log(std::string &bytes) {
  for (std::size_t at = 0; at + sizeof(FrameHeader) <= bytes.size(); at += kFrameAlign) {
    if (gantry::load_be32(bytes_at(bytes, at) + 4) != kBlankMagic) continue;
    const auto kind = get<Kind>(bytes, at + 8);
    if (kind == Kind::kFiller) {
      auto filler = get<Filler>(bytes, at);
      filler.crc = 0;
      filler.crc = crc32c(&filler, sizeof filler);
      put(bytes, at, filler);
    } else if (kind == Kind::kFrame) {
      auto header = get<FrameHeader>(bytes, at);
      const std::size_t tail = at + sizeof header + header.records_bytes, n = std::size_t{header.meta_bytes} + header.trailer_bytes;
      if (tail <= bytes.size() && n <= bytes.size() - tail) header.tail_crc = crc32c(bytes_at(bytes, tail), n);
      header.header_crc = crc32c(&header, offsetof(FrameHeader, header_crc));
      put(bytes, at, header);
    }
  }
}

void right_sections(std::string &bytes, IndexSections &s) {
  const auto crc = [&](std::uint64_t at, std::uint64_t n) { return at <= bytes.size() && n <= bytes.size() - at ? crc32c(bytes_at(bytes, at), n) : 0; };
  s.records_crc = crc(s.records_at, std::uint64_t{s.record_count} * sizeof(RecordRow));
  s.parts_crc = crc(s.parts_at, std::uint64_t{s.part_count} * sizeof(PartRow));
  s.keys_crc = crc(s.keys_at, std::uint64_t{s.key_count} * sizeof(KeyRow));
  std::uint64_t entries = 0;
  for (std::uint64_t i = 0; i < s.part_count && s.parts_at + (i + 1) * sizeof(PartRow) <= bytes.size(); ++i) {
    const auto part = get<PartRow>(bytes, s.parts_at + i * sizeof(PartRow));
    entries += std::uint64_t{part.count} * (part.wide() ? 16 : 8);
  }
  s.entries_crc = crc(s.entries_at, entries);
}

void right_run(std::string &bytes) {
  if (bytes.size() < sizeof(RunFooter)) return;
  const std::size_t at = bytes.size() - sizeof(RunFooter);
  auto footer = get<RunFooter>(bytes, at);
  right_sections(bytes, footer.sections);
  footer.crc = crc32c(&footer, offsetof(RunFooter, crc));
  put(bytes, at, footer);
}

void right_checkpoint(std::string &bytes) {
  if (bytes.size() < sizeof(CheckpointHead) + sizeof(CheckpointTail)) return;
  const std::size_t at = bytes.size() - sizeof(CheckpointTail);
  auto tail = get<CheckpointTail>(bytes, at);
  right_sections(bytes, tail.sections);
  // The front ends where its rows do: up to 63 zeros before the sections are not of it.
  const auto head = get<CheckpointHead>(bytes, 0);
  std::size_t front = sizeof head;
  for (std::uint64_t i = 0; i < head.queue_count && front + sizeof(CheckpointQueue) <= at; ++i) front += sizeof(CheckpointQueue) + get<CheckpointQueue>(bytes, front).topic_bytes;
  for (std::uint64_t i = 0; i < head.row_count && front + 8 <= at; ++i) front += 8 + std::size_t{get<std::uint32_t>(bytes, front)} + get<std::uint32_t>(bytes, front + 4);
  if (front <= at) tail.front_crc = crc32c(bytes.data(), front);
  tail.bytes = bytes.size();
  tail.crc = crc32c(&tail, offsetof(CheckpointTail, crc));
  put(bytes, at, tail);
}

const std::vector<File> &whole_files() {
  static const std::vector<File> files = make_files();
  return files;
}

void read_all(StoreInstance &store) {
  for (const auto &[name, queue] : store.recovered_queues()) {
    const gantry_queue_stat stat = store.stat(queue.queue);
    GANTRY_ASSERT(stat.min_off <= stat.max_off);
    std::int64_t at = stat.min_off;
    for (int reads = 0; at < stat.max_off && reads < 50; ++reads) {  // lost offsets can be many
      std::int32_t status = GANTRY_OK;
      const ReadResult got = store.read(queue.queue, at, 64, &status);
      if (status != GANTRY_OK) break;
      for (std::size_t i = 0; i < got->n; ++i) {
        GANTRY_ASSERT(got->records[i].queue_off >= at && got->records[i].queue_off < stat.max_off);
        GANTRY_ASSERT(got.bytes(i).size() == got->records[i].bytes.n);
      }
      GANTRY_ASSERT(got->next_off > at);
      at = got->next_off;
    }
  }
  for (std::uint64_t hash = 0; hash < 12; ++hash) (void)store.query_key(hash);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  if (size == 0) return 0;
  std::vector<File> files = whole_files();
  const std::uint8_t flags = data[0];
  for (std::size_t at = 1; at + 5 <= size;) {
    std::string &bytes = files[data[at] % files.size()].bytes;
    const std::size_t offset = data[at + 1] | data[at + 2] << 8 | data[at + 3] << 16;
    const std::size_t n = std::min<std::size_t>(data[at + 4] == 255 && (flags & 1) != 0 ? size : data[at + 4], size - at - 5);
    if (data[at + 4] == 255 && (flags & 1) != 0) {
      bytes.assign(reinterpret_cast<const char *>(data) + at + 5, n);
    } else if (!bytes.empty()) {
      const std::size_t to = offset % bytes.size();
      std::memcpy(bytes.data() + to, data + at + 5, std::min(n, bytes.size() - to));
    }
    at += 5 + n;
  }
  static const TempDir folder;
  for (const auto &entry : std::filesystem::directory_iterator(folder.path())) std::filesystem::remove_all(entry.path());
  std::filesystem::create_directories(folder.path() / "commitlog");
  std::filesystem::create_directories(folder.path() / "index");
  for (File &file : files) {
    if ((flags & 2) != 0) {
      if (file.name.starts_with("commitlog/")) right_log(file.bytes);
      if (file.name.starts_with("index/")) right_run(file.bytes);
      if (file.name.starts_with("checkpoint.")) right_checkpoint(file.bytes);
    }
    if (file.name.starts_with("checkpoint.") && (flags & 4) != 0) continue;  // the log alone
    std::ofstream out(folder.path() / file.name, std::ios::binary);
    // Log files are mostly zeros.
    constexpr std::size_t kStep = 4096;
    for (std::size_t at = 0; at < file.bytes.size(); at += kStep) {
      const std::string_view part = std::string_view(file.bytes).substr(at, kStep);
      if (part.find_first_not_of('\0') == std::string_view::npos) continue;
      out.seekp(static_cast<std::streamoff>(at));
      out.write(part.data(), static_cast<std::streamsize>(part.size()));
    }
    out.close();
    std::filesystem::resize_file(folder.path() / file.name, file.bytes.size());
  }
  FakeHost host;
  StoreInstance store(host, *gantry_plugin_v1.components[0], kConfig);
  if (store.open(folder.str(), GANTRY_DURABILITY_DURABLE) != GANTRY_OK) {
    GANTRY_ASSERT(store.error().text[0] != '\0');
    return 0;
  }
  read_all(store);
  return 0;
}
