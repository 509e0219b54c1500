#include "program.hpp"

#include <gantry++/result.hpp>
#include <gantry++/str.hpp>

#include <algorithm>
#include <bit>
#include <cstring>

namespace gantry::sql92 {

namespace {

// For the messages whose bits are set in `where`.
template <typename Fn>
Planes each(std::uint64_t where, Fn fn) {
  Planes out;
  for (; where != 0; where &= where - 1) {
    const auto i = static_cast<std::uint32_t>(std::countr_zero(where));
    const std::uint64_t bit = where & (~where + 1);
    const Truth truth = fn(i);
    out.yes |= truth == Truth::kTrue ? bit : 0;
    out.no |= truth == Truth::kFalse ? bit : 0;
    out.error |= truth == Truth::kError ? bit : 0;
  }
  return out;
}

Truth of(bool b) { return b ? Truth::kTrue : Truth::kFalse; }

// Order of a property's text and a number, which is what `relate` does with them. None: the text is no such number.
template <Kind kind>
std::optional<int> order_of(std::string_view text, const Value &number) {
  if constexpr (kind == Kind::kDouble) {
    const std::optional<double> v = parse_double(text);
    return v.has_value() ? std::optional(compare_doubles(*v, number.real)) : std::nullopt;
  } else {
    const std::optional<std::int64_t> v = kind == Kind::kInt ? parse_int(text) : parse_long(text);
    return v.has_value() ? std::optional(*v < number.integer ? -1 : *v > number.integer ? 1 : 0) : std::nullopt;
  }
}

// Where an operand's value comes from while an operation runs.
struct Reader {
  const Value *constant = nullptr;
  const gantry_str *column = nullptr;
  Planes planes;

  // False: computing it raised an error.
  [[nodiscard]] bool read(std::uint32_t i, Value *out) const {
    if (constant != nullptr) {
      *out = *constant;
    } else if (column != nullptr) {
      *out = column[i].n != 0 ? Value::of(view(column[i])) : Value{};
    } else {
      if ((planes.error >> i & 1) != 0) return false;
      *out = (planes.yes >> i & 1) != 0 ? Value::of(true) : (planes.no >> i & 1) != 0 ? Value::of(false) : Value{};
    }
    return true;
  }
};

class Machine {
 public:
  Machine(const Program &program, const gantry_str *const *cols, std::uint32_t n) : program_(program), cols_(cols), active_(~std::uint64_t{0} >> (64 - n)) {}

  Planes run() {
    const auto n = static_cast<std::uint32_t>(program_.ops.size());
    for (std::uint32_t at = 0; at < n; ++at) {
      const Op &op = program_.ops[at];
      if (op.code == OpCode::kOnlyAnd || op.code == OpCode::kOnlyOr) {
        GANTRY_ASSERT(depth_ > 0);
        const Planes &left = stack_[depth_ - 1];
        active_ &= ~(left.error | (op.code == OpCode::kOnlyAnd ? left.no : left.yes));
        if (active_ != 0) continue;
        push({});
        at = op.index - 1;
        continue;
      }
      push(step(op));
    }
    return pop();
  }

 private:
  void push(const Planes &planes) {
    GANTRY_ASSERT(depth_ < kMaxDepth);
    active_of_[depth_] = active_;
    stack_[depth_++] = planes;
  }
  Planes pop() {
    GANTRY_ASSERT(depth_ > 0);
    return stack_[--depth_];
  }

  Reader reader(const Operand &operand) {
    Reader out;
    switch (operand.source) {
      case Source::kConstant: out.constant = &program_.constants[operand.index]; break;
      case Source::kColumn: out.column = cols_[operand.index]; break;
      case Source::kStack: out.planes = pop(); break;
    }
    return out;
  }

