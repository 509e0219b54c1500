// The promises of gantry.filter.draft/1. What expressions mean only their author knows: the file of cases says it.
#include "kernel/kit/filter_cases.hpp"
#include "kernel/kit/subject.hpp"

#include <gantry++/str.hpp>
#include <gantry/draft/filter.h>

#include <atomic>
#include <cstring>
#include <random>
#include <set>
#include <sstream>
#include <thread>

namespace gantry::kit {
namespace {

constexpr int kBatchesPerExpression = 300;
constexpr int kProgramsAtOnce = 100;

std::string quoted(const std::string &text) { return "\"" + text + "\""; }

std::string to_text(const Message &message) {
  std::string out = "{";
  for (const auto &[name, value] : message) out += (out.size() == 1 ? "" : ", ") + name + "=" + value;
  return out + "}";
}

// Messages as the kernel shows them to one program: the columns and texts that it asked for.
class Batch {
 public:
  Batch(const gantry_filter_program &program, const std::vector<Message> &messages) : columns_(program.n_columns), bodies_(messages.size()) {
    for (std::uint32_t c = 0; c < program.n_columns; ++c) {
      const std::string name(view(program.columns[c]));
      for (const Message &message : messages) {
        const auto value = message.find(name);
        columns_[c].push_back(value == message.end() ? gantry_str{} : str(value->second));
      }
      pointers_.push_back(columns_[c].data());
    }
    for (const Message &message : messages) {
      std::string &text = texts_.emplace_back();
      for (const auto &[name, value] : message) text += name + "\x01" + value + "\x02";
    }
    for (const std::string &text : texts_) properties_.push_back(str(text));
    abi_.size = sizeof abi_;
    abi_.n = static_cast<std::uint32_t>(messages.size());
    abi_.n_columns = program.n_columns;
    abi_.cols = pointers_.data();
    if ((program.flags & GANTRY_PROGRAM_NEEDS_PROPS) != 0) abi_.props = properties_.data();
    if ((program.flags & GANTRY_PROGRAM_NEEDS_BODY) != 0) abi_.body = bodies_.data();
  }
  Batch(const Batch &) = delete;
  Batch &operator=(const Batch &) = delete;
  [[nodiscard]] const gantry_filter_batch &abi() const { return abi_; }

 private:
  std::vector<std::vector<gantry_str>> columns_;
  std::vector<const gantry_str *> pointers_;
  std::vector<std::string> texts_;
  std::vector<gantry_str> properties_, bodies_;
  gantry_filter_batch abi_{};
};

class FilterSubject : public Subject {
 public:
  FilterSubject(const Setup &setup, const ComponentName &which) : Subject(setup, which) {
    bring_up();
    types_ = std::string(view(filter().expression_types(self())));
  }

  [[nodiscard]] const gantry_filter_v1 &filter() const { return table<gantry_filter_v1>(); }
  [[nodiscard]] const std::string &types() const { return types_; }
  [[nodiscard]] bool offers(const std::string &type) const { return (" " + types_ + " ").find(" " + type + " ") != std::string::npos; }

  // The code; a refusal must be whole and leave `out` alone.
  std::int32_t try_compile(const std::string &type, const std::string &text, gantry_filter_program &out, gantry_error &err) {
    std::memset(&out, 0x5A, sizeof out);
    const gantry_filter_program before = out;
    err = {};
    std::int32_t code = GANTRY_OK;
    host().on_shard(0, [&] { code = filter().compile(self(), str(type), str(text), &out, &err); });
    if (code == GANTRY_OK) {
      check_description(text, out);
      return code;
    }
    check(code < 0, "compile answered " + std::to_string(code) + ", wanted GANTRY_OK or a negative code");
    check(err.text[0] != '\0' && std::memchr(err.text, '\0', sizeof err.text) != nullptr, "compile refused without a text that ends");
    check(std::memcmp(&out, &before, sizeof out) == 0, "compile refused and changed the program that it was to fill");
    return code;
  }
  gantry_filter_program compile(const std::string &type, const std::string &text) {
    gantry_filter_program out;
    gantry_error err;
    const std::int32_t code = try_compile(type, text, out, err);
    check(code == GANTRY_OK, "compile of " + quoted(text) + " answered " + std::to_string(code) + ": " + err.text);
    return out;
  }
  void release(const gantry_filter_program &program) { filter().program_release(self(), program.program); }

