#include "login/exchange.h"

#include <fmt/core.h>
#include <time.h>

#include <utility>

#include "base/text.h"
#include "login/worker.h"

namespace postern {

namespace {

constexpr size_t kLocalsAtOnce = 4;  // of one message: each has a file and a process

const DeliveryProtocol& protocol_of(Worker& worker) { return *worker.views().served().delivery; }

}  // namespace

Exchange::Exchange(Worker& worker, const ClientSide& side, const DeliveryFront& front, Envelope envelope,
                   std::string id, Owner& owner)
    : worker_(worker),
      side_(side),
      front_(front),
      envelope_(std::move(envelope)),
      id_(std::move(id)),
      owner_(&owner),
      spool_(worker.views().spool_folder(), side.view().delivery.spool_memory),
      backends_(worker.delivery_world(), side.view().delivery, envelope_, id_, plan(), *this) {}

// --- recipients ------------------------------------------------------------------------

void Exchange::add(Recipient recipient) {
  members_.push_back(std::make_unique<Member>(*this, std::move(recipient)));
  Member& member = *members_.back();
  member.ticket = worker_.auth().begin(member, question_for(member));
}

UserLookup Exchange::question_for(const Member& member) const {
  UserLookup q;
  q.user = member.recipient.user;
  q.subject = subject_of(side_.info(), worker_.pid());
  q.subject.session = session_of(member);
  q.subject.no_penalty = true;
  q.subject.max_userip = side_.view().delivery.user_concurrency;
  for (const auto& field : member.recipient.forward) q.subject.forward.push_back(field);
  q.local_only = !side_.view().delivery.proxies;
  q.sender = envelope_.sender;
  q.recipient = member.recipient.address;
  return q;
}

void Exchange::look_at(Member& member, AuthReply reply) {
  member.ticket.done();
  member.ticket = {};
  member.user = reply.user;
  if (reply.result == AuthResult::Unavailable || reply.result == AuthResult::TooMany)
    return settle(member, {.kind = OutcomeKind::LookupFailed, .text = std::move(reply.reason)});
  if (reply.result != AuthResult::Ok) return settle(member, {.kind = OutcomeKind::UserUnknown});
  if (reply.is_local) {
    member.at = Member::At::Here;
    return settle(member, {.kind = OutcomeKind::Taken});
  }
  auto where = recipient_route_from(std::move(reply), protocol_of(worker_), side_.info().real_local.port);
  if (where) return std::visit([&](auto& route) { go(member, route); }, *where);
  log(&member, LogLevel::Error, "error", where.error());
  settle(member, {.kind = OutcomeKind::Misconfigured});
}

void Exchange::go(Member& member, DeliveryRoute& route) {
  const std::string& user = route.proxy.destuser;
  // What the client said stands as long as nobody changed it (LMTP-4).
  const bool same = user == member.recipient.user;
  auto address = same ? member.recipient.address : protocol_of(worker_).address_for(user, member.recipient);
  if (!address || has_control(*address)) {
    log(&member, LogLevel::Error, "error", fmt::format("destuser {} is not an address", printable(user, 80)));
    return settle(member, {.kind = OutcomeKind::Misconfigured});
  }
  if (loops_to_itself(route.proxy, side_.info().real_local, member.recipient.user)) {
    log(&member, LogLevel::Error, "error", "Proxying loops to itself");
    return settle(member, {.kind = OutcomeKind::LoopsToItself});
  }
  if (side_.info().ttl <= 1) {
    log(&member, LogLevel::Error, "error", "TTL reached zero - proxies appear to be looping?");
    return settle(member, {.kind = OutcomeKind::TtlReached});
  }
  if (route.proxy.haproxy) route.proxy.preamble = encode_proxy_header(*route.proxy.haproxy, side_.told_header());
  member.at = Member::At::Backend;
  backends_.send_to(member.recipient, std::move(route), std::move(*address));
}

void Exchange::go(Member& member, RefusedRoute& route) {
  if (!route.referral) return settle(member, {.kind = OutcomeKind::LoginDisabled, .text = std::move(route.reason)});
  const ReferralTarget& to = *route.referral;
  const bool usual = to.port == protocol_of(worker_).backends.front().side.port;
  settle(member, {.kind = OutcomeKind::Referral,
                  .text = to.user + "@" + to.host + (usual ? "" : ":" + std::to_string(to.port))});
}

// LMTP-3: no bounce for a field that somebody forgot.
void Exchange::go(Member& member, LocalRoute&) {
  log(&member, LogLevel::Error, "error",
      fmt::format("User {} has no field proxy, and service.{}.executable is not set", printable(member.user, 80),
                  protocol_of(worker_).service));
  settle(member, {.kind = OutcomeKind::Misconfigured});
}

BackPlan Exchange::plan() const {
  BackPlan plan;
  plan.hostname = side_.view().front.hostname;
  plan.authenticate = false;
  plan.from_front = front_.told_to_back();
  plan.forward.remote = side_.info().remote;
  plan.forward.local = side_.info().local;
  plan.forward.ttl = side_.info().ttl - 1;
  plan.forward.local_name = side_.info().local_name;
  return plan;
}

// --- the message -------------------------------------------------------------------------

void Exchange::append(std::string_view body) {
  if (body.empty() || !kept_) return;
  kept_ = spool_.append(body);
  if (!kept_) log(nullptr, LogLevel::Error, "error", kept_.error());
}

TraceFacts Exchange::trace_facts() const {
  TraceFacts facts;
  facts.tls = side_.tls_description();
  facts.client = side_.info().remote.ip;
  facts.transaction = id_;
  const time_t now = ::time(nullptr);
  tm local{};
  ::localtime_r(&now, &local);
  facts.now = now;
  facts.utc_offset = static_cast<int32_t>(local.tm_gmtoff);
  return facts;
}

void Exchange::deliver() {
  complete_ = true;
  begun_ = worker_.loop().now();
  for (const auto& member : members_) unanswered_ += member->taken ? 1 : 0;
  if (!kept_) {
    for (const auto& member : members_)
      if (member->taken) settle(*member, {.kind = OutcomeKind::InternalFailure});
    return;
  }
  header_ = front_.trace_header(trace_facts());
  start_locals();
  backends_.deliver({header_, spool_});
}

void Exchange::start_locals() {
  for (; locals_running_ < kLocalsAtOnce && locals_started_ < members_.size(); ++locals_started_) {
    Member& member = *members_[locals_started_];
    if (!member.taken || member.at != Member::At::Here) continue;
    UserLookup question = question_for(member);
    question.deliver = true;
    member.delivery = std::make_unique<LocalDelivery>(worker_.loop(), worker_.auth(), worker_.views().spool_folder(),
                                                      spool_, front_.local_header(trace_facts(), member.recipient),
                                                      std::move(question), member.recipient.number, *this);
    member.delivery->start();
    ++locals_running_;
  }
}

void Exchange::locally_delivered(uint32_t recipient, Outcome outcome) {
  --locals_running_;
  start_locals();
  settle(*members_[recipient], std::move(outcome));
}

// --- outcomes ------------------------------------------------------------------------------

// Told last.
void Exchange::settle(Member& member, Outcome outcome) {
  outcome.session = session_of(member);
  if (owner_ == nullptr) return;
  if (complete_) {
    log_answer(member, outcome);
    owner_->delivery_answered(member.recipient.number, outcome);
    if (--unanswered_ == 0 && owner_ != nullptr) owner_->exchange_over();
    return;
  }
  member.taken = outcome.is_good();
  if (!member.taken && outcome.kind == OutcomeKind::BackendReply) log_answer(member, outcome);
  owner_->recipient_answered(member.recipient.number, outcome);
}

std::string Exchange::session_of(const Member& member) const {
  return member.recipient.number == 0 ? id_ : id_ + ":R" + std::to_string(member.recipient.number + 1);
}

// --- log -----------------------------------------------------------------------------------

void Exchange::backend_troubled(LogLevel level, const std::string& line) {
  log(nullptr, level, "error", "proxy: " + line);
}
void Exchange::local_trouble(const std::string& line) { log(nullptr, LogLevel::Error, "error", line); }

void Exchange::log(const Member* member, LogLevel level, std::string_view event, std::string_view message) const {
  ClientInfo info = side_.info();
  info.session = member != nullptr ? session_of(*member) : id_;
  if (member != nullptr) info.user = member->user.empty() ? member->recipient.user : member->user;
  side_.log_with(side_.view().elements.fill(info), level, event, message);
}

std::string Exchange::describe(const Outcome& outcome) const {
  if (outcome.kind != OutcomeKind::BackendReply) return outcome.text.empty() ? "failed" : printable(outcome.text);
  const BackendAnswer& reply = outcome.reply;
  return fmt::format("{} {}{}{}", reply.code, reply.enhanced, reply.enhanced.empty() ? "" : " ",
                     printable(reply.lines.empty() ? "" : reply.lines.back()));
}

void Exchange::log_answer(const Member& member, const Outcome& outcome) const {
  const bool good = outcome.is_good();
  const std::string address = printable(member.recipient.address, 200);
  std::string line;
  if (member.at == Member::At::Backend) {
    const Transaction::Place place = backends_.place_of(member.recipient.number);
    line = fmt::format("{} <{}> at {}: {}",
                       !complete_ ? "Refused"
                       : good     ? "Sent message to"
                                  : "Failed to send message to",
                       address, place.to.text(), describe(outcome));
  } else {
    line = fmt::format("{} <{}>{}{}", good ? "Delivered message to" : "Failed to deliver message to", address,
                       good ? "" : ": ", good ? "" : describe(outcome));
  }
  if (complete_) {
    const auto took = std::chrono::duration_cast<Milliseconds>(worker_.loop().now() - begun_).count();
    line += fmt::format(" ({}/{} at {} ms)", member.recipient.number + 1, members_.size(), took);
  }
  log(&member, good || outcome.kind == OutcomeKind::BackendReply ? LogLevel::Info : LogLevel::Error,
      good ? "delivery" : "delivery_failed", line);
}

}  // namespace postern
