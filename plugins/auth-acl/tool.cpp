#include "tool.hpp"

#include "files.hpp"

#include <gantry++/str.hpp>

#include <string>

namespace gantry::acl {
namespace {

std::string rule_text(const Rules &rules, const Rule &rule) {
  std::string out = rules.file + ":" + std::to_string(rule.line) + ": " + (rule.allow ? "Allow " : "Deny ") + actions_text(rule.actions) + " on " + rule.resource.text();
  if (rule.sources == nullptr) return out;
  std::string sources;
  for (const std::string &text : rule.sources->texts()) sources += (sources.empty() ? "" : ", ") + text;
  return out + " from " + sources;
}

Result<std::string> explain(const gantry_auth_question &question, bool &allowed) {
  auto rules = load_rules(std::string(view(question.file)));
  if (!rules) return std::move(rules.error());
  auto resource = Resource::parse(view(question.resource));
  if (!resource) return Error{GANTRY_E_INVALID, resource.error().text};
  if (resource->match == Resource::Match::kEverything || resource->match == Resource::Match::kPrefix)
    return Error{GANTRY_E_INVALID, "a question is about one resource: \"Topic:orders\", or \"Topic:*\" for the right to all topics"};
  const std::string name = resource->match == Resource::Match::kWholeType ? "*" : resource->name;
  gantry_peer peer{};
  if (question.from.n != 0) {
    auto parsed = parse_peer(view(question.from));
    if (!parsed) return std::move(parsed.error());
    peer = *parsed;
  }
  const std::string who = "user \"" + std::string(view(question.user)) + "\"", what = " " + actions_text(question.actions) + " on " + resource->text();
  if (question.from.n != 0 && (*rules)->trusted.matches(peer)) {
    allowed = true;
    return "allowed: " + std::string(view(question.from)) + " is one of the trusted addresses of " + (*rules)->file + "; whoever comes from there may do everything\n";
  }
  const User *user = (*rules)->find(view(question.user));
  if (user == nullptr) return Error{GANTRY_E_NOT_FOUND, (*rules)->file + " has no " + who};
  const std::string at = (*rules)->file + ":" + std::to_string(user->line);
  if (!user->enabled) return "denied: " + who + " is disabled (" + at + ")\n";
  if (user->super) {
    allowed = true;
    return "allowed: " + who + " is Super and may do everything (" + at + ")\n";
  }
  const Verdict verdict = decide(*user, resource->type, name, question.actions, peer);
  allowed = verdict.decision == GANTRY_DECISION_ALLOW;
  std::string out = std::string(allowed ? "allowed: " : "denied: ") + who + (allowed ? " may" : " may not") + what + (question.from.n != 0 ? " from " + std::string(view(question.from)) : "") + "\n";
  out += verdict.rule != nullptr ? "  decides: " + rule_text(**rules, *verdict.rule) + "\n" : "  no rule of the user (" + at + ") fits, and what nothing allows is denied\n";
  for (const Rule &rule : user->rules) {
    if (&rule == verdict.rule || (rule.actions & question.actions) == 0 || !rule.resource.covers(resource->type, name)) continue;
    const bool elsewhere = rule.sources != nullptr && !rule.sources->matches(peer);
    out += std::string("  ") + (elsewhere ? "holds only elsewhere: " : "less specific, or gives way to Deny: ") + rule_text(**rules, rule) + "\n";
  }
  return out;
}

const gantry_auth_tool_v1 kTable = {
    .explain = [](void *, const gantry_auth_question *question, gantry_text_fn out, void *arg, gantry_error *err) noexcept -> std::int32_t {
      bool allowed = false;
      const Result<std::string> text = explain(*question, allowed);
      if (!text) return report(text.error(), err);
      out(arg, str(*text));
      return allowed ? GANTRY_OK : GANTRY_E_DENIED;
    },
    .import = [](void *, gantry_str file, gantry_text_fn out, void *arg, gantry_error *err) noexcept -> std::int32_t {
      auto rules = load_rules(std::string(view(file)));
      if (!rules) return report(rules.error(), err);
      out(arg, str(to_toml(**rules)));
      return GANTRY_OK;
    },
};

}  // namespace

const gantry_auth_tool_v1 kToolTable = kTable;

}  // namespace gantry::acl