  Planes step(const Op &op) {
    switch (op.code) {
      case OpCode::kTruth: return each(active_, [&op](std::uint32_t) { return op.truth; });
      case OpCode::kCast: {
        const gantry_str *const column = cols_[op.operands[0].index];
        return each(active_, [column](std::uint32_t i) { return column[i].n != 0 ? Truth::kFalse : Truth::kUnknown; });
      }
      case OpCode::kRelate: return relate_all(op);
      case OpCode::kBetween: return between(op);
      case OpCode::kIsNull: {
        const Reader value = reader(op.operands[0]);
        return each(active_, [&value](std::uint32_t i) {
          Value v;
          return value.read(i, &v) ? of(v.is_null()) : Truth::kError;
        });
      }
      case OpCode::kIn: return in_set(op);
      case OpCode::kContains:
      case OpCode::kStartsWith:
      case OpCode::kEndsWith: return match_text(op);
      case OpCode::kNot: {
        const Planes v = pop();
        return {v.no, v.yes, v.error};
      }
      case OpCode::kAnd: {
        const Planes r = pop(), l = pop();
        active_ = active_of_[depth_];  // when l was computed
        return {l.yes & r.yes, l.no | (~l.error & r.no), l.error | (~l.no & r.error)};
      }
      case OpCode::kOr: {
        const Planes r = pop(), l = pop();
        active_ = active_of_[depth_];
        return {l.yes | (~l.error & r.yes), l.no & r.no, l.error | (~l.yes & r.error)};
      }
      case OpCode::kForget: return {0, 0, pop().error};
      case OpCode::kOnlyAnd:
      case OpCode::kOnlyOr: break;  // in run
    }
    return {};
  }

  Planes relate_all(const Op &op) {
    if (op.operands[0].source == Source::kColumn && op.operands[1].source == Source::kConstant) {
      const gantry_str *const column = cols_[op.operands[0].index];
      const Value &constant = program_.constants[op.operands[1].index];
      const Relation relation = op.relation;
      if (constant.kind == Kind::kText && relation == Relation::kEqual)
        return each(active_, [&](std::uint32_t i) { return column[i].n == 0 ? Truth::kUnknown : of(view(column[i]) == constant.text); });
      if (constant.kind == Kind::kInt) return relate_number<Kind::kInt>(column, relation, constant);
      if (constant.kind == Kind::kLong) return relate_number<Kind::kLong>(column, relation, constant);
      if (constant.kind == Kind::kDouble) return relate_number<Kind::kDouble>(column, relation, constant);
    }
    const Reader r = reader(op.operands[1]), l = reader(op.operands[0]);
    return each(active_, [&](std::uint32_t i) {
      Value lv, rv;
      if (!l.read(i, &lv)) return Truth::kError;
      if (lv.is_null() && op.relation != Relation::kEqual) return Truth::kUnknown;  // the right side is not looked at
      return r.read(i, &rv) ? relate(op.relation, lv, rv) : Truth::kError;
    });
  }

  template <Kind kind>
  Planes relate_number(const gantry_str *column, Relation relation, const Value &number) {
    return each(active_, [&](std::uint32_t i) {
      if (column[i].n == 0) return Truth::kUnknown;
      const std::optional<int> order = order_of<kind>(view(column[i]), number);
      return order.has_value() ? of(holds(relation, *order)) : Truth::kError;
    });
  }

  // The property is read as a number once. When it is none, the first half raises the error.
  template <Kind kind>
  Planes between_numbers(const Op &op) {
    const gantry_str *const column = cols_[op.operands[0].index];
    const Value &low = program_.constants[op.operands[1].index], &high = program_.constants[op.operands[2].index];
    return each(active_, [&](std::uint32_t i) {
      if (column[i].n == 0) return Truth::kUnknown;
      if constexpr (kind == Kind::kDouble) {
        const std::optional<double> v = parse_double(view(column[i]));
        if (!v.has_value()) return Truth::kError;
        return of((compare_doubles(*v, low.real) >= 0 && compare_doubles(*v, high.real) <= 0) != op.negated);
      } else {
        const std::optional<std::int64_t> v = kind == Kind::kInt ? parse_int(view(column[i])) : parse_long(view(column[i]));
        if (!v.has_value()) return Truth::kError;
        return of((*v >= low.integer && *v <= high.integer) != op.negated);
      }
    });
  }

