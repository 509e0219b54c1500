// The promises of gantry.allocator.draft/1.
#include "kernel/kit/subject.hpp"

#include <gantry++/str.hpp>
#include <gantry/draft/allocator.h>

#include <algorithm>
#include <atomic>
#include <random>
#include <thread>

namespace gantry::kit {
namespace {

constexpr std::uint32_t kUntouched = 0xABCDABCD;
constexpr int kRandomInputs = 200;

// Members and queues with the memory that the input points to.
struct Input {
  std::vector<std::string> ids, brokers;
  std::vector<gantry_alloc_consumer> consumers;
  std::vector<gantry_alloc_queue> queues;
  gantry_alloc_input abi{};

  Input(std::uint32_t n_consumers, std::uint32_t n_queues, std::uint64_t seed) {
    std::mt19937_64 random(seed);
    for (std::uint32_t i = 0; i < n_consumers; ++i) {
      const std::string number = std::to_string(i);
      ids.push_back("10." + std::to_string(random() % 256) + ".0." + std::string(6 - number.size(), '0') + number + "@client");
    }
    std::sort(ids.begin(), ids.end());
    const auto n_brokers = static_cast<std::uint32_t>(1 + random() % 3);
    for (std::uint32_t b = 0; b < n_brokers; ++b) brokers.push_back("broker-" + std::to_string(b));
    for (const std::string &id : ids) consumers.push_back({str(id), random() % 2 == 0 ? gantry_str{} : str("zone-a"), static_cast<std::uint32_t>(1 + random() % 4), 0});
    for (std::uint32_t q = 0; q < n_queues; ++q) {
      const std::uint32_t broker = q * n_brokers / n_queues;
      const std::uint32_t previous = random() % 3 == 0 ? GANTRY_NO_CONSUMER : static_cast<std::uint32_t>(random() % n_consumers);
      queues.push_back({str(brokers[broker]), q, previous});
    }
    abi = gantry_alloc_input{sizeof abi, 0, str("TopicTest"), str("GroupTest"), consumers.data(), queues.data(), n_consumers, n_queues};
  }
  Input(const Input &) = delete;
  Input &operator=(const Input &) = delete;

