#include "kernel/broker/metered_store.hpp"

namespace gantry::broker {

// The wrapped functions of a store: `self` is a MeteredStore.
struct MeteredTable {
  static MeteredStore &of(void *self) { return *static_cast<MeteredStore *>(self); }

  // A function that is passed on as it is.
  template <auto member, typename Fn>
  struct Pass;
  template <auto member, typename R, typename... Args>
  struct Pass<member, R (*)(void *, Args...) noexcept> {
    static R call(void *self, Args... args) noexcept {
      const StorePort &inner = of(self).inner_;
      return (inner.table->*member)(inner.self, args...);
    }
  };
  template <typename Fn>
  static Fn member_of(Fn gantry_store_v1::*);
  template <auto member>
  static constexpr auto pass = &Pass<member, decltype(member_of(member))>::call;

  static std::int32_t append(void *self, std::uint32_t shard, const gantry_append *reqs, std::uint32_t n, gantry_cq cq) noexcept {
    MeteredStore &store = of(self);
    const std::uint64_t begin = read_ticks();
    const std::int32_t accepted = store.inner_.table->append(store.inner_.self, shard, reqs, n, cq);
    store.append_.note(shard, accepted > 0 ? static_cast<std::uint32_t>(accepted) : 0, accepted < 0 && accepted != GANTRY_E_AGAIN ? 1 : 0, read_ticks() - begin);
    return accepted;
  }
  static std::int32_t read(void *self, std::uint32_t shard, const gantry_read *reqs, std::uint32_t n, const gantry_read_result **inline_out, gantry_cq cq) noexcept {
    MeteredStore &store = of(self);
    const std::uint64_t begin = read_ticks();
    const std::int32_t accepted = store.inner_.table->read(store.inner_.self, shard, reqs, n, inline_out, cq);
    store.read_.note(shard, accepted > 0 ? static_cast<std::uint32_t>(accepted) : 0, accepted < 0 && accepted != GANTRY_E_AGAIN ? 1 : 0, read_ticks() - begin);
    return accepted;
  }
  static std::int32_t meta_write(void *self, const gantry_meta_op *ops, std::uint32_t n, std::uint32_t durability, std::uint64_t user_data, gantry_cq cq) noexcept {
    MeteredStore &store = of(self);
    const std::uint64_t begin = read_ticks();
    const std::int32_t status = store.inner_.table->meta_write(store.inner_.self, ops, n, durability, user_data, cq);
    store.meta_write_.note(0, n, status < 0 && status != GANTRY_E_AGAIN ? 1 : 0, read_ticks() - begin);
    return status;
  }
};

namespace {

using T = gantry_store_v1;
constexpr T kTable = {
    MeteredTable::pass<&T::open>,
    MeteredTable::pass<&T::queue_open>,
    MeteredTable::append,
    MeteredTable::read,
    MeteredTable::pass<&T::read_at>,
    MeteredTable::pass<&T::queue_stat>,
    MeteredTable::pass<&T::seek_time>,
    MeteredTable::meta_write,
    MeteredTable::pass<&T::sync>,
    MeteredTable::pass<&T::queue_drop>,
    MeteredTable::pass<&T::query_key>,
    MeteredTable::pass<&T::retain_from>,
    MeteredTable::pass<&T::stats>,
    MeteredTable::pass<&T::refusal>,
};
static_assert(sizeof kTable == 14 * sizeof(void *), "a function of gantry_store_v1 is missing here");

}  // namespace

MeteredStore::MeteredStore(StorePort inner, const std::string &plugin, PluginMeters &meters, std::uint32_t shards)
    : inner_(inner), append_(meters.add(plugin, "store", "append", shards)), read_(meters.add(plugin, "store", "read", shards)), meta_write_(meters.add(plugin, "store", "meta_write", shards)) {}

StorePort MeteredStore::port() { return {&kTable, this}; }

}  // namespace gantry::broker
