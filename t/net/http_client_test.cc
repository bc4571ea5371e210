// Requests over real sockets: a server of a few lines answers (libevent's evhttp).
#include "net/http_client.h"

#include <event2/buffer.h>
#include <event2/http.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "config.h"

#ifdef HAVE_CURL

namespace postern {
namespace {

class HttpClientTest : public ::testing::Test {
 protected:
  void SetUp() override {
    server_ = evhttp_new(loop_.base());
    evhttp_set_gencb(
        server_, [](evhttp_request* r, void* self) { static_cast<HttpClientTest*>(self)->serve(r); }, this);
    evhttp_bound_socket* bound = evhttp_bind_socket_with_handle(server_, "127.0.0.1", 0);
    ASSERT_NE(bound, nullptr);
    sockaddr_in address{};
    socklen_t size = sizeof address;
    ::getsockname(evhttp_bound_socket_get_fd(bound), reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
  }
  void TearDown() override { evhttp_free(server_); }

  void serve(evhttp_request* request) {
    const std::string path = evhttp_request_get_uri(request);
    evbuffer* in = evhttp_request_get_input_buffer(request);
    std::string body(evbuffer_get_length(in), '\0');
    evbuffer_remove(in, body.data(), body.size());
    const char* header = evhttp_find_header(evhttp_request_get_input_headers(request), "X-Test");
    seen_.push_back(std::to_string(evhttp_request_get_command(request)) + " " + path + " " + (header ? header : "-") +
                    " " + body);
    if (path == "/never") return;
    evbuffer* out = evbuffer_new();
    evbuffer_add_printf(out, "%s", path == "/long" ? std::string(70'000, 'x').c_str() : "hello");
    evhttp_add_header(evhttp_request_get_output_headers(request), "Auth-Status", "OK ");
    evhttp_send_reply(request, path == "/missing" ? 404 : 200, "", out);
    evbuffer_free(out);
  }

  std::string url(const std::string& path) const { return "http://127.0.0.1:" + std::to_string(port_) + path; }

  HttpAnswer ask(HttpRequest request) {
    HttpAnswer answer;
    client_.send(std::move(request), [&](HttpAnswer a) {
      answer = std::move(a);
      loop_.stop();
    });
    EXPECT_EQ(answer.status + answer.why.size(), 0u) << "told before send() returned";
    loop_.run();
    return answer;
  }

  Loop loop_;
  HttpClient client_{loop_, {.connections = 2, .requests = 3}};
  evhttp* server_ = nullptr;
  int port_ = 0;
  std::vector<std::string> seen_;
};

TEST_F(HttpClientTest, GetWithHeaders) {
  HttpRequest request{.url = url("/a?b=c")};
  request.headers.emplace_back("X-Test: yes");
  const HttpAnswer answer = ask(std::move(request));
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "hello");
  ASSERT_NE(answer.header("auth-status"), nullptr);
  EXPECT_EQ(*answer.header("auth-status"), "OK");
  EXPECT_EQ(answer.header("other"), nullptr);
  EXPECT_EQ(seen_, std::vector<std::string>{std::to_string(EVHTTP_REQ_GET) + " /a?b=c yes "});
}

TEST_F(HttpClientTest, PostWithBody) {
  HttpRequest request{.url = url("/form"), .method = "POST"};
  request.body.append(std::string_view("a=1\0b", 5));
  EXPECT_EQ(ask(std::move(request)).status, 200);
  EXPECT_EQ(seen_, std::vector<std::string>{std::to_string(EVHTTP_REQ_POST) + " /form - " + std::string("a=1\0b", 5)});
}

TEST_F(HttpClientTest, OtherStatusIsAnAnswer) { EXPECT_EQ(ask({.url = url("/missing")}).status, 404); }

TEST_F(HttpClientTest, FailuresSayWhy) {
  const HttpAnswer late = ask({.url = url("/never"), .timeout = Milliseconds(50)});
  EXPECT_EQ(late.status, 0);
  EXPECT_FALSE(late.why.empty());
  EXPECT_EQ(ask({.url = url("/long")}).why, "answer too long");
  EXPECT_EQ(ask({.url = "file:///etc/passwd"}).status, 0);
  const int closed = port_;
  evhttp_free(server_);
  server_ = evhttp_new(loop_.base());
  EXPECT_EQ(ask({.url = "http://127.0.0.1:" + std::to_string(closed) + "/"}).status, 0);
}

TEST_F(HttpClientTest, HeaderWithLineBreakIsRefused) {
  HttpRequest request{.url = url("/")};
  request.headers.emplace_back("X-Test: a\r\nX-Other: b");
  EXPECT_EQ(ask(std::move(request)).why, "a header would have a line break in it");
  EXPECT_TRUE(seen_.empty());
}

TEST_F(HttpClientTest, TooManyFailAtOnce) {
  std::vector<std::string> ends;
  for (int i = 0; i < 5; ++i)
    client_.send({.url = url("/" + std::to_string(i))}, [&](HttpAnswer a) {
      ends.push_back(a.status == 200 ? "ok" : a.why);
      if (ends.size() == 5) loop_.stop();
    });
  loop_.run();
  EXPECT_EQ(std::count(ends.begin(), ends.end(), "ok"), 3);
  EXPECT_EQ(std::count(ends.begin(), ends.end(), "too many HTTP requests under way"), 2);
}

TEST_F(HttpClientTest, MayDieWithRequestsUnderWay) {
  auto client = std::make_unique<HttpClient>(loop_);
  client->send({.url = url("/never")}, [](HttpAnswer) { FAIL() << "called after its end"; });
  Timer stop;
  stop.start(
      loop_, Milliseconds(20), [](void* loop) { static_cast<Loop*>(loop)->stop(); }, &loop_);
  loop_.run();
  client.reset();
  loop_.defer([&] { loop_.stop(); });
  stop.start(
      loop_, Milliseconds(1), [](void* loop) { static_cast<Loop*>(loop)->stop(); }, &loop_);
  loop_.run();
}

TEST(HttpUrl, AbsoluteWithHost) {
  EXPECT_TRUE(is_http_url("http://127.0.0.1:8080/auth"));
  EXPECT_TRUE(is_http_url("https://id.example.org/?token="));
  for (const char* bad : {"", "ftp://x/", "http://", "/auth", "file:///etc/passwd", "http://ho st/"})
    EXPECT_FALSE(is_http_url(bad)) << bad;
  EXPECT_EQ(url_escape("a b&c=%/\xC3~-._Z9"), "a%20b%26c%3D%25%2F%C3~-._Z9");
}

}  // namespace
}  // namespace postern

#endif
