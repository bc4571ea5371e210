#include "net/redis_protocol.h"

#include <hiredis/hiredis.h>

#include "base/check.h"

namespace postern {

namespace {

// hiredis builds a tree of whatever these make: here of the reply itself. An array's items are added one by one, so
// what its header promises costs nothing; a pointer into it is used up before the next item moves it.
RedisReply* place(const redisReadTask* task, RedisReply::Kind kind) {
  auto* parent = task->parent == nullptr ? nullptr : static_cast<RedisReply*>(task->parent->obj);
  RedisReply* reply = parent == nullptr ? new RedisReply : &parent->items.emplace_back();
  reply->kind = kind;
  return reply;
}

void* make_string(const redisReadTask* task, char* text, size_t size) {
  const auto kind = task->type == REDIS_REPLY_ERROR    ? RedisReply::Kind::Error
                    : task->type == REDIS_REPLY_STATUS ? RedisReply::Kind::Status
                                                       : RedisReply::Kind::Text;
  RedisReply* reply = place(task, kind);
  reply->text = SecretString(std::string_view(text, size));
  return reply;
}

void* make_array(const redisReadTask* task, int) { return place(task, RedisReply::Kind::Array); }

void* make_integer(const redisReadTask* task, long long value) {
  RedisReply* reply = place(task, RedisReply::Kind::Integer);
  reply->integer = value;
  return reply;
}

void* make_nil(const redisReadTask* task) { return place(task, RedisReply::Kind::Nil); }

void free_reply(void* reply) { delete static_cast<RedisReply*>(reply); }

redisReplyObjectFunctions functions() { return {make_string, make_array, make_integer, make_nil, free_reply}; }

struct ReaderDeleter {
  void operator()(redisReader* reader) const { redisReaderFree(reader); }
};

}  // namespace

SecretString redis_command(std::span<const std::string_view> words) {
  std::vector<const char*> texts;
  std::vector<size_t> sizes;
  for (const std::string_view word : words) {
    texts.push_back(word.data() == nullptr ? "" : word.data());
    sizes.push_back(word.size());
  }
  char* bytes = nullptr;
  const int size = redisFormatCommandArgv(&bytes, static_cast<int>(words.size()), texts.data(), sizes.data());
  POSTERN_CHECK(size > 0, "hiredis: no memory for a command");
  SecretString out(std::string_view(bytes, static_cast<size_t>(size)));
  secure_zero(bytes, static_cast<size_t>(size));
  redisFreeCommand(bytes);
  return out;
}

struct RedisReader::State {
  size_t max_reply;
  size_t bytes = 0;  // of the reply that is not complete
  redisReplyObjectFunctions fn = functions();
  std::unique_ptr<redisReader, ReaderDeleter> reader{redisReaderCreateWithFunctions(&fn)};
};

RedisReader::RedisReader(size_t max_reply) : state_(new State{max_reply}) {
  POSTERN_CHECK(state_->reader != nullptr, "hiredis: no memory for a reader");
}

RedisReader::~RedisReader() = default;

bool RedisReader::feed(std::string_view bytes) {
  state_->bytes += bytes.size();
  return state_->reader->err == 0 && redisReaderFeed(state_->reader.get(), bytes.data(), bytes.size()) == REDIS_OK;
}

Result<std::optional<RedisReply>> RedisReader::next() {
  redisReader* reader = state_->reader.get();
  void* made = nullptr;
  if (redisReaderGetReply(reader, &made) != REDIS_OK) return Error("this is not Redis' protocol");
  if (made == nullptr) {
    if (state_->bytes > state_->max_reply) return Error("the reply is too long");
    return std::optional<RedisReply>();
  }
  const std::unique_ptr<RedisReply> reply(static_cast<RedisReply*>(made));
  state_->bytes = reader->len - reader->pos;
  return std::optional<RedisReply>(std::move(*reply));
}

}  // namespace postern
