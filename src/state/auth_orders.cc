#include "state/auth_orders.h"

#include <utility>

#include "base/check.h"
#include "base/text.h"

namespace postern {

namespace {

struct OrderRow {
  std::string_view command;
  AuthOrder order;
  bool about_user;
};
constexpr OrderRow kOrders[] = {{"auth test", AuthOrder::Test, true},
                                {"auth login", AuthOrder::Login, true},
                                {"auth lookup", AuthOrder::Lookup, true},
                                {"auth cache flush", AuthOrder::FlushCache, false},
                                {"auth cache status", AuthOrder::CacheStatus, false}};

struct ResultRow {
  std::string_view word;
  int status;
};
constexpr ResultRow kResults[] = {
    {"ok", kExitOk},           {"failed", kExitNoPerm},  {"failed", kExitNoPerm},
    {"disabled", kExitNoPerm}, {"expired", kExitNoPerm}, {"temporary", kExitTempFail},
    {"failed", kExitNoPerm},   {"failed", kExitNoPerm},  {"temporary", kExitTempFail},
};
static_assert(std::size(kResults) == static_cast<size_t>(AuthResult::kCount));

Status take_address(const std::string& text, std::string_view name, Endpoint& out) {
  if (text.empty()) return {};
  const auto ip = IpAddress::parse(text);
  if (!ip) return Error(std::string(name) + " " + printable(text, 80) + ": not an address");
  out.ip = *ip;
  return {};
}

}  // namespace

Result<AuthQuestion> question_from(AdminRequest& request) {
  AuthQuestion question;
  for (const OrderRow& row : kOrders) {
    if (row.command != request.command) continue;
    question.order = row.order;
    if (row.about_user && request.user.empty()) return Error("a user is missing");
  }
  question.user = std::move(request.user);
  question.password = std::move(request.password);
  question.masks = std::move(request.users);
  AuthSubject& subject = question.subject;
  subject.service = request.service;
  subject.no_penalty = true;
  const Status addresses[] = {take_address(request.rip, "rip", subject.remote),
                              take_address(request.lip, "lip", subject.local)};
  for (const Status& status : addresses)
    if (!status) return Error(status.error());
  subject.real_remote = subject.remote;
  subject.real_local = subject.local;
  return question;
}

AdminEnd end_of(const AuthAnswer& answer) {
  AdminEnd end;
  const ResultRow& row = kResults[static_cast<size_t>(answer.result)];
  end.status = row.status;
  end.result = row.word;
  end.user = answer.user;
  end.reason = answer.reason;
  end.passdb = answer.passdb;
  end.userdb = answer.userdb;
  end.count = answer.count;
  return end;
}

}  // namespace postern