  // The answer to each message; on a shard, or on the calling thread.
  std::vector<Answer> ask(const gantry_filter_program &program, const std::vector<Message> &messages) {
    std::vector<Answer> out;
    host().on_shard(0, [&] { out = ask_here(program, messages, 0); });
    return out;
  }
  std::vector<Answer> ask_here(const gantry_filter_program &program, const std::vector<Message> &messages, std::uint32_t shard) const {
    if (program.reduced != GANTRY_REDUCED_NONE)
      return std::vector<Answer>(messages.size(), program.reduced == GANTRY_REDUCED_TRUE ? Answer::kYes : Answer::kNo);
    const Batch batch(program, messages);
    std::uint64_t match = 0, error = 0;
    const std::int32_t code = filter().eval(self(), program.program, shard, &batch.abi(), &match, &error);
    check(code == GANTRY_OK, "eval answered " + std::to_string(code) + " to a batch of " + std::to_string(messages.size()));
    check((match & error) == 0, "eval says of one message that it matches and that it cannot be decided");
    const std::uint64_t beyond = messages.size() == 64 ? 0 : ~((std::uint64_t{1} << messages.size()) - 1);
    check(((match | error) & beyond) == 0, "eval sets bits behind the last of " + std::to_string(messages.size()) + " messages");
    std::vector<Answer> out;
    for (std::size_t i = 0; i < messages.size(); ++i) out.push_back(((match >> i) & 1) != 0 ? Answer::kYes : ((error >> i) & 1) != 0 ? Answer::kError : Answer::kNo);
    return out;
  }

 private:
  static void check_description(const std::string &text, const gantry_filter_program &program) {
    const std::string of = "the program of " + quoted(text.substr(0, 200));
    check(program.size == sizeof program, of + " has size " + std::to_string(program.size) + ", wanted " + std::to_string(sizeof program));
    check(program.n_columns <= GANTRY_FILTER_COLUMNS_MAX, of + " has " + std::to_string(program.n_columns) + " columns, more than 64");
    check(program.reduced <= GANTRY_REDUCED_FALSE, of + " has an unknown value in `reduced`");
    check((program.flags & ~(GANTRY_PROGRAM_NEEDS_PROPS | GANTRY_PROGRAM_NEEDS_BODY)) == 0, of + " has unknown flags");
    check(program.bytes > 0, of + " says that it occupies no memory");
    check(program.cost > 0, of + " says that it costs nothing");
    std::set<std::string> names;
    for (std::uint32_t c = 0; c < program.n_columns; ++c) {
      const std::string name(view(program.columns[c]));
      check(!name.empty() && names.insert(name).second, of + " asks for column " + quoted(name) + " twice or without a name");
    }
  }

