#include "auth/chain.h"

#include <algorithm>

#include "base/check.h"
#include "base/text.h"

namespace postern {

namespace {

constexpr std::string_view kRuleNames[] = {"return-ok", "return",      "return-fail",
                                           "continue",  "continue-ok", "continue-fail"};
static_assert(std::size(kRuleNames) == static_cast<size_t>(ChainRule::kCount));
constexpr std::string_view kSkipNames[] = {"never", "authenticated", "unauthenticated", "found", "notfound"};
static_assert(std::size(kSkipNames) == static_cast<size_t>(ChainSkip::kCount));

template <class E, size_t N>
Status read_word(const std::string& word, const std::string_view (&names)[N], std::string_view setting, E& out) {
  for (size_t i = 0; i < N; ++i)
    if (word == names[i]) {
      out = static_cast<E>(i);
      return {};
    }
  return Error(std::string(setting) + " = " + printable(word) + ": unknown word");
}

bool continues(ChainRule rule) { return rule >= ChainRule::Continue; }

}  // namespace

Result<ChainEntry> ChainEntry::from(const DatabaseSettings& s) {
  ChainEntry e;
  const Status steps[] = {read_word(s.skip, kSkipNames, "skip", e.skip),
                          read_word(s.result_success, kRuleNames, "result_success", e.success),
                          read_word(s.result_failure, kRuleNames, "result_failure", e.failure),
                          read_word(s.result_internalfail, kRuleNames, "result_internalfail", e.internal_failure)};
  for (const Status& step : steps)
    if (!step) return Error(step.error());
  e.deny = s.deny;
  e.mechanisms = s.mechanisms;
  e.username_filter = s.username_filter;
  return e;
}

bool passes_username_filter(std::string_view user, std::span<const std::string> filter) {
  bool positive = false, matched = false;
  for (const std::string& pattern : filter) {
    const bool exclude = !pattern.empty() && pattern[0] == '!';
    const bool hit = matches_wildcard(user, std::string_view(pattern).substr(exclude ? 1 : 0));
    if (exclude && hit) return false;
    if (!exclude) {
      positive = true;
      matched |= hit;
    }
  }
  return !positive || matched;
}

bool ChainWalk::skips(ChainSkip skip) const {
  const bool when[] = {false, state_.password_verified, !state_.password_verified, state_.success, !state_.success};
  static_assert(std::size(when) == static_cast<size_t>(ChainSkip::kCount));
  return when[static_cast<size_t>(skip)];
}

bool ChainWalk::filtered(const ChainEntry& entry, std::string_view mechanism, std::string_view user) const {
  const auto named = [&](const std::string& name) { return iequals(name, mechanism); };
  if (!entry.mechanisms.empty() && std::none_of(entry.mechanisms.begin(), entry.mechanisms.end(), named)) return true;
  if (!passes_username_filter(user, entry.username_filter)) return true;
  return skips(entry.skip);
}

std::optional<size_t> ChainWalk::next(std::string_view mechanism, std::string_view user) {
  for (; !over_ && at_ < entries_.size(); ++at_) {
    if (filtered(entries_[at_], mechanism, user)) continue;
    state_.seen_internal |= pending_internal_;
    pending_internal_ = false;
    asked_ = true;
    return at_;
  }
  over_ = true;
  return std::nullopt;
}

ChainRule ChainWalk::rule_for(PassResult result) const {
  const ChainEntry& entry = entries_[at_];
  if (result == PassResult::Next) return ChainRule::Continue;
  if (result == PassResult::Ok) return entry.success;
  return result == PassResult::Internal ? entry.internal_failure : entry.failure;
}

void ChainWalk::finish(PassResult result) {
  final_ = result;
  over_ = true;
}

bool ChainWalk::take(PassResult result) {
  POSTERN_CHECK(!over_ && at_ < entries_.size(), "no database was asked");
  if (entries_[at_].deny && result != PassResult::UnknownUser) {
    finish(result == PassResult::Internal ? PassResult::Internal : PassResult::Disabled);
    return false;
  }
  if (result == PassResult::Disabled || result == PassResult::Expired) {
    finish(result);
    return false;
  }
  last_ = result;
  const ChainRule rule = rule_for(result);
  if (rule == ChainRule::ReturnOk || rule == ChainRule::ContinueOk) state_.success = true;
  if (rule == ChainRule::ReturnFail || rule == ChainRule::ContinueFail) state_.success = false;
  if ((rule == ChainRule::Continue && result == PassResult::Ok) || rule == ChainRule::ContinueOk)
    state_.password_verified = true;
  continued_ = continues(rule);
  pending_internal_ = result == PassResult::Internal;
  over_ = !continued_ || (stop_at_success_ && result == PassResult::Ok);
  ++at_;
  return result == PassResult::Ok || result == PassResult::Next;
}

PassResult ChainWalk::verdict() const {
  if (final_) return *final_;
  if (state_.success) return PassResult::Ok;
  if (!asked_ || state_.seen_internal || last_ == PassResult::Next) return PassResult::Internal;
  // The password was right, but no rule ever said "ok": refused (AUTH-3a).
  return last_ == PassResult::Ok ? PassResult::Mismatch : last_;
}

}  // namespace postern
