// Which database is asked next, and what the answers add up to (AUTH-2, AUTH-3). Pure: knows neither
// databases nor fields, only rules and results.
#ifndef POSTERN_AUTH_CHAIN_H
#define POSTERN_AUTH_CHAIN_H

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "conf/settings.h"

namespace postern {

// What one database says of one user and password, or all of them together (AUTH-4).
enum class PassResult : uint8_t { Ok, Mismatch, UnknownUser, Disabled, Expired, UnknownScheme, Next, Internal, kCount };

enum class ChainRule : uint8_t { ReturnOk, Return, ReturnFail, Continue, ContinueOk, ContinueFail, kCount };
// Found and NotFound: userdbs, where an earlier one knew the user, or none did.
enum class ChainSkip : uint8_t { Never, Authenticated, Unauthenticated, Found, NotFound, kCount };

// The part of a passdb or userdb block that the algorithm needs.
struct ChainEntry {
  ChainSkip skip = ChainSkip::Never;
  ChainRule success = ChainRule::ReturnOk, failure = ChainRule::Continue, internal_failure = ChainRule::Continue;
  bool deny = false;
  std::vector<std::string> mechanisms;       // empty: all
  std::vector<std::string> username_filter;  // wildcards, "!" excludes; empty: all

  // The Error names the setting that has a word nobody knows.
  static Result<ChainEntry> from(const DatabaseSettings& settings);
};

// What an earlier walk hands to the next one: from the master passdbs to the users' (AUTH-12).
struct ChainState {
  bool success = false;  // S
  bool seen_internal = false;
  bool password_verified = false;
};

// One request's walk over one list of databases:
//   while (auto i = walk.next(...)) { ...look up entry *i...; bool keep = walk.take(result); }
//   walk.verdict()
class ChainWalk {
 public:
  // `stop_at_success`: master passdbs; any Ok ends the walk, continued() then says whether the rule wanted more.
  // `entries` must outlive the walk.
  explicit ChainWalk(std::span<const ChainEntry> entries, ChainState state = {}, bool stop_at_success = false)
      : entries_(entries), state_(state), stop_at_success_(stop_at_success) {}

  // Index of the database to ask now; nothing when the walk is over.
  std::optional<size_t> next(std::string_view mechanism, std::string_view user);
  // The result of that database, field checks included; a deny database's Ok or Mismatch means "listed".
  // Whether the fields it set stay.
  bool take(PassResult result);

  const ChainState& state() const { return state_; }
  bool continued() const { return continued_; }
  // Set by then: no database was asked at all (AUTH-3c), the last one had noauthenticate.
  bool all_skipped() const { return !asked_; }
  bool ended_with_next() const { return last_ == PassResult::Next; }
  // Ok only when a rule said so too (AUTH-3a).
  PassResult verdict() const;

 private:
  ChainRule rule_for(PassResult result) const;
  void finish(PassResult result);
  bool skips(ChainSkip skip) const;
  bool filtered(const ChainEntry& entry, std::string_view mechanism, std::string_view user) const;

  std::span<const ChainEntry> entries_;
  ChainState state_;
  size_t at_ = 0;  // the database being asked
  bool stop_at_success_;
  bool asked_ = false, over_ = false, continued_ = false;
  bool pending_internal_ = false;    // the last answer was Internal: counts once another database is left
  std::optional<PassResult> final_;  // rules do not apply
  PassResult last_ = PassResult::Internal;
};

// AUTH-1: "!x" excludes at once; when there are positive patterns one must match.
bool passes_username_filter(std::string_view user, std::span<const std::string> filter);

}  // namespace postern

#endif
