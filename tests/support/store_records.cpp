#include "support/store_records.h"

#include "support/test_util.h"

#include <gantry++/bytes.hpp>

#include <isa-l/crc.h>

namespace gantry::test {

namespace {
void put32(std::string &out, std::uint32_t v) {
  char bytes[4];
  store_be32(bytes, v);
  out.append(bytes, sizeof bytes);
}
std::uint8_t *at(std::string &bytes, std::size_t i) { return reinterpret_cast<std::uint8_t *>(bytes.data()) + i; }
}  // namespace

std::string make_record(std::string_view topic, std::uint32_t queue_no, std::string_view body) {
  require(topic.size() <= 127, "make_record: a version 1 record has a topic of at most 127 bytes");
  const auto *body_bytes = reinterpret_cast<const unsigned char *>(body.data());
  std::string out;
  out.reserve(kRecordHeadBytes + body.size() + topic.size() + 3);
  put32(out, static_cast<std::uint32_t>(kRecordHeadBytes + body.size() + 1 + topic.size() + 2));
  put32(out, 0xDAA320A7);
  put32(out, crc32_gzip_refl(0, body_bytes, body.size()) & 0x7FFFFFFF);
  put32(out, queue_no);
  out.append(kRecordHeadBytes - 4 - out.size(), '\0');  // flag .. preparedTransactionOffset
  put32(out, static_cast<std::uint32_t>(body.size()));
  out.append(body);
  out.push_back(static_cast<char>(topic.size()));
  out.append(topic);
  out.append(2, '\0');
  return out;
}

std::string body_of(std::string_view record) {
  require(record.size() >= kRecordHeadBytes, "body_of: shorter than a record");
  return std::string(record.substr(kRecordHeadBytes, load_be32(record.data() + kRecordHeadBytes - 4)));
}

std::string with_fixes(std::string bytes, std::int64_t queue_off, std::int64_t phys_pos, std::int64_t store_ms) {
  store_be64(at(bytes, kFixQueueOff), static_cast<std::uint64_t>(queue_off));
  store_be64(at(bytes, kFixPhysOff), static_cast<std::uint64_t>(phys_pos));
  store_be64(at(bytes, kFixStoreMs), static_cast<std::uint64_t>(store_ms));
  return bytes;
}

std::string filled(std::size_t n, std::uint64_t seed) {
  std::string out(n, '\0');
  std::uint64_t x = seed * 0x9E3779B97F4A7C15ull + 1;
  for (std::size_t i = 0; i < n; i += 8) {
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    std::memcpy(out.data() + i, &x, std::min<std::size_t>(8, n - i));
  }
  return out;
}

Message message(gantry_queue queue, std::string_view body, std::int64_t tag) {
  Message out;
  out.bytes = make_record("T", 0, body);
  out.links = {{queue, tag}};
  return out;
}

AppendBatch::AppendBatch(Message *messages, std::size_t n, std::uint64_t first_user_data) {
  for (std::size_t i = 0; i < n; ++i) {
    Message &m = messages[i];
    auto &spans = spans_.emplace_back();
    std::size_t begin = 0;
    const auto cut = [&](std::size_t end) {
      spans.push_back({at(m.bytes, begin), static_cast<std::uint32_t>(end - begin), 0, nullptr});
      begin = end;
    };
    for (const std::size_t end : m.cuts) cut(end);
    cut(m.bytes.size());
    m.offsets.assign(m.links.size(), -1);
    gantry_append a{};
    a.user_data = first_user_data + i;
    a.spans = spans.data();
    a.links = m.links.data();
    a.key_hashes = m.key_hashes.empty() ? nullptr : m.key_hashes.data();
    a.link_offsets = m.offsets.data();
    a.store_ms = m.store_ms;
    a.n_spans = static_cast<std::uint32_t>(spans.size());
    a.n_links = static_cast<std::uint32_t>(m.links.size());
    a.n_keys = static_cast<std::uint32_t>(m.key_hashes.size());
    a.bytes = static_cast<std::uint32_t>(m.bytes.size());
    a.fix_queue_off = m.fix ? kFixQueueOff : GANTRY_NO_FIX;
    a.fix_phys_off = m.fix ? kFixPhysOff : GANTRY_NO_FIX;
    a.fix_store_ms = m.fix ? kFixStoreMs : GANTRY_NO_FIX;
    a.durability = m.durability;
    requests_.push_back(a);
  }
}

void append_all(StoreInstance &store, std::vector<Message> &messages, std::size_t per_call, std::uint32_t shard) {
  FakeHost &host = store.host();
  CompletionLog done(host, shard);
  AppendBatch batch(messages.data(), messages.size(), 0);
  std::size_t next = 0;
  const bool accepted_all = host.wait_until([&] {
    std::int32_t rc = 1;
    while (next < messages.size() && rc > 0) {
      const auto n = static_cast<std::uint32_t>(std::min(per_call, messages.size() - next));
      host.on_shard(shard, [&] { rc = store.table().append(store.self(), shard, batch.data() + next, n, done.id()); });
      require(rc >= 0 || rc == GANTRY_E_AGAIN, "append was refused: code " + std::to_string(rc));
      if (rc > 0) next += static_cast<std::size_t>(rc);
    }
    return next == messages.size();
  }, 60000);
  if (!accepted_all) require(false, "append answered AGAIN for a minute" + describe_threads());
  if (!host.wait_until([&] { return done.count() >= messages.size(); }, 60000)) {
    require(false, "appends did not complete within a minute" + describe_threads());
  }
  for (const gantry_cqe &cqe : done.all()) {
    require(cqe.status == GANTRY_OK, "an append failed: status " + std::to_string(cqe.status));
    require(cqe.user_data < messages.size(), "a completion carries a strange user_data");
    messages[cqe.user_data].phys_pos = cqe.result;
  }
}

Message append_one(StoreInstance &store, Message one, std::uint32_t shard) {
  std::vector<Message> list;
  list.push_back(std::move(one));
  append_all(store, list, 1, shard);
  return std::move(list.front());
}

std::map<std::int64_t, std::string> read_queue(StoreInstance &store, gantry_queue queue, std::uint32_t per_read) {
  std::map<std::int64_t, std::string> out;
  const gantry_queue_stat stat = store.stat(queue);
  for (std::int64_t at = stat.min_off; at < stat.max_off;) {
    const ReadResult result = store.read(queue, at, per_read);
    for (std::size_t i = 0; i < result->n; ++i) {
      const std::int64_t offset = result->records[i].queue_off;
      require(offset >= at && (out.empty() || offset > out.rbegin()->first), "a read gave offsets out of order");
      out.emplace(offset, result.bytes(i));
    }
    require(result->next_off > at, "a read made no progress at offset " + std::to_string(at));
    at = result->next_off;
  }
  return out;
}

}  // namespace gantry::test
