// Taking appends whose body is that of an earlier record: finds the base without waiting for a disk, and decides whether it may be referred to.
// Guarded by Core::mutex.
#pragma once

#include "core.hpp"
#include "extent_cache.hpp"

#include <optional>
#include <span>
#include <vector>

namespace gantry::commitlog {

class References {
 public:
  explicit References(Core &core) : core_(core) {}

  // `request` has base_bytes. Codes as gantry_store_v1::append; STALE: store the whole record. Nothing is taken then.
  [[nodiscard]] std::int32_t append(const gantry_append &request, gantry_cq cq);

 private:
  struct Base {
    LogPos pos;
    RecordRow row;
    ExtentRef extent;  // that it begins in; null: it is in the arena, or only its row is known
  };
  struct Resolved {
    Reference reference;
    std::span<const std::uint8_t> before, behind;  // further own bytes around the borrowed ones, from a base that refers itself
  };
  [[nodiscard]] std::int32_t find(LogPos pos, Base *out);
  [[nodiscard]] std::int32_t resolve(const gantry_append &request, const Base &base, Resolved *out) const;
  [[nodiscard]] const std::uint8_t *stored_bytes(const Base &base) const;
  [[nodiscard]] bool may_refer_to(LogPos base) const;

  Core &core_;
  std::vector<std::uint8_t> head_;  // of the record being taken: the reference and its first span
  std::vector<gantry_span> spans_;
};

}  // namespace gantry::commitlog
