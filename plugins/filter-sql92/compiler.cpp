#include "compiler.hpp"

#include "lexer.hpp"

#include <gantry++/str.hpp>

#include <algorithm>
#include <charconv>
#include <limits>

namespace gantry::sql92 {

namespace {

// What has been read and not yet used. Constants and columns have no code; conditions have theirs emitted already.
struct Item {
  enum class Type : std::uint8_t { kConstant, kColumn, kCondition, kNull } type = Type::kConstant;  // kNull: code that only raises errors
  bool literal = false;     // a constant as it was written: RocketMQ checks those
  std::uint32_t index = 0;  // of the constant or column
};

// Operators that wait for their last operand, with how tightly they bind.
enum class Pending : std::uint8_t { kOpen, kOr, kAnd, kRelate, kBetweenLow, kBetweenHigh, kNot, kMinus, kPlus };
enum Binding : int { kLoose = 0, kOrLevel = 1, kAndLevel = 2, kEqualityLevel = 3, kComparisonLevel = 4, kPrefixLevel = 5 };
struct Operator {
  Pending type = Pending::kOpen;
  int binding = kLoose;
  Relation relation = Relation::kEqual;
  bool negated = false;
  std::size_t at = 0;
  std::size_t only = 0;  // of kAnd, kOr: its kOnlyAnd or kOnlyOr
};

Relation ordering_of(Token token) {
  switch (token) {
    case Token::kGreater: return Relation::kGreater;
    case Token::kGreaterEqual: return Relation::kGreaterEqual;
    case Token::kLess: return Relation::kLess;
    default: return Relation::kLessEqual;
  }
}

class Compiler {
 public:
  Compiler(std::string_view text, Problem *problem) : text_(text), lexer_(text), problem_(problem), program_(std::make_unique<Program>()) { program_->texts.reserve(text.size()); }

  std::unique_ptr<Program> run() {
    if (text_.size() > kMaxTextBytes) {
      (void)limit("the expression has more than " + std::to_string(kMaxTextBytes) + " bytes", 0);
      return nullptr;
    }
    next();
    bool whole = false;
    while (!whole)
      if (!read_operand() || !read_continuation(&whole)) return nullptr;
    for (const std::string &name : program_->column_names) program_->columns.push_back(str(name));
    program_->ops.shrink_to_fit();
    program_->constants.shrink_to_fit();
    program_->members.shrink_to_fit();
    return std::move(program_);
  }

 private:
  // ---- problems ----
  bool fail(std::int32_t code, std::string what, std::size_t at) {
    *problem_ = Problem{code, at, std::move(what)};
    return false;
  }
  bool limit(std::string what, std::size_t at) { return fail(GANTRY_E_LIMIT, std::move(what), at); }
  bool refuse(std::string what, std::size_t at) { return fail(GANTRY_E_SYNTAX, std::move(what), at); }
  bool expected(const char *what) {
    if (token_ == Token::kBad) return refuse("no token begins here, or a string or comment has no end", lexer_.begin());
    return refuse(std::string(what) + " is expected here" + (token_ == Token::kEnd ? ", not the end" : ""), lexer_.begin());
  }
  void next() { token_ = lexer_.next(); }

  // ---- operands ----
  bool read_operand() {
    for (;;) {
      switch (token_) {
        case Token::kNot: push(Pending::kNot, kPrefixLevel); break;
        case Token::kMinus: push(Pending::kMinus, kPrefixLevel); break;
        case Token::kPlus: push(Pending::kPlus, kPrefixLevel); break;
        case Token::kOpen:
          push(Pending::kOpen, kLoose);
          ++open_;
          break;
        default: return read_primary();
      }
      if (++nesting_ > kMaxNesting) return limit("more than " + std::to_string(kMaxNesting) + " parentheses and signs are open", lexer_.begin());
      next();
    }
  }

  bool read_primary() {
    const std::size_t at = lexer_.begin();
    Value value;
    switch (token_) {
      case Token::kName: return read_name();
      case Token::kString: value = Value::of(decoded_string()); break;
      case Token::kTrue: value = Value::of(true); break;
      case Token::kFalse: value = Value::of(false); break;
      case Token::kNull: break;
      case Token::kInteger:
        if (!read_integer(&value)) return refuse("the number is too large: integers end at 9223372036854775807", at);
        break;
      case Token::kFloat:
        if (!read_float(&value)) return refuse("the number is zero, too small or too large for a floating point number as RocketMQ takes them", at);
        break;
      default: return expected("a property, a value, NOT, a sign or a parenthesis");
    }
    push_constant(value, true);
    next();
    return true;
  }

