#include "auth/db_http.h"

#include <list>

#include "auth/auth_http.h"
#include "auth/db_http_plan.h"

namespace postern {

namespace {

// How long a service may put a user off with WAIT, all in all.
constexpr Milliseconds kLongestWait{30'000};

// Variables of nobody.
struct NoVariables final : Variables {
  std::string value(Variable, std::string_view) const override { return "x"; }
};

// A client of its own for each block: a service that hangs uses up nobody else's connections.
class HttpDatabase final : public AsyncDatabase {
 public:
  HttpDatabase(HttpPlan plan, const AsyncWorld& world)
      : plan_(std::move(plan)), loop_(world.loop), client_(world.loop, {.requests = plan_.max_requests}) {}

  void lookup(const AsyncLookup& what, Done done) override {
    lookups_.emplace_front(*this, request_for(what), auth_http_judges(what), std::move(done));
    lookups_.front().self = lookups_.begin();
    send(lookups_.front());
  }

 private:
  struct Lookup {
    HttpDatabase& owner;
    HttpRequest request;
    bool judges;
    Done done;
    std::list<Lookup>::iterator self{};
    Milliseconds waited{0};
    Timer again{};

    Lookup(HttpDatabase& o, HttpRequest r, bool j, Done d)
        : owner(o), request(std::move(r)), judges(j), done(std::move(d)) {}
  };

  HttpRequest request_for(const AsyncLookup& what) const {
    HttpRequest request;
    request.url = plan_.url_for(what.variables);
    request.headers = auth_http_headers(what, plan_.pass_client_cert);
    for (const std::string& header : plan_.headers) request.headers.emplace_back(header);
    request.timeout = plan_.timeout;
    request.ca_file = plan_.ca_file;
    request.cert_file = plan_.cert_file;
    request.key_file = plan_.key_file;
    return request;
  }

  void send(Lookup& lookup) {
    client_.send(lookup.request,
                 [this, &lookup](const HttpAnswer& answer) { take(lookup, auth_http_verdict(answer, lookup.judges)); });
  }

  void take(Lookup& lookup, AuthHttpVerdict verdict) {
    if (verdict.ask_again && lookup.waited + *verdict.ask_again <= kLongestWait)
      return wait(lookup, *verdict.ask_again);
    const Done done = std::move(lookup.done);
    lookups_.erase(lookup.self);
    done(std::move(verdict.row));
  }

  void wait(Lookup& lookup, Milliseconds time) {
    lookup.waited += time;
    lookup.again.start(
        loop_, time,
        [](void* self) {
          auto& waiting = *static_cast<Lookup*>(self);
          waiting.owner.send(waiting);
        },
        &lookup);
  }

  HttpPlan plan_;
  Loop& loop_;
  std::list<Lookup> lookups_;
  HttpClient client_;
};

}  // namespace

Result<std::unique_ptr<AsyncDatabase>> open_http(const DatabaseSettings& settings, DbKind, const AsyncWorld& world) {
  auto plan = HttpPlan::from(settings);
  if (!plan) return Error(plan.error());
  if (!is_http_url(plan->url_for(NoVariables()))) return Error("http_url is not a URL");
  return std::unique_ptr<AsyncDatabase>(std::make_unique<HttpDatabase>(std::move(*plan), world));
}

}  // namespace postern
