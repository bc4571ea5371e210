#include "delivery/transaction.h"

#include <algorithm>
#include <utility>

namespace postern {

namespace {

// LMTP-25. Time limits are the first recipient's.
bool same_place(const Conversation& conversation, const DeliveryRoute& route) {
  const ProxyRoute &a = conversation.route(), &b = route.proxy;
  return &conversation.backend() == route.backend && a.host == b.host && a.addresses == b.addresses && a.port == b.port && a.source == b.source &&
         a.tls == b.tls && a.verify_certificate == b.verify_certificate && a.trusted == b.trusted && a.preamble == b.preamble;
}

}  // namespace

Transaction::Transaction(const DeliveryWorld& world, const DeliveryOptions& options, Envelope envelope, std::string id, BackPlan plan, Owner& owner)
    : world_(world), options_(options), envelope_(std::move(envelope)), id_(std::move(id)), plan_(std::move(plan)), owner_(owner) {}

BackPlan Transaction::plan_for(const ProxyRoute& route) const {
  BackPlan plan = plan_;
  plan.tls = route.tls;
  plan.trusted = route.trusted;
  plan.forward.session = id_ + ":P" + std::to_string(conversations_.size() + 1);
  return plan;
}

Conversation& Transaction::conversation_with(DeliveryRoute route) {
  for (const auto& conversation : conversations_)
    if (same_place(*conversation, route)) return *conversation;
  BackPlan plan = plan_for(route.proxy);
  conversations_.push_back(std::make_unique<Conversation>(world_, options_, *route.backend, std::move(route.proxy), std::move(plan), envelope_, *this));
  conversations_.back()->start();
  return *conversations_.back();
}

void Transaction::send_to(const Recipient& recipient, DeliveryRoute route, std::string address) {
  ForwardFields forward = std::move(route.proxy.forward);
  Conversation& conversation = conversation_with(std::move(route));
  by_recipient_[recipient.number] = &conversation;
  conversation.add_recipient(recipient, std::move(address), std::move(forward));
}

// LMTP-36: all of them have the time of the most patient one.
void Transaction::deliver(const Mail& mail) {
  Milliseconds timeout{0};
  for (const auto& conversation : conversations_) {
    const Milliseconds own = conversation->route().timeout;
    timeout = std::max(timeout, own.count() > 0 ? own : options_.data_timeout);
  }
  for (const auto& conversation : conversations_) conversation->send_message(mail, timeout);
}

Transaction::Place Transaction::place_of(uint32_t recipient) const {
  const auto found = by_recipient_.find(recipient);
  if (found == by_recipient_.end()) return {};
  return {found->second->route().host, found->second->destination()};
}

}  // namespace postern