  bool read_name() {
    std::vector<std::string> &names = program_->column_names;
    const std::string_view name = lexer_.image();
    std::size_t index = 0;
    while (index < names.size() && names[index] != name) ++index;
    if (index == GANTRY_FILTER_COLUMNS_MAX) return limit("more than " + std::to_string(GANTRY_FILTER_COLUMNS_MAX) + " different properties", lexer_.begin());
    if (index == names.size()) names.emplace_back(name);
    items_.push_back(Item{Item::Type::kColumn, false, static_cast<std::uint32_t>(index)});
    next();
    return true;
  }

  bool read_integer(Value *value) {
    std::string_view digits = lexer_.image();
    if ((digits.back() | 0x20) == 'l') digits.remove_suffix(1);
    const std::optional<std::int64_t> read = parse_long(digits);
    if (!read.has_value()) return false;
    value->kind = *read <= INT32_MAX ? Kind::kInt : Kind::kLong;
    value->integer = *read;
    return true;
  }

  bool read_float(Value *value) {
    const std::optional<double> read = parse_double(lexer_.image());
    if (!read.has_value() || *read > std::numeric_limits<double>::max() || *read < std::numeric_limits<double>::denorm_min()) return false;
    value->kind = Kind::kDouble;
    value->real = *read;
    return true;
  }

  // The text of the current token, '' read as '. It lives in the program.
  std::string_view decoded_string() {
    const std::string_view image = lexer_.image();
    std::string &texts = program_->texts;
    const std::size_t begin = texts.size();
    for (std::size_t i = 1; i + 1 < image.size(); ++i) {
      texts += image[i];
      if (image[i] == '\'') ++i;
    }
    return std::string_view(texts).substr(begin);
  }

  std::uint32_t add_constant(const Value &value) {
    program_->constants.push_back(value);
    return static_cast<std::uint32_t>(program_->constants.size() - 1);
  }
  void push_constant(const Value &value, bool literal) { items_.push_back(Item{Item::Type::kConstant, literal, add_constant(value)}); }

  // ---- what may follow an operand ----
  // True with *whole false: another operand is wanted.
  bool read_continuation(bool *whole) {
    int tightest = kComparisonLevel;  // after IS NULL only the looser ones continue the expression
    for (;;) {
      while (top_is(kPrefixLevel))
        if (!apply_prefix()) return false;
      if (!operators_.empty() && operators_.back().type == Pending::kBetweenLow) {
        if (token_ != Token::kAnd) return expected("AND of BETWEEN");
        operators_.back().type = Pending::kBetweenHigh;
        next();
        return true;
      }
      const std::size_t at = lexer_.begin();
      switch (token_) {
        case Token::kEqual: return push_relation(kEqualityLevel, Relation::kEqual);
        case Token::kNotEqual: return push_relation(kEqualityLevel, Relation::kEqual, true);
        case Token::kGreater:
        case Token::kGreaterEqual:
        case Token::kLess:
        case Token::kLessEqual:
          if (tightest < kComparisonLevel) return finish(whole);
          return push_relation(kComparisonLevel, ordering_of(token_));
        case Token::kNot:
        case Token::kBetween:
        case Token::kIn:
        case Token::kContains:
        case Token::kStartsWith:
        case Token::kEndsWith: {
          if (tightest < kComparisonLevel) return finish(whole);
          bool wants_operand = false;
          if (!reduce(kComparisonLevel) || !read_test(at, &wants_operand)) return false;
          if (wants_operand) return true;
          break;
        }
        case Token::kIs:
          if (!reduce(kEqualityLevel) || !read_is_null()) return false;
          tightest = kEqualityLevel;
          break;
        case Token::kAnd: return push_logic(Pending::kAnd, kAndLevel);
        case Token::kOr: return push_logic(Pending::kOr, kOrLevel);
        case Token::kClose:
          if (open_ == 0) return finish(whole);
          if (!reduce(kOrLevel)) return false;
          operators_.pop_back();
          --open_;
          --nesting_;
          tightest = kComparisonLevel;
          next();
          break;
        case Token::kBad: return expected("an operator");
        default: return finish(whole);
      }
    }
  }

  bool finish(bool *whole) {
    if (open_ != 0) return expected("an operator or )");
    if (!reduce(kOrLevel) || !to_condition(items_.back(), 0)) return false;
    *whole = true;
    return true;
  }

  bool push_relation(int binding, Relation relation, bool negated = false) {
    if (!reduce(binding)) return false;
    Operator &op = push(Pending::kRelate, binding);
    op.relation = relation;
    op.negated = negated;
    next();
    return true;
  }

