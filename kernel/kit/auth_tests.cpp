// The promises of gantry.auth.draft/2 that hold whatever the rules are.
#include "kernel/kit/subject.hpp"

#include <gantry++/str.hpp>
#include <gantry/draft/security.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <random>
#include <thread>

namespace gantry::kit {
namespace {

constexpr std::int64_t kSomeTimeMs = 1'700'000'000'000;
constexpr std::uint32_t kUntouched = 0xABCDABCD;

std::atomic<std::uint64_t> changes{0};

gantry_peer some_peer() {
  gantry_peer out{};
  out.ip[0] = 203;
  out.ip[3] = 7;
  out.ip_bytes = 4;
  out.text = str("203.0.0.7:40000");
  return out;
}

std::string random_text(std::mt19937_64 &random, std::size_t most) {
  std::string out(random() % (most + 1), '\0');
  for (char &c : out) c = static_cast<char>(random());
  return out;
}

std::vector<gantry_authz> random_items(std::mt19937_64 &random, std::vector<std::string> &names) {
  names.resize(1 + random() % 40);
  for (std::string &name : names) name = random() % 4 == 0 ? "*" : random_text(random, 300);
  std::vector<gantry_authz> out;
  for (const std::string &name : names)
    out.push_back({static_cast<std::uint32_t>(GANTRY_RESOURCE_TOPIC + random() % 3), static_cast<std::uint32_t>(1 + random() % GANTRY_ACTION_ALL), str(name), 0});
  return out;
}

gantry_login verify(Subject &subject, std::string_view access_key, std::string_view signature, std::string_view content, std::string_view body) {
  const gantry_peer peer = some_peer();
  gantry_signed_request request{};
  request.access_key = str(access_key);
  request.signature = str(signature);
  request.content = str(content);
  request.body = str(body);
  request.request = str("KIT");
  request.peer = &peer;
  gantry_login out[2] = {{99, kUntouched, 0}, {99, kUntouched, 0}};
  subject.host().on_shard(0, [&] { subject.table<gantry_auth_v1>().verify(subject.self(), 0, &request, 1, out); });
  check(out[0].outcome != kUntouched, "verify left an outcome unwritten");
  check(out[1].outcome == kUntouched && out[1].principal == 99, "verify wrote behind the last outcome");
  check((out[0].outcome == GANTRY_LOGIN_OK) == (out[0].principal != 0), "verify answered outcome " + std::to_string(out[0].outcome) + " with principal " + std::to_string(out[0].principal));
  return out[0];
}

std::vector<std::uint32_t> authorize(Subject &subject, gantry_principal who, const std::vector<gantry_authz> &items) {
  const gantry_peer peer = some_peer();
  std::vector<std::uint32_t> out(items.size() + 1, kUntouched);
  subject.host().on_shard(0, [&] { subject.table<gantry_auth_v1>().authorize(subject.self(), 0, who, &peer, items.data(), static_cast<std::uint32_t>(items.size()), out.data()); });
  check(out.back() == kUntouched, "authorize wrote behind the last decision");
  out.pop_back();
  for (const std::uint32_t decision : out) check(decision <= GANTRY_DECISION_DENY, "authorize answered " + std::to_string(decision) + ", which is no decision");
  return out;
}

// Who nobody vouched for gets nothing.
void strangers_are_refused(const Setup &setup, const ComponentName &which) {
  Subject subject(setup, which);
  subject.bring_up();
  std::mt19937_64 random(setup.seed);
  check(verify(subject, "", "", "content", "body").outcome != GANTRY_LOGIN_OK, "a request without access key and signature logged in");
  for (int i = 0; i < 500; ++i) {
    const std::string key = random_text(random, 300), signature = random() % 2 == 0 ? random_text(random, 40) : std::string(28, 'A');
    check(verify(subject, key, signature, random_text(random, 100), random_text(random, 100)).outcome != GANTRY_LOGIN_OK, "a random access key with a random signature logged in");
    const gantry_peer peer = some_peer();
    const gantry_credentials credentials{GANTRY_CREDENTIALS_PASSWORD, 0, str(key), str(signature), &peer};
    gantry_login out{99, kUntouched, 0};
    subject.host().on_shard(0, [&] { subject.table<gantry_auth_v1>().authenticate(subject.self(), 0, &credentials, &out); });
    check(out.outcome != GANTRY_LOGIN_OK && out.outcome != kUntouched && out.principal == 0, "a random name with a random password logged in, or was not answered");
    std::vector<std::string> names;
    for (const gantry_principal nobody : {gantry_principal{0}, gantry_principal{random() | (1ull << 63)}})
      for (const std::uint32_t decision : authorize(subject, nobody, random_items(random, names))) check(decision != GANTRY_DECISION_ALLOW, "a principal that does not exist was allowed something");
  }
  char text[4] = {'x', 'x', 'x', 'x'};
  check(subject.table<gantry_auth_v1>().name(subject.self(), 0, text, 4) == 0, "nobody has a name");
  subject.take_down();
}

struct Signed {
  char access_key[256] = {}, signature[32] = {};
};

// The broker's own signature, which is the only one that the kit can have made. Skips where there is none.
Signed signed_by_broker(Subject &subject, std::string_view content, std::string_view body) {
  Signed out;
  std::int32_t status = GANTRY_OK;
  subject.host().on_shard(0, [&] { status = subject.table<gantry_auth_v1>().sign(subject.self(), 0, str(content), str(body), out.access_key, out.signature); });
  if (status == GANTRY_E_UNSUPPORTED) skip("the plugin signs nothing as the broker");
  check(status == GANTRY_OK, "sign answered " + std::to_string(status));
  check(std::memchr(out.access_key, '\0', sizeof out.access_key) != nullptr && std::strlen(out.signature) == 28, "sign wrote no terminated access key, or a signature that has not 28 characters");
  return out;
}

void own_signature_holds(const Setup &setup, const ComponentName &which) {
  Subject subject(setup, which);
  subject.bring_up();
  subject.host().freeze_clock(kSomeTimeMs);
  subject.host().turn();
  std::mt19937_64 random(setup.seed);
  for (int i = 0; i < 50; ++i) {
    const std::string content = random_text(random, 400), body = random_text(random, 2000);
    const Signed mine = signed_by_broker(subject, content, body);
    const std::string all = mine.access_key + content;
    const gantry_login login = verify(subject, mine.access_key, mine.signature, all, body);
    check(login.outcome == GANTRY_LOGIN_OK, "the broker's own signature was refused with outcome " + std::to_string(login.outcome));
    check(verify(subject, mine.access_key, mine.signature, all, body + "x").outcome != GANTRY_LOGIN_OK, "a signature held for another body");
    std::string wrong = mine.signature;
    wrong[random() % wrong.size()] ^= 1;
    if (wrong != mine.signature) check(verify(subject, mine.access_key, wrong, all, body).outcome != GANTRY_LOGIN_OK, "a changed signature held");
    char name[256];
    const std::uint32_t n = subject.table<gantry_auth_v1>().name(subject.self(), login.principal, name, sizeof name);
    check(std::string_view(name, std::min<std::size_t>(n, sizeof name)) == mine.access_key, "the broker's user has another name than the access key it signs with");
    check(verify(subject, mine.access_key, mine.signature, all, body).principal == login.principal, "the same user had two principals");
    subject.host().advance_ms(86'400'000);  // so that failures are forgotten
    subject.host().turn();
  }
  subject.take_down();
}

void batch_equals_single(const Setup &setup, const ComponentName &which) {
  Subject subject(setup, which);
  subject.bring_up();
  std::mt19937_64 random(setup.seed);
  const Signed mine = signed_by_broker(subject, "c", "b");
  const gantry_principal who = verify(subject, mine.access_key, mine.signature, mine.access_key + std::string("c"), "b").principal;
  for (int i = 0; i < 200; ++i) {
    std::vector<std::string> names;
    const std::vector<gantry_authz> items = random_items(random, names);
    const std::vector<std::uint32_t> all = authorize(subject, who, items);
    for (std::size_t k = 0; k < items.size(); ++k) check(authorize(subject, who, {items[k]})[0] == all[k], "authorize answers an item alone and among others differently");
  }
  subject.take_down();
}

void reload_voids_decisions(const Setup &setup, const ComponentName &which) {
  Subject subject(setup, which);
  subject.bring_up();
  const std::uint64_t before = changes;
  gantry_error err{};
  std::int32_t status = GANTRY_OK;
  subject.host().on_control([&] { status = subject.table<gantry_auth_v1>().reload(subject.self(), &err); });
  check(status == GANTRY_OK || (status < 0 && err.text[0] != '\0'), "reload failed without a text");
  check(status != GANTRY_OK || changes > before, "reload succeeded and did not call policies_changed: the kernel goes on with old decisions");
  subject.take_down();
}

void several_shards(const Setup &setup, const ComponentName &which) {
  Subject subject(setup, which);
  subject.bring_up();
  const auto &table = subject.table<gantry_auth_v1>();
  const gantry_peer peer = some_peer();
  std::atomic<bool> stop{false};
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (std::uint32_t shard = 0; shard < subject.host().shards(); ++shard)
    threads.emplace_back([&, shard] {
      const gantry_authz item{GANTRY_RESOURCE_TOPIC, GANTRY_ACTION_PUB, str("T"), 0};
      while (!stop) {
        std::uint32_t decision = kUntouched;
        table.authorize(subject.self(), shard, 0, &peer, &item, 1, &decision);
        if (decision == GANTRY_DECISION_ALLOW || decision == kUntouched) ++wrong;
      }
    });
  for (int i = 0; i < 20; ++i) subject.host().on_control([&] { (void)table.reload(subject.self(), nullptr); });
  stop = true;
  for (std::thread &thread : threads) thread.join();
  check(wrong == 0, "nobody was allowed something, or was not answered, while rules were read again");
  subject.take_down();
}

}  // namespace

const gantry_security_v1 &kit_security() {
  static const gantry_security_v1 kTable = {
      .required = [](const gantry_host *) noexcept -> std::int32_t { return 0; },
      .verify = [](const gantry_host *, std::uint32_t, const gantry_signed_request *, std::uint32_t, gantry_login *) noexcept { fail("the plugin calls verify of gantry.security, which asks the plugin"); },
      .login = [](const gantry_host *, std::uint32_t, const gantry_credentials *, gantry_login *) noexcept { fail("the plugin calls login of gantry.security, which asks the plugin"); },
      .check = [](const gantry_host *, std::uint32_t, const gantry_access *, std::uint32_t *, std::uint32_t *) noexcept -> std::int32_t { fail("the plugin calls check of gantry.security, which asks the plugin"); },
      .name = [](const gantry_host *, gantry_principal, char *, std::uint32_t) noexcept -> std::uint32_t { fail("the plugin calls name of gantry.security, which asks the plugin"); },
      .sign = [](const gantry_host *, std::uint32_t, gantry_str, gantry_str, char *, char *) noexcept -> std::int32_t { fail("the plugin calls sign of gantry.security, which asks the plugin"); },
      .policies_changed = [](const gantry_host *) noexcept { ++changes; },
  };
  return kTable;
}

void add_auth_tests(const Setup &setup, const ComponentName &which, const std::string &prefix, std::vector<Test> &out) {
  const auto add = [&](const char *name, void (*run)(const Setup &, const ComponentName &)) { out.push_back({prefix + name, [&setup, which, run] { run(setup, which); }}); };
  add("strangers-are-refused", strangers_are_refused);
  add("own-signature-holds", own_signature_holds);
  add("batch-equals-single", batch_equals_single);
  add("reload-voids-decisions", reload_voids_decisions);
  add("several-shards", several_shards);
}

}  // namespace gantry::kit
