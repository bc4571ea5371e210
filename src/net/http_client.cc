#include "net/http_client.h"

#include <curl/curl.h>

#include <algorithm>
#include <optional>
#include <unordered_map>

#include "base/check.h"
#include "base/text.h"

namespace postern {

namespace {

struct EasyDeleter {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};

void start_library() {
  static const CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);
  POSTERN_CHECK(code == CURLE_OK, "libcurl failed to start");
}

bool breaks_header(std::string_view text) {
  return text.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos;
}

// One request under way; its address is libcurl's.
struct Transfer {
  HttpRequest request;
  HttpClient::Done done;
  HttpAnswer answer;
  std::unique_ptr<CURL, EasyDeleter> easy;
  curl_slist* headers = nullptr;
  size_t header_bytes = 0;
  char error[CURL_ERROR_SIZE] = "";

  Transfer(HttpRequest r, HttpClient::Done d) : request(std::move(r)), done(std::move(d)), easy(curl_easy_init()) {}
  ~Transfer() {
    for (curl_slist* h = headers; h != nullptr; h = h->next)
      secure_zero(h->data, std::char_traits<char>::length(h->data));
    curl_slist_free_all(headers);
  }
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  template <class T>
  void set(CURLoption option, T value) {
    curl_easy_setopt(easy.get(), option, value);
  }
  void set_file(CURLoption option, const std::string& path) {
    if (!path.empty()) set(option, path.c_str());
  }
  bool add_headers();
  void prepare();
  void take_header(std::string_view line);
};

bool Transfer::add_headers() {
  for (const SecretString& header : request.headers) {
    if (breaks_header(header.reveal())) return false;
    SecretString line(header);
    // libcurl takes "Name:" for a header to leave out, and "Name;" for one without value.
    const std::string_view named = trim(line.reveal());
    if (named.ends_with(':')) line = SecretString(std::string(named.substr(0, named.size() - 1)) + ";");
    line.append(std::string_view("\0", 1));
    headers = curl_slist_append(headers, line.reveal().data());
  }
  // Without a body to wait for, nothing is gained by asking first.
  headers = curl_slist_append(headers, "Expect:");
  return true;
}

size_t on_body(char* data, size_t size, size_t count, void* owner) {
  auto& transfer = *static_cast<Transfer*>(owner);
  if (transfer.answer.body.size() + size * count > transfer.request.max_answer) return 0;
  transfer.answer.body.append(data, size * count);
  return size * count;
}

size_t on_header(char* data, size_t size, size_t count, void* owner) {
  auto& transfer = *static_cast<Transfer*>(owner);
  transfer.header_bytes += size * count;
  if (transfer.header_bytes > transfer.request.max_answer) return 0;
  transfer.take_header({data, size * count});
  return size * count;
}

void Transfer::take_header(std::string_view line) {
  if (line.starts_with("HTTP/")) return answer.headers.clear();  // those before were of an interim answer
  while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.remove_suffix(1);
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) return;
  answer.headers.emplace_back(to_lower(trim(line.substr(0, colon))), trim(line.substr(colon + 1)));
}

void Transfer::prepare() {
  set(CURLOPT_URL, request.url.c_str());
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_PROXY, "");
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_PRIVATE, static_cast<void*>(this));
  set(CURLOPT_ERRORBUFFER, error);
  set(CURLOPT_HTTPHEADER, headers);
  set(CURLOPT_TIMEOUT_MS, static_cast<long>(request.timeout.count()));
  set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(request.timeout.count()));
  set(CURLOPT_WRITEFUNCTION, on_body);
  set(CURLOPT_WRITEDATA, static_cast<void*>(this));
  set(CURLOPT_HEADERFUNCTION, on_header);
  set(CURLOPT_HEADERDATA, static_cast<void*>(this));
  set(CURLOPT_SSL_VERIFYPEER, request.verify ? 1L : 0L);
  set(CURLOPT_SSL_VERIFYHOST, request.verify ? 2L : 0L);
  set_file(CURLOPT_CAINFO, request.ca_file);
  set_file(CURLOPT_CAPATH, request.ca_dir);
  set_file(CURLOPT_SSLCERT, request.cert_file);
  set_file(CURLOPT_SSLKEY, request.key_file);
  if (request.method != "POST") return set(CURLOPT_CUSTOMREQUEST, request.method.c_str());
  set(CURLOPT_POST, 1L);
  set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
  set(CURLOPT_POSTFIELDS, request.body.reveal().data());
}

short events_of(int what) {
  const int read = what == CURL_POLL_IN || what == CURL_POLL_INOUT ? EV_READ : 0;
  const int write = what == CURL_POLL_OUT || what == CURL_POLL_INOUT ? EV_WRITE : 0;
  return static_cast<short>(read | write);
}

}  // namespace

struct HttpClient::State {
  Loop& loop;
  Limits limits;
  CURLM* multi;
  Timer timer;
  std::unordered_map<int, std::unique_ptr<Watch>> watches;
  std::unordered_map<Transfer*, std::unique_ptr<Transfer>> transfers;
  std::shared_ptr<bool> alive = std::make_shared<bool>(true);

  State(Loop& l, Limits max);
  ~State();
  void start(HttpRequest request, Done done);
  void fail_later(Done done, std::string why);
  void act(curl_socket_t fd, int what);
  void collect();
  void finish(std::unique_ptr<Transfer> transfer, CURLcode code);
  static int on_socket(CURL*, curl_socket_t fd, int what, void* self, void*);
  static int on_timer(CURLM*, long milliseconds, void* self);
};