  bool push_logic(Pending type, int binding) {
    if (!reduce(binding) || !to_condition(items_.back(), lexer_.begin())) return false;
    Op only;
    only.code = type == Pending::kAnd ? OpCode::kOnlyAnd : OpCode::kOnlyOr;
    push(type, binding).only = program_->ops.size();
    next();
    return emit(only, 1);
  }

  Operator &push(Pending type, int binding) {
    operators_.push_back(Operator{type, binding, Relation::kEqual, false, lexer_.begin(), 0});
    return operators_.back();
  }

  // [NOT] BETWEEN, IN, CONTAINS, STARTSWITH, ENDSWITH after an operand.
  bool read_test(std::size_t at, bool *wants_operand) {
    const bool negated = token_ == Token::kNot;
    if (negated) next();
    const Token test = token_;
    next();
    switch (test) {
      case Token::kBetween:
        operators_.push_back(Operator{Pending::kBetweenLow, kComparisonLevel, Relation::kEqual, negated, at, 0});
        *wants_operand = true;
        return true;
      case Token::kIn: return read_in(negated, at);
      case Token::kContains: return read_text_test(OpCode::kContains, negated);
      case Token::kStartsWith: return read_text_test(OpCode::kStartsWith, negated);
      case Token::kEndsWith: return read_text_test(OpCode::kEndsWith, negated);
      default: return refuse("NOT is followed by BETWEEN, IN, CONTAINS, STARTSWITH or ENDSWITH", at);
    }
  }

  bool read_text_test(OpCode code, bool negated) {
    if (token_ != Token::kString) return expected("a string");
    Op op;
    op.code = code;
    op.negated = negated;
    op.index = add_constant(Value::of(decoded_string()));
    next();
    return emit_of_one(op);
  }

  bool read_in(bool negated, std::size_t at) {
    if (token_ != Token::kOpen) return expected("( after IN");
    Set set;
    std::vector<std::string_view> &members = program_->members;
    set.first = static_cast<std::uint32_t>(members.size());
    do {
      next();
      if (token_ != Token::kString) return expected("a string");
      members.push_back(decoded_string());
      next();
    } while (token_ == Token::kComma);
    if (token_ != Token::kClose) return expected(", or )");
    next();
    if (items_.back().type != Item::Type::kColumn) return refuse("IN is for properties only", at);
    const auto begin = members.begin() + set.first;
    std::sort(begin, members.end());
    members.erase(std::unique(begin, members.end()), members.end());
    set.n = static_cast<std::uint32_t>(members.size()) - set.first;
    program_->sets.push_back(set);
    Op op;
    op.code = OpCode::kIn;
    op.negated = negated;
    op.index = static_cast<std::uint32_t>(program_->sets.size() - 1);
    return emit_of_one(op);
  }

  bool read_is_null() {
    next();
    const bool negated = token_ == Token::kNot;
    if (negated) next();
    if (token_ != Token::kNull) return expected(negated ? "NULL" : "NULL or NOT NULL");
    next();
    Op op;
    op.code = OpCode::kIsNull;
    if (!emit_of_one(op)) return false;
    Op negation;
    negation.code = OpCode::kNot;
    return !negated || emit(negation, 1);
  }

  // ---- reducing: what is complete becomes code ----
  [[nodiscard]] bool top_is(int binding) const { return !operators_.empty() && operators_.back().binding == binding; }

  bool apply_prefix() {
    const Operator op = operators_.back();
    operators_.pop_back();
    --nesting_;
    Item &item = items_.back();
    if (op.type == Pending::kPlus) return true;
    if (op.type == Pending::kNot) {
      Op negation;
      negation.code = OpCode::kNot;
      return to_condition(item, op.at) && emit(negation, 1);
    }
    if (item.type == Item::Type::kCondition || item.type == Item::Type::kNull) {
      Op forget;
      forget.code = OpCode::kForget;
      item.type = Item::Type::kNull;
      return emit(forget, 1);
    }
    Value value;  // of anything but a number: null
    if (item.type == Item::Type::kConstant && program_->constants[item.index].is_number()) {
      value = program_->constants[item.index];
      value.integer = -value.integer;
      value.real = -value.real;
    }
    item = Item{Item::Type::kConstant, false, add_constant(value)};
    return true;
  }

  // Everything that binds at least so tightly.
  bool reduce(int binding) {
    while (!operators_.empty() && operators_.back().binding >= binding) {
      const Operator op = operators_.back();
      operators_.pop_back();
      if (!(op.type == Pending::kRelate ? apply_relation(op) : op.type == Pending::kBetweenHigh ? apply_between(op) : apply_logic(op))) return false;
    }
    return true;
  }

