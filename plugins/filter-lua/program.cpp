#include "program.hpp"

#include <gantry++/str.hpp>

namespace gantry::lua {

void Program::tell(const gantry_filter_batch &batch, std::int32_t code, std::string_view text) {
  if (batch.size < sizeof batch || batch.err == nullptr || batch.err->text[0] != '\0') return;
  batch.err->code = code;
  batch.err->text[text.copy(batch.err->text, sizeof batch.err->text - 1)] = '\0';
}

// The machine of a shard holds the script that is in force when the batch begins: each message meets one script, the old one or the new one.
bool Program::prepare(Slot &slot) {
  std::shared_ptr<const Script> wanted = named_ != nullptr ? named_->current() : script_;
  if (slot.script == wanted) return slot.suspended.empty();
  slot.engine.reset();
  slot.debt = 0;
  slot.suspended.clear();
  slot.script = std::move(wanted);
  if (slot.script == script_) {
    const std::lock_guard lock(first_mutex_);
    slot.engine = std::move(first_);
  }
  if (slot.engine != nullptr) return true;
  Problem problem;
  slot.engine = Engine::make(slot.script->name, slot.script->text, limits_, &problem);
  if (slot.engine == nullptr) slot.suspended = "suspended: " + problem.what;  // it compiled before: only memory can be missing
  return slot.engine != nullptr;
}

void Program::note(Slot &slot, Answer answer) {
  if (answer != Answer::kOverBudget) {
    slot.debt -= slot.debt != 0 ? 1 : 0;
    return;
  }
  slot.debt += kDebtOfOne;
  if (slot.debt >= kDebtMax || slot.engine->out_of_time()) {
    slot.suspended = "suspended: " + std::string(slot.engine->complaint());
    slot.engine.reset();
  }
}

std::int32_t Program::eval(std::uint32_t shard, const gantry_filter_batch &batch, std::uint64_t *match, std::uint64_t *error) {
  if (shard >= kShardsMax) return GANTRY_E_INVALID;
  Slot &slot = slots_[shard];
  if (!prepare(slot)) {
    tell(batch, GANTRY_E_BUDGET, slot.suspended);
    return GANTRY_E_BUDGET;
  }
  slot.engine->begin_batch();
  for (std::uint32_t i = 0; i < batch.n; ++i) {
    const Answer answer = slot.engine->run({view(batch.props[i]), batch.body != nullptr ? view(batch.body[i]) : std::string_view()});
    if (answer == Answer::kYes) *match |= std::uint64_t{1} << i;
    if (answer == Answer::kFailed || answer == Answer::kOverBudget) {
      *error |= std::uint64_t{1} << i;
      tell(batch, answer == Answer::kFailed ? GANTRY_E_INVALID : GANTRY_E_BUDGET, slot.engine->complaint());
    }
    if (answer == Answer::kOverBudget || slot.debt != 0) note(slot, answer);
    if (!slot.suspended.empty()) {
      if (batch.size >= sizeof batch && batch.err != nullptr) batch.err->text[0] = '\0';
      tell(batch, GANTRY_E_BUDGET, slot.suspended);
      return GANTRY_E_BUDGET;
    }
  }
  return GANTRY_OK;
}

}  // namespace gantry::lua