  [[nodiscard]] std::string text() const { return std::to_string(abi.n_queues) + " queues, " + std::to_string(abi.n_consumers) + " consumers"; }
};

Input random_input(std::mt19937_64 &random) {
  const auto consumers = static_cast<std::uint32_t>(1 + random() % 40), queues = static_cast<std::uint32_t>(1 + random() % 100);
  return {consumers, queues, random()};
}

std::int32_t ask(Subject &subject, const Input &in, std::uint32_t *owner, gantry_error *err) {
  std::int32_t code = GANTRY_OK;
  subject.host().on_shard(0, [&] { code = subject.table<gantry_allocator_v1>().assign(subject.self(), &in.abi, owner, err); });
  return code;
}

// The owners, with one more at the end that assign must leave alone.
std::vector<std::uint32_t> assigned(Subject &subject, const Input &in) {
  gantry_error err{};
  std::vector<std::uint32_t> owner(in.abi.n_queues + 1, kUntouched);
  const std::int32_t code = ask(subject, in, owner.data(), &err);
  check(code == GANTRY_OK, "assign answered " + std::to_string(code) + " to " + in.text() + ": " + err.text);
  check(owner.back() == kUntouched, "assign writes behind the last of " + in.text());
  return owner;
}

void every_queue_has_one_member(const Setup &setup, const ComponentName &which) {
  Subject subject(setup, which);
  subject.bring_up();
  std::mt19937_64 random(setup.seed);
  const auto look_at = [&](const Input &in) {
    const std::vector<std::uint32_t> owner = assigned(subject, in);
    for (std::uint32_t q = 0; q < in.abi.n_queues; ++q)
      check(owner[q] < in.abi.n_consumers, "queue " + std::to_string(q) + " of " + in.text() + " was given to " + std::to_string(owner[q]) + ", who does not exist");
  };
  for (const std::uint32_t consumers : {1u, 2u, 3u, 7u, 100u})
    for (const std::uint32_t queues : {1u, 2u, 8u, 9u, 1000u}) look_at(Input(consumers, queues, random()));
  for (int i = 0; i < kRandomInputs; ++i) look_at(random_input(random));
  subject.take_down();
}

// The answer depends on the input alone: not on addresses, on the instance or on what was asked before, in whatever order.
void deterministic(const Setup &setup, const ComponentName &which) {
  Subject first(setup, which), second(setup, which);
  first.bring_up();
  second.bring_up();
  std::mt19937_64 random(setup.seed);
  std::vector<std::uint64_t> seeds(kRandomInputs);
  for (std::uint64_t &seed : seeds) seed = random();
  const auto input = [](std::uint64_t seed) {
    std::mt19937_64 one(seed);
    return random_input(one);
  };
  std::vector<std::vector<std::uint32_t>> answers;
  for (const std::uint64_t seed : seeds) answers.push_back(assigned(first, input(seed)));
  std::vector<std::size_t> order(seeds.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::shuffle(order.begin(), order.end(), random);
  for (const std::size_t i : order) {
    const Input again = input(seeds[i]);
    check(assigned(first, again) == answers[i], "the same input, asked in another order, had another answer: " + again.text());
    check(assigned(second, again) == answers[i], "another instance gives another answer to the same input: " + again.text());
  }
  first.take_down();
  second.take_down();
}

void input_left_alone(const Setup &setup, const ComponentName &which) {
  Subject subject(setup, which);
  subject.bring_up();
  const Input in(3, 10, setup.seed), same(3, 10, setup.seed);
  (void)assigned(subject, in);
  for (std::uint32_t q = 0; q < 10; ++q) check(in.queues[q].previous == same.queues[q].previous && in.queues[q].queue_no == same.queues[q].queue_no, "assign changed a queue of its input");
  check(in.ids == same.ids, "assign changed a client id of its input");
  subject.take_down();
}

void nobody_or_nothing_is_refused(const Setup &setup, const ComponentName &which) {
  Subject subject(setup, which);
  subject.bring_up();
  for (const bool no_consumers : {true, false}) {
    Input in(2, 2, setup.seed);
    (no_consumers ? in.abi.n_consumers : in.abi.n_queues) = 0;
    std::uint32_t owner[2] = {kUntouched, kUntouched};
    gantry_error err{};
    const std::string what = no_consumers ? "no consumers" : "no queues";
    check(ask(subject, in, owner, &err) < 0, "an input with " + what + " was not refused");
    check(err.text[0] != '\0', "an input with " + what + " was refused without a text");
    check(owner[0] == kUntouched && owner[1] == kUntouched, "an input with " + what + " was refused, and owners were written");
    check(ask(subject, in, owner, nullptr) < 0, "an input with " + what + " was not refused when err is NULL");
  }
  subject.take_down();
}

void several_threads(const Setup &setup, const ComponentName &which) {
  Subject subject(setup, which);
  subject.bring_up();
  const Input in(9, 200, setup.seed);
  const std::vector<std::uint32_t> wanted = assigned(subject, in);
  const auto &table = subject.table<gantry_allocator_v1>();
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      std::vector<std::uint32_t> owner(201, kUntouched);
      for (int i = 0; i < 200; ++i)
        if (table.assign(subject.self(), &in.abi, owner.data(), nullptr) != GANTRY_OK || owner != wanted) ++wrong;
    });
  }
  for (std::thread &thread : threads) thread.join();
  check(wrong == 0, std::to_string(wrong) + " of 800 answers on four threads differ from the one on one thread");
  subject.take_down();
}

}  // namespace

void add_allocator_tests(const Setup &setup, const ComponentName &which, const std::string &prefix, std::vector<Test> &out) {
  const auto add = [&](const std::string &name, void (*test)(const Setup &, const ComponentName &)) {
    out.push_back({prefix + name, [&setup, which, test] { test(setup, which); }});
  };
  add("every-queue-has-one-member", every_queue_has_one_member);
  add("deterministic", deterministic);
  add("input-left-alone", input_left_alone);
  add("nobody-or-nothing-is-refused", nobody_or_nothing_is_refused);
  add("several-threads", several_threads);
}

}  // namespace gantry::kit
