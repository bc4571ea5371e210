#include "delivery/transaction.h"

#include <algorithm>
#include <utility>

namespace postern {

namespace {

// LMTP-25. Time limits are the first recipient's.
bool same_place(const Conversation& conversation, const DeliveryRoute& route) {
  const ProxyRoute &a = conversation.route(), &b = route.proxy;
  return &conversation.backend() == route.backend && a.host == b.host && a.addresses == b.addresses &&
         a.port == b.port && a.source == b.source && a.tls == b.tls && a.verify_certificate == b.verify_certificate &&
         a.trusted == b.trusted && a.preamble == b.preamble;
}

}  // namespace

Transaction::Transaction(const DeliveryWorld& world, const DeliveryOptions& options, Envelope envelope, std::string id,
                         BackPlan plan, Owner& owner)
    : world_(world),
      options_(options),
      envelope_(std::move(envelope)),
      id_(std::move(id)),
      plan_(std::move(plan)),
      owner_(owner) {}

// `hops`: redirects so far, each of which takes one from the proxies that may follow (LMTP-24).
BackPlan Transaction::plan_for(const ProxyRoute& route, uint32_t hops) const {
  BackPlan plan = plan_;
  plan.tls = route.tls;
  plan.trusted = route.trusted;
  plan.forward.session = id_ + ":P" + std::to_string(conversations_.size() + 1);
  plan.forward.ttl -= hops;
  return plan;
}

Conversation& Transaction::conversation_with(DeliveryRoute route, uint32_t hops) {
  for (const auto& conversation : conversations_)
    if (same_place(*conversation, route)) return *conversation;
  BackPlan plan = plan_for(route.proxy, hops);
  conversations_.push_back(std::make_unique<Conversation>(world_, options_, *route.backend, std::move(route.proxy),
                                                          std::move(plan), envelope_, *this));
  conversations_.back()->start();
  return *conversations_.back();
}

void Transaction::send_to(const Recipient& recipient, DeliveryRoute route, std::string address) {
  ForwardFields forward = std::move(route.proxy.forward);
  Conversation& conversation = conversation_with(std::move(route), 0);
  Sent& sent = sent_[recipient.number];
  sent = {recipient, address, forward, &conversation, {}};
  conversation.add_recipient(recipient, std::move(address), std::move(forward));
}

void Transaction::settled(uint32_t recipient, Outcome outcome) {
  const auto sent = sent_.find(recipient);
  if (outcome.kind == OutcomeKind::Redirected && !complete_ && sent != sent_.end() && follow(sent->second, outcome))
    return;
  owner_.backend_answered(recipient, std::move(outcome));
}

// GEN-9, LMTP-33: where we are now is a loop at once, another place the third time. The way there is what it was here.
bool Transaction::follow(Sent& sent, Outcome& outcome) {
  if (outcome.redirect.ip.is_none()) return false;
  const Endpoint here = sent.with->destination();
  const Endpoint to{outcome.redirect.ip, outcome.redirect.port != 0 ? outcome.redirect.port : here.port};
  sent.visited.push_back(here);
  const auto hops = static_cast<uint32_t>(sent.visited.size());
  if (to == here || std::count(sent.visited.begin(), sent.visited.end(), to) >= 2 || plan_.forward.ttl <= hops) {
    outcome.kind = OutcomeKind::LoopsToItself;
    return false;
  }
  DeliveryRoute route{&sent.with->backend(), sent.with->route()};
  route.proxy.addresses = {to.ip};
  route.proxy.host = to.ip.text();
  route.proxy.port = to.port;
  sent.with = &conversation_with(std::move(route), hops);
  sent.with->add_recipient(sent.recipient, sent.address, sent.forward);
  return true;
}

// LMTP-36: all of them have the time of the most patient one.
void Transaction::deliver(const Mail& mail) {
  complete_ = true;
  Milliseconds timeout{0};
  for (const auto& conversation : conversations_) {
    const Milliseconds own = conversation->route().timeout;
    timeout = std::max(timeout, own.count() > 0 ? own : options_.data_timeout);
  }
  for (const auto& conversation : conversations_) conversation->send_message(mail, timeout);
}

Transaction::Place Transaction::place_of(uint32_t recipient) const {
  const auto found = sent_.find(recipient);
  if (found == sent_.end()) return {};
  return {found->second.with->route().host, found->second.with->destination()};
}

}  // namespace postern
