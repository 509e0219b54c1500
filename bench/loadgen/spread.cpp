#include "loadgen/spread.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

namespace gantry::bench {

namespace {

constexpr std::size_t kPicks = 1u << 22;

}  // namespace

Spread::Spread(std::uint64_t queues, double exponent, std::uint64_t seed) : queues_(queues) {
  if (exponent <= 0) return;
  std::vector<double> sums(queues);  // of the weights of ranks 1 .. i + 1
  double sum = 0;
  for (std::uint64_t i = 0; i < queues; ++i) sums[i] = sum += std::pow(static_cast<double>(i + 1), -exponent);
  std::vector<std::uint32_t> queue_of_rank(queues);
  std::iota(queue_of_rank.begin(), queue_of_rank.end(), 0u);
  std::mt19937_64 random(seed);
  std::shuffle(queue_of_rank.begin(), queue_of_rank.end(), random);
  std::uniform_real_distribution<double> uniform(0, sum);
  picks_.resize(kPicks);
  for (std::uint32_t &pick : picks_) {
    const auto rank = std::lower_bound(sums.begin(), sums.end(), uniform(random)) - sums.begin();
    pick = queue_of_rank[std::min<std::uint64_t>(static_cast<std::uint64_t>(rank), queues - 1)];
  }
}

}  // namespace gantry::bench
