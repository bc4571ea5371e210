// HTTP requests without blocking: libcurl's multi interface in our event loop (databases and policy servers that are
// asked over HTTP). This is libcurl's only home.
#ifndef POSTERN_NET_HTTP_CLIENT_H
#define POSTERN_NET_HTTP_CLIENT_H

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/percent.h"  // url_escape
#include "base/secret.h"
#include "event/loop.h"

namespace postern {

struct HttpRequest {
  std::string url{};  // http or https; nothing else is spoken
  std::string method = "GET";
  std::vector<SecretString> headers{};  // "Name: value"; one with CR, LF or NUL fails the request
  SecretString body{};                  // sent when the method is POST
  Milliseconds timeout{10'000};         // for all of it
  size_t max_answer = 64 * 1024;        // bytes of headers, and of body; more is a failure
  // https: files or folders of PEM certificates, and our own; empty: the system's, none.
  std::string ca_file{}, ca_dir{}, cert_file{}, key_file{};
  bool verify = true;  // https: the certificate, and that it is the host's
};

struct HttpAnswer {
  int status = 0;  // 0: no answer, then `why` says what happened; it holds nothing of the request but host and port
  std::string why;
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case, values without blanks around them
  std::string body;

  // The first header of that (lower-case) name; nothing when there is none.
  const std::string* header(std::string_view name) const;
};

class HttpClient {
 public:
  using Done = std::function<void(HttpAnswer)>;
  struct Limits {
    size_t connections = 100;   // at once, to all hosts; what is more waits for one
    size_t requests = 10'000;   // under way or waiting; one more fails at once
    Milliseconds idle{10'000};  // connections are kept for the next request that long
  };
  explicit HttpClient(Loop& loop) : HttpClient(loop, Limits()) {}
  HttpClient(Loop& loop, Limits limits);
  // Requests under way end without an answer.
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // `done` is called once, never before this returned. Redirects are answers like others; nothing is tried twice.
  void send(HttpRequest request, Done done);

 private:
  struct State;
  Loop& loop_;
  Limits limits_;
  std::unique_ptr<State> state_;  // from the first request on: most sites have none
};

// Whether `url` is one that requests can go to. For checks of the configuration; an absolute http or https URL with a
// host.
bool is_http_url(std::string_view url);

}  // namespace postern

#endif