  std::string types_;
};

FilterCases cases_of(const Setup &setup, const FilterSubject &subject) {
  if (setup.cases.empty()) skip("no expressions to try; give a file of them with --cases FILE");
  auto cases = read_filter_cases(setup.cases);
  if (!cases) fail(cases.error().text);
  std::erase_if(cases->expressions, [&](const CaseExpression &e) { return !subject.offers(e.type); });
  std::erase_if(cases->refusals, [&](const CaseRefusal &r) { return !subject.offers(r.type); });
  if (cases->expressions.empty() && cases->refusals.empty()) fail(setup.cases + " has no expression of the types that the filter offers: " + subject.types());
  return std::move(*cases);
}

std::string place(const Setup &setup, int line) { return setup.cases + ":" + std::to_string(line) + ": "; }

void types(const Setup &setup, const ComponentName &which) {
  FilterSubject subject(setup, which);
  std::istringstream words(subject.types());
  std::set<std::string> seen;
  for (std::string type; words >> type;) {
    check(type != "TAG", "the filter offers expressions of type TAG, which are the kernel's");
    check(seen.insert(type).second, "the filter offers type " + type + " twice");
  }
  check(!seen.empty(), "the filter offers no expression type");
  gantry_filter_program out;
  gantry_error err;
  const std::int32_t code = subject.try_compile("NO-SUCH-TYPE", "x", out, err);
  check(code == GANTRY_E_UNSUPPORTED, "an expression of an unknown type was answered with " + std::to_string(code) + ", wanted GANTRY_E_UNSUPPORTED");
  subject.take_down();
}

void any_text(const Setup &setup, const ComponentName &which) {
  FilterSubject subject(setup, which);
  std::mt19937_64 random(setup.seed);
  std::vector<std::string> texts{"", std::string(1, '\0'), std::string("\xff\xfe\x01\x02", 4)};
  for (const char c : {'(', 'a', '\'', '!', '-', ' ', '\n'}) texts.emplace_back(1 << 20, c);
  for (int i = 0; i < 2000; ++i) {
    std::string text(random() % 40, '\0');
    for (char &c : text) c = static_cast<char>(random() % 4 == 0 ? random() % 256 : "ab1 <>=!()'ANDORNOT.,%_"[random() % 23]);
    texts.push_back(std::move(text));
  }
  std::istringstream words(subject.types());
  for (std::string type; words >> type;) {
    for (const std::string &text : texts) {
      gantry_filter_program program;
      gantry_error err;
      const std::int32_t code = subject.try_compile(type, text, program, err);
      if (code == GANTRY_OK) subject.release(program);
      check(code == GANTRY_OK || code == GANTRY_E_SYNTAX || code == GANTRY_E_LIMIT || code == GANTRY_E_NOMEM, "a text of " + std::to_string(text.size()) + " bytes was answered with " + std::to_string(code) + ", wanted OK, SYNTAX or LIMIT");
    }
  }
  subject.take_down();
}

void truth_table(const Setup &setup, const ComponentName &which) {
  FilterSubject subject(setup, which);
  const FilterCases cases = cases_of(setup, subject);
  for (const CaseExpression &expression : cases.expressions) {
    const gantry_filter_program program = subject.compile(expression.type, expression.text);
    for (const CaseRow &row : expression.rows) {
      const Answer got = subject.ask(program, {row.message}).front();
      check(got == row.wanted, place(setup, expression.line) + quoted(expression.text) + " of " + to_text(row.message) + " is " + to_text(got) + ", wanted " + to_text(row.wanted));
    }
    subject.release(program);
  }
  subject.take_down();
}

void refusals(const Setup &setup, const ComponentName &which) {
  FilterSubject subject(setup, which);
  const FilterCases cases = cases_of(setup, subject);
  if (cases.refusals.empty()) skip("the file of cases has no `refuse` lines for this filter");
  for (const CaseRefusal &refusal : cases.refusals) {
    gantry_filter_program out;
    gantry_error err;
    const std::string of = place(setup, refusal.line) + quoted(refusal.text);
    const std::int32_t code = subject.try_compile(refusal.type, refusal.text, out, err);
    check(code == GANTRY_E_SYNTAX || code == GANTRY_E_LIMIT, of + " was answered with " + std::to_string(code) + ", wanted SYNTAX or LIMIT");
    check(err.line == refusal.at_line && err.column == refusal.at_column,
          of + " was refused at " + std::to_string(err.line) + ":" + std::to_string(err.column) + ", wanted " + std::to_string(refusal.at_line) + ":" + std::to_string(refusal.at_column));
    check(subject.filter().compile(subject.self(), str(refusal.type), str(refusal.text), &out, nullptr) == code, of + " has another answer when err is NULL");
  }
  subject.take_down();
}

// Messages of the file's rows, some with properties of other rows, some with properties taken away.
std::vector<Message> random_messages(const FilterCases &cases, std::mt19937_64 &random) {
  const auto any = [&]() -> const Message & {
    for (;;) {
      const CaseExpression &expression = cases.expressions[random() % cases.expressions.size()];
      if (!expression.rows.empty()) return expression.rows[random() % expression.rows.size()].message;
    }
  };
  std::vector<Message> out(1 + random() % GANTRY_FILTER_BATCH_MAX);
  for (Message &message : out) {
    message = any();
    if (random() % 2 == 0)
      for (const auto &[name, value] : any()) message[name] = value;
    if (random() % 4 == 0) std::erase_if(message, [&](const auto &) { return random() % 2 == 0; });
  }
  return out;
}

void batch_equals_single(const Setup &setup, const ComponentName &which) {
  FilterSubject subject(setup, which);
  const FilterCases cases = cases_of(setup, subject);
  std::size_t rows = 0;
  for (const CaseExpression &expression : cases.expressions) rows += expression.rows.size();
  if (rows == 0) skip("the file of cases has no messages for this filter");
  std::mt19937_64 random(setup.seed);
  for (const CaseExpression &expression : cases.expressions) {
    const gantry_filter_program program = subject.compile(expression.type, expression.text);
    for (int i = 0; i < kBatchesPerExpression; ++i) {
      const std::vector<Message> messages = random_messages(cases, random);
      const std::vector<Answer> together = subject.ask(program, messages);
      for (std::size_t m = 0; m < messages.size(); ++m) {
        const Answer alone = subject.ask(program, {messages[m]}).front();
        check(alone == together[m], place(setup, expression.line) + quoted(expression.text) + " of " + to_text(messages[m]) + " is " + to_text(alone) + " alone and " + to_text(together[m]) + " as message " +
                                        std::to_string(m) + " of " + std::to_string(messages.size()));
      }
    }
    subject.release(program);
  }
  subject.take_down();
}

void text_may_go(const Setup &setup, const ComponentName &which) {
  FilterSubject subject(setup, which);
  const FilterCases cases = cases_of(setup, subject);
  for (const CaseExpression &expression : cases.expressions) {
    auto text = std::make_unique<std::string>(expression.text);
    const gantry_filter_program program = subject.compile(expression.type, *text);
    std::fill(text->begin(), text->end(), '#');
    text.reset();
    for (const CaseRow &row : expression.rows)
      check(subject.ask(program, {row.message}).front() == row.wanted, place(setup, expression.line) + quoted(expression.text) + " answers otherwise once its text is gone");
    subject.release(program);
  }
  subject.take_down();
}

void many_programs(const Setup &setup, const ComponentName &which) {
  FilterSubject subject(setup, which);
  const FilterCases cases = cases_of(setup, subject);
  if (cases.expressions.empty()) skip("the file of cases has no `expr` lines for this filter");
  std::vector<gantry_filter_program> programs;
  const auto expression = [&](std::size_t i) -> const CaseExpression & { return cases.expressions[i / 2 % cases.expressions.size()]; };
  for (std::size_t i = 0; i < kProgramsAtOnce; ++i) programs.push_back(subject.compile(expression(i).type, expression(i).text));
  for (std::size_t i = 0; i < programs.size(); i += 2) subject.release(programs[i]);
  for (std::size_t i = 1; i < programs.size(); i += 2) {
    for (const CaseRow &row : expression(i).rows)
      check(subject.ask(programs[i], {row.message}).front() == row.wanted, place(setup, expression(i).line) + quoted(expression(i).text) + " answers otherwise beside other programs");
    subject.release(programs[i]);
  }
  subject.take_down();
}

void several_threads(const Setup &setup, const ComponentName &which) {
  FilterSubject subject(setup, which);
  const FilterCases cases = cases_of(setup, subject);
  for (const CaseExpression &expression : cases.expressions) {
    const gantry_filter_program program = subject.compile(expression.type, expression.text);
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (std::uint32_t t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < 50; ++i)
          for (const CaseRow &row : expression.rows)
            if (subject.ask_here(program, {row.message}, t).front() != row.wanted) ++wrong;
      });
    }
    for (std::thread &thread : threads) thread.join();
    check(wrong == 0, place(setup, expression.line) + quoted(expression.text) + ": " + std::to_string(wrong) + " wrong answers on four threads");
    subject.release(program);
  }
  subject.take_down();
}

