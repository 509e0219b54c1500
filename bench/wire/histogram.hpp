// A latency histogram with log-linear buckets: constant relative error from nanoseconds to hours.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace gantry::bench {

/// Counts of values in nanoseconds. Each power of two is cut into 128 buckets, so a reported
/// value is at most 0.8% above the recorded one. One thread; merge() joins the histograms of several.
class Histogram {
 public:
  static constexpr unsigned kSubBucketBits = 7;
  static constexpr std::uint64_t kSubBuckets = 1u << kSubBucketBits;
  /// Values at or above this (18 minutes) are counted in the last bucket.
  static constexpr std::uint64_t kLimit_ns = 1ull << 40;

  Histogram() : counts_(index_of(kLimit_ns - 1) + 1) {}

  /// Adds one value in nanoseconds.
  void record(std::uint64_t value_ns) {
    max_ns_ = std::max(max_ns_, value_ns);
    ++counts_[index_of(std::min(value_ns, kLimit_ns - 1))];
    ++total_;
  }

  void merge(const Histogram &other) {
    for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
    total_ += other.total_;
    max_ns_ = std::max(max_ns_, other.max_ns_);
  }

  [[nodiscard]] std::uint64_t total() const { return total_; }
  [[nodiscard]] std::uint64_t max_ns() const { return max_ns_; }

  /// The smallest bucket edge that `quantile` (0..1) of the values do not exceed; 0 when empty.
  [[nodiscard]] std::uint64_t at_ns(double quantile) const {
    if (total_ == 0) return 0;
    const double wanted = quantile * static_cast<double>(total_);
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      seen += counts_[i];
      if (counts_[i] != 0 && static_cast<double>(seen) >= wanted) return std::min(upper_of(i), max_ns_);
    }
    return max_ns_;
  }

  /// How many values lie in buckets that end below `limit_ns`.
  [[nodiscard]] std::uint64_t count_below(std::uint64_t limit_ns) const {
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < counts_.size() && upper_of(i) < limit_ns; ++i) seen += counts_[i];
    return seen;
  }

  /// Calls visit(highest value of the bucket in ns, count) for every bucket in use, rising.
  template <class Visit>
  void for_each(Visit visit) const {
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      if (counts_[i] != 0) visit(upper_of(i), counts_[i]);
    }
  }

  /// Bucket of a value below kLimit_ns.
  static constexpr std::size_t index_of(std::uint64_t value) {
    if (value < 2 * kSubBuckets) return static_cast<std::size_t>(value);
    const unsigned shift = static_cast<unsigned>(std::bit_width(value)) - 1 - kSubBucketBits;
    return static_cast<std::size_t>(shift * kSubBuckets + (value >> shift));
  }

  /// Highest value that falls into bucket `index`.
  static constexpr std::uint64_t upper_of(std::size_t index) {
    if (index < 2 * kSubBuckets) return index;
    const std::uint64_t shift = index / kSubBuckets - 1;
    return ((kSubBuckets + index % kSubBuckets + 1) << shift) - 1;
  }

 private:
  std::vector<std::uint64_t> counts_;
  std::uint64_t total_ = 0;
  std::uint64_t max_ns_ = 0;
};

static_assert(Histogram::index_of(255) == 255 && Histogram::index_of(256) == 256);
static_assert(Histogram::upper_of(Histogram::index_of(1'000'000)) >= 1'000'000);

}  // namespace gantry::bench