  bool apply_logic(const Operator &op) {
    if (!to_condition(items_.back(), op.at)) return false;
    items_.pop_back();
    Op logic;
    logic.code = op.type == Pending::kAnd ? OpCode::kAnd : OpCode::kOr;
    program_->ops[op.only].index = static_cast<std::uint32_t>(program_->ops.size());
    return emit(logic, 2);
  }

  bool apply_relation(const Operator &op) {
    const Item right = pop_item(), left = pop_item();
    if (op.relation == Relation::kEqual) {
      for (const Item &side : {left, right})
        if (side.literal && constant(side).is_null()) return refuse("NULL cannot be compared: use IS NULL", op.at);
      if (left.literal && right.literal && is_boolean(left) && !is_boolean(right)) return refuse("TRUE and FALSE cannot be compared with another value", op.at);
    } else if (!orderable(left, op.at) || !orderable(right, op.at)) {
      return false;
    }
    Op relate;
    relate.code = OpCode::kRelate;
    relate.relation = op.relation;
    relate.operands[0] = operand(left);
    relate.operands[1] = operand(right);
    items_.push_back(Item{Item::Type::kCondition, false, 0});
    if (!emit(relate, on_stack(left) + on_stack(right))) return false;
    Op negation;
    negation.code = OpCode::kNot;
    return !op.negated || emit(negation, 1);
  }

  bool apply_between(const Operator &op) {
    const Item high = pop_item(), low = pop_item(), value = pop_item();
    for (const Item &part : {value, low, high})
      if (!orderable(part, op.at)) return false;
    if (!op.negated && low.literal && high.literal && compare(constant(high), constant(low)).value_or(-1) < 0) return refuse("BETWEEN: the first value is above the second", op.at);
    Op between;
    between.code = OpCode::kBetween;
    between.negated = op.negated;
    between.operands[0] = operand(value);
    between.operands[1] = operand(low);
    between.operands[2] = operand(high);
    items_.push_back(Item{Item::Type::kCondition, false, 0});
    return emit(between, on_stack(value) + on_stack(low) + on_stack(high));
  }

  [[nodiscard]] const Value &constant(const Item &item) const { return program_->constants[item.index]; }
  [[nodiscard]] bool is_boolean(const Item &item) const {
    return item.type == Item::Type::kCondition || (item.literal && (constant(item).is_null() || constant(item).kind == Kind::kBool));
  }
  static std::uint32_t on_stack(const Item &item) { return item.type == Item::Type::kCondition || item.type == Item::Type::kNull ? 1 : 0; }
  static Operand operand(const Item &item) {
    if (on_stack(item) != 0) return {Source::kStack, 0};
    return {item.type == Item::Type::kColumn ? Source::kColumn : Source::kConstant, item.index};
  }
  Item pop_item() {
    const Item item = items_.back();
    items_.pop_back();
    return item;
  }

  bool orderable(const Item &item, std::size_t at) {
    if (is_boolean(item) || (item.literal && !constant(item).is_number())) return refuse("only numbers and properties are compared by size", at);
    return true;
  }

  bool to_condition(Item &item, std::size_t at) {
    if (item.type == Item::Type::kCondition) return true;
    Op op;
    if (item.type == Item::Type::kColumn) {
      op.code = OpCode::kCast;
      op.operands[0] = operand(item);
    } else if (item.type == Item::Type::kConstant && is_boolean(item)) {
      op.code = OpCode::kTruth;
      op.truth = constant(item).is_null() ? Truth::kUnknown : constant(item).integer != 0 ? Truth::kTrue : Truth::kFalse;
    } else {
      return refuse("a condition is expected, not a value", at);
    }
    item = Item{Item::Type::kCondition, false, 0};
    return emit(op, 0);
  }

  // An operation on the last item, which becomes its condition.
  bool emit_of_one(Op op) {
    const Item item = items_.back();
    op.operands[0] = operand(item);
    items_.back() = Item{Item::Type::kCondition, false, 0};
    return emit(op, on_stack(item));
  }

  bool emit(const Op &op, std::uint32_t pops) {
    program_->ops.push_back(op);
    depth_ += 1 - static_cast<std::int64_t>(pops);
    return depth_ <= kMaxDepth || limit("the expression is nested too deeply", lexer_.begin());
  }

  const std::string_view text_;
  Lexer lexer_;
  Problem *const problem_;
  std::unique_ptr<Program> program_;
  Token token_ = Token::kEnd;
  std::vector<Item> items_;
  std::vector<Operator> operators_;
  std::uint32_t nesting_ = 0, open_ = 0;
  std::int64_t depth_ = 0;
};

}  // namespace

std::unique_ptr<Program> compile(std::string_view text, Problem *problem) { return Compiler(text, problem).run(); }

}  // namespace gantry::sql92