// The k-th call to the host fails, for every k that compile makes.
void host_fails_during_compile(const Setup &setup, const ComponentName &which) {
  FilterSubject subject(setup, which);
  const FilterCases cases = cases_of(setup, subject);
  for (const CaseExpression &expression : cases.expressions) {
    for (std::uint64_t k = 1;; ++k) {
      subject.host().fail_call(k);
      gantry_filter_program program;
      gantry_error err;
      const std::int32_t code = subject.try_compile(expression.type, expression.text, program, err);
      const std::uint64_t calls = subject.host().calls_that_can_fail();
      subject.host().fail_call(0);
      if (code == GANTRY_OK) subject.release(program);
      if (calls < k) break;
    }
  }
  subject.take_down();
}

}  // namespace

void add_filter_tests(const Setup &setup, const ComponentName &which, const std::string &prefix, std::vector<Test> &out) {
  const auto add = [&](const std::string &name, void (*test)(const Setup &, const ComponentName &)) {
    out.push_back({prefix + name, [&setup, which, test] { test(setup, which); }});
  };
  add("types", types);
  add("any-text-is-answered", any_text);
  add("truth-table", truth_table);
  add("refusals-have-a-position", refusals);
  add("batch-equals-single", batch_equals_single);
  add("text-may-go-after-compile", text_may_go);
  add("many-programs", many_programs);
  add("several-threads", several_threads);
  add("host-fails-during-compile", host_fails_during_compile);
}

}  // namespace gantry::kit