HttpClient::State::State(Loop& l, Limits max) : loop(l), limits(max) {
  start_library();
  multi = curl_multi_init();
  POSTERN_CHECK(multi != nullptr, "libcurl: no multi handle");
  curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
  curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer);
  curl_multi_setopt(multi, CURLMOPT_TIMERDATA, this);
  curl_multi_setopt(multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, static_cast<long>(limits.connections));
  curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, static_cast<long>(limits.connections));
}

HttpClient::State::~State() {
  *alive = false;
  for (const auto& [address, transfer] : transfers) curl_multi_remove_handle(multi, transfer->easy.get());
  transfers.clear();
  curl_multi_cleanup(multi);
}

void HttpClient::State::fail_later(Done done, std::string why) {
  loop.defer([flag = alive, call = std::move(done), text = std::move(why)] {
    if (!*flag) return;
    HttpAnswer answer;
    answer.why = text;
    call(std::move(answer));
  });
}

void HttpClient::State::start(HttpRequest request, Done done) {
  if (transfers.size() >= limits.requests) return fail_later(std::move(done), "too many HTTP requests under way");
  auto transfer = std::make_unique<Transfer>(std::move(request), std::move(done));
  if (!transfer->easy) return fail_later(std::move(transfer->done), "libcurl: no handle");
  if (!transfer->add_headers()) return fail_later(std::move(transfer->done), "a header would have a line break in it");
  transfer->prepare();
  transfer->set(CURLOPT_MAXAGE_CONN, static_cast<long>(std::chrono::ceil<std::chrono::seconds>(limits.idle).count()));
  CURL* easy = transfer->easy.get();
  transfers.emplace(transfer.get(), std::move(transfer));
  curl_multi_add_handle(multi, easy);  // asks for a timer, so nothing happens before this returns
}

int HttpClient::State::on_socket(CURL*, curl_socket_t fd, int what, void* self, void*) {
  auto& state = *static_cast<State*>(self);
  if (what == CURL_POLL_REMOVE) {
    // The callback of this very watch may be running: it goes at the end of the turn.
    const auto found = state.watches.find(fd);
    if (found == state.watches.end()) return 0;
    found->second->stop();
    state.loop.defer([gone = std::shared_ptr<Watch>(std::move(found->second))] {});
    state.watches.erase(found);
    return 0;
  }
  auto& watch = state.watches[fd];
  if (watch) {
    watch->set(events_of(what));
    return 0;
  }
  watch = std::make_unique<Watch>();
  watch->start(
      state.loop, fd, events_of(what),
      [](evutil_socket_t socket, short ready, void* owner) {
        static_cast<State*>(owner)->act(
            socket, ((ready & EV_READ) ? CURL_CSELECT_IN : 0) | ((ready & EV_WRITE) ? CURL_CSELECT_OUT : 0));
      },
      &state);
  return 0;
}

int HttpClient::State::on_timer(CURLM*, long milliseconds, void* self) {
  auto& state = *static_cast<State*>(self);
  if (milliseconds < 0) {
    state.timer.stop();
    return 0;
  }
  state.timer.start(
      state.loop, Milliseconds(milliseconds), [](void* s) { static_cast<State*>(s)->act(CURL_SOCKET_TIMEOUT, 0); },
      self);
  return 0;
}

void HttpClient::State::act(curl_socket_t fd, int what) {
  int running = 0;
  curl_multi_socket_action(multi, fd, what, &running);
  collect();
}

void HttpClient::State::collect() {
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    CURL* easy = message->easy_handle;
    const CURLcode code = message->data.result;
    void* owner = nullptr;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &owner);
    curl_multi_remove_handle(multi, easy);
    const auto found = transfers.find(static_cast<Transfer*>(owner));
    auto transfer = std::move(found->second);
    transfers.erase(found);
    finish(std::move(transfer), code);
  }
}

void HttpClient::State::finish(std::unique_ptr<Transfer> transfer, CURLcode code) {
  HttpAnswer answer = std::move(transfer->answer);
  if (code == CURLE_OK) {
    long status = 0;
    curl_easy_getinfo(transfer->easy.get(), CURLINFO_RESPONSE_CODE, &status);
    answer.status = static_cast<int>(status);
  } else {
    answer.why = code == CURLE_WRITE_ERROR    ? "answer too long"
                 : transfer->error[0] != '\0' ? transfer->error
                                              : curl_easy_strerror(code);
  }
  // Who is told may ask again at once, or end us: not from within libcurl's callbacks.
  loop.defer([flag = alive, done = std::move(transfer->done), told = std::make_shared<HttpAnswer>(std::move(answer))] {
    if (*flag) done(std::move(*told));
  });
}

HttpClient::HttpClient(Loop& loop, Limits limits) : loop_(loop), limits_(limits) {}
HttpClient::~HttpClient() = default;

void HttpClient::send(HttpRequest request, Done done) {
  if (!state_) state_ = std::make_unique<State>(loop_, limits_);
  state_->start(std::move(request), std::move(done));
}

const std::string* HttpAnswer::header(std::string_view name) const {
  const auto found = std::find_if(headers.begin(), headers.end(), [&](const auto& h) { return h.first == name; });
  return found == headers.end() ? nullptr : &found->second;
}

bool is_http_url(std::string_view url) {
  start_library();
  const std::unique_ptr<CURLU, void (*)(CURLU*)> parsed(curl_url(), curl_url_cleanup);
  if (!parsed || curl_url_set(parsed.get(), CURLUPART_URL, std::string(url).c_str(), 0) != CURLUE_OK) return false;
  return istarts_with(url, "http://") || istarts_with(url, "https://");
}

}  // namespace postern