  Planes between(const Op &op) {
    if (op.operands[0].source == Source::kColumn && op.operands[1].source == Source::kConstant && op.operands[2].source == Source::kConstant) {
      const Kind low = program_.constants[op.operands[1].index].kind, high = program_.constants[op.operands[2].index].kind;
      if (low == high && low == Kind::kInt) return between_numbers<Kind::kInt>(op);
      if (low == high && low == Kind::kLong) return between_numbers<Kind::kLong>(op);
      if (low == high && low == Kind::kDouble) return between_numbers<Kind::kDouble>(op);
    }
    const Reader high = reader(op.operands[2]), low = reader(op.operands[1]), value = reader(op.operands[0]);
    const auto one = [](Relation relation, const Value &v, const Reader &bound, std::uint32_t i) {
      Value b;
      if (v.is_null()) return Truth::kUnknown;
      return bound.read(i, &b) ? relate(relation, v, b) : Truth::kError;
    };
    // As AND and OR do, the second half is looked at only when the first leaves it open.
    const Truth decided = of(op.negated);
    return each(active_, [&](std::uint32_t i) {
      Value v;
      if (!value.read(i, &v)) return Truth::kError;
      const Truth first = one(op.negated ? Relation::kLess : Relation::kGreaterEqual, v, low, i);
      if (first == decided || first == Truth::kError) return first;
      const Truth second = one(op.negated ? Relation::kGreater : Relation::kLessEqual, v, high, i);
      if (second == decided || second == Truth::kError) return second;
      return first == Truth::kUnknown || second == Truth::kUnknown ? Truth::kUnknown : first;
    });
  }

  Planes in_set(const Op &op) {
    const gantry_str *const column = cols_[op.operands[0].index];
    const Set &set = program_.sets[op.index];
    const auto begin = program_.members.begin() + set.first, end = begin + set.n;
    return each(active_, [&](std::uint32_t i) { return column[i].n == 0 ? Truth::kUnknown : of(std::binary_search(begin, end, view(column[i])) != op.negated); });
  }

  // Never null: what is no text, or absent, contains nothing and does not "not contain" either.
  Planes match_text(const Op &op) {
    const Reader value = reader(op.operands[0]);
    const std::string_view wanted = program_.constants[op.index].text;
    return each(active_, [&](std::uint32_t i) {
      Value v;
      if (wanted.empty()) return Truth::kFalse;
      if (!value.read(i, &v)) return Truth::kError;
      if (v.kind != Kind::kText) return Truth::kFalse;
      bool found = false;
      if (op.code == OpCode::kContains)
        found = v.text.size() >= wanted.size() && memmem(v.text.data(), v.text.size(), wanted.data(), wanted.size()) != nullptr;
      else
        found = op.code == OpCode::kStartsWith ? v.text.starts_with(wanted) : v.text.ends_with(wanted);
      return of(found != op.negated);
    });
  }

  const Program &program_;
  const gantry_str *const *cols_;
  std::uint64_t active_;  // messages that are looked at; what the planes say of others does not count
  std::uint32_t depth_ = 0;
  Planes stack_[kMaxDepth];
  std::uint64_t active_of_[kMaxDepth];  // when the planes there were computed
};

}  // namespace

Planes evaluate(const Program &program, const gantry_str *const *cols, std::uint32_t n) { return Machine(program, cols, n).run(); }

std::uint32_t Program::steps() const {
  return static_cast<std::uint32_t>(std::count_if(ops.begin(), ops.end(), [](const Op &op) { return op.code != OpCode::kOnlyAnd && op.code != OpCode::kOnlyOr; }));
}

std::uint64_t Program::bytes() const {
  std::uint64_t total = sizeof *this + ops.capacity() * sizeof(Op) + constants.capacity() * sizeof(Value) + sets.capacity() * sizeof(Set) + members.capacity() * sizeof(std::string_view) +
                        texts.capacity() + column_names.capacity() * sizeof(std::string) + columns.capacity() * sizeof(gantry_str);
  for (const std::string &name : column_names) total += name.capacity();
  return total;
}

}  // namespace gantry::sql92
