#include "kernel/broker/fetch/key_lookup.hpp"

#include "kernel/broker/record/key_hash.hpp"
#include "kernel/broker/record/properties.hpp"

#include <gantry++/str.hpp>

#include <atomic>

namespace gantry::broker {

namespace {

constexpr std::uint32_t kMaxMessages = 1024;

// Hashes may collide, and the store need not know the store time of a record that it has not read: the record itself decides.
bool matches(const gantry_record &record, std::string_view topic, std::string_view key, std::int64_t begin_ms, std::int64_t end_ms, std::int64_t *store_ms) {
  StoredMessage message;
  if (!parse_record(view(record.bytes), &message) || message.topic != topic) return false;
  if (message.store_ms < begin_ms || message.store_ms > end_ms) return false;
  *store_ms = message.store_ms;
  const PropertyScan props = scan_properties(message.props);
  bool found = props.uniq_key == key;
  each_key(props.keys, [&](std::string_view word) {
    found = found || word == key;
    return !found;
  });
  return found;
}

}  // namespace

// What the asker gets: it pins the store's results that its records lie in.
struct KeyLookup::Found {
  gantry_owner owner;  // first, so that the owner's address is the object's
  std::atomic<std::uint32_t> references{1};
  std::vector<gantry_owner *> pinned;
  std::vector<gantry_record> records;
  gantry_fetch_result result{};

  Found() {
    owner = gantry_owner{[](gantry_owner *o) noexcept { reinterpret_cast<Found *>(o)->references.fetch_add(1, std::memory_order_relaxed); },
                         [](gantry_owner *o) noexcept {
                           auto *found = reinterpret_cast<Found *>(o);
                           if (found->references.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
                           for (gantry_owner *inner : found->pinned) inner->release(inner);
                           delete found;
                         },
                         0};
  }
};

void KeyLookup::FoundRelease::operator()(Found *found) const { found->owner.release(&found->owner); }

void KeyLookup::start(std::uint32_t shard_count) {
  shards_.resize(shard_count);
  for (std::uint32_t i = 0; i < shard_count; ++i) {
    shards_[i].owner = this;
    shards_[i].index = i;
    shards_[i].store_cq = core_.cq->create(core_.host, i, &KeyLookup::on_completions, &shards_[i]);
  }
}

void KeyLookup::stop() {
  for (Shard &shard : shards_) core_.cq->close(core_.host, shard.store_cq);
}

std::int32_t KeyLookup::query(const gantry_message_query &query, gantry_cq cq) {
  const std::uint32_t index = core_.exec->this_shard(core_.host);
  if (index >= shards_.size() || query.key.n == 0 || query.topic.n == 0 || query.max_messages == 0 || query.max_messages > kMaxMessages) return GANTRY_E_INVALID;
  Shard &shard = shards_[index];
  const std::uint64_t id = ++shard.next;
  Search search{query.user_data, cq, std::string(view(query.topic)), std::string(view(query.key)), {}, query.max_messages, nullptr};
  search.found.reset(new Found);
  search.page.user_data = id;
  search.page.hash = KeyHasher(search.topic)(search.key);
  search.page.begin_ms = query.begin_ms;
  search.page.end_ms = query.end_ms;
  search.page.before_pos = INT64_MAX;
  search.page.max_records = query.max_messages;
  const std::int32_t status = core_.store.table->query_key(core_.store.self, index, &search.page, shard.store_cq);
  if (status < 0) return status;
  shard.searches.emplace(id, std::move(search));
  return GANTRY_OK;
}

void KeyLookup::finish(Search &search, std::int32_t status) {
  if (status != GANTRY_OK) return core_.complete(search.cq, search.user_data, status, GANTRY_SUBJECT_STORE);
  Found *found = search.found.release();
  found->result = gantry_fetch_result{sizeof(gantry_fetch_result), GANTRY_FETCH_FOUND, &found->owner, found->records.data(),
                                      static_cast<std::uint32_t>(found->records.size()), 0, 0, 0, 0};
  const gantry_cqe cqe{search.user_data, 0, reinterpret_cast<std::uint64_t>(&found->result), GANTRY_OK, 0};
  if (core_.cq->push(core_.host, search.cq, &cqe, 1) != GANTRY_OK) found->owner.release(&found->owner);
}

void KeyLookup::on_page(Shard &shard, const gantry_cqe &cqe) {
  const auto it = shard.searches.find(cqe.user_data);
  GANTRY_ASSERT(it != shard.searches.end());
  Search &search = it->second;
  std::int32_t status = cqe.status;
  bool more = false;
  if (status == GANTRY_OK) {
    const auto &page = *reinterpret_cast<const gantry_read_result *>(cqe.aux);
    if (page.owner != nullptr) search.found->pinned.push_back(page.owner);
    for (std::uint32_t i = 0; i < page.n && search.found->records.size() < search.wanted; ++i) {
      gantry_record record = page.records[i];
      if (matches(record, search.topic, search.key, search.page.begin_ms, search.page.end_ms, &record.store_ms)) search.found->records.push_back(record);
    }
    more = page.next_off >= 0 && search.found->records.size() < search.wanted;
    search.page.before_pos = page.next_off;
  }
  if (more) {
    status = core_.store.table->query_key(core_.store.self, shard.index, &search.page, shard.store_cq);
    if (status == GANTRY_OK) return;
  }
  finish(search, status);
  shard.searches.erase(it);
}

void KeyLookup::on_completions(void *self, const gantry_cqe *cqes, std::uint32_t n) noexcept {
  auto &shard = *static_cast<Shard *>(self);
  for (std::uint32_t i = 0; i < n; ++i) shard.owner->on_page(shard, cqes[i]);
}

}  // namespace gantry::broker
