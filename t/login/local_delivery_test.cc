// Messages for programs of this host; auth's end of the channel is played here.
#include "login/local_delivery.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "auth/temp_dir.h"
#include "proxy/sockets.h"

namespace postern {
namespace {

using test::run_until;

class LocalDeliveryTest : public testing::Test, public LocalDelivery::Owner {
 protected:
  LocalDeliveryTest() : folder_(*SpoolFolder::open(dir_.path(""))), spool_(folder_, 100) {
    auto pair = make_channel_pair();
    auth_.connect(std::move(pair->first), true);
    Channel::Events events;
    events.packet = [this](std::string_view packet, std::span<Fd> descriptors) {
      const auto question = decode_message<UserLookup>(packet);
      if (!question) return;
      asked_ = *question;
      if (!descriptors.empty()) message_ = std::move(descriptors[0]);
    };
    events.lost = [](std::string_view) {};
    far_ = std::make_unique<Channel>(loop_, std::move(pair->second), Role::Auth, Role::Login, std::move(events));
  }

  void locally_delivered(uint32_t recipient, Outcome outcome) override {
    EXPECT_EQ(recipient, 3u);
    EXPECT_FALSE(outcome_) << "once";
    outcome_ = std::move(outcome);
  }
  void local_trouble(const std::string& line) override { troubles_ += line; }

  void start(const SpoolFolder& folder) {
    UserLookup question;
    question.user = "joe";
    question.deliver = true;
    delivery_ = std::make_unique<LocalDelivery>(
        loop_, auth_, folder, spool_, "Return-Path: <a@b>\r\nDelivered-To: joe\r\n", std::move(question), 3, *this);
    delivery_->start();
  }
  bool is_asked() {
    return run_until(loop_, [this] { return asked_.has_value(); });
  }
  void reply(AuthResult result, Fd program = Fd(), std::string reason = {}) {
    AuthReply r;
    r.id = asked_->id;
    r.result = result;
    r.reason = std::move(reason);
    r.is_local = true;
    r.mail_pid = program ? 77 : 0;
    std::vector<Fd> descriptors;
    if (program) descriptors.push_back(std::move(program));
    far_->send(r, std::move(descriptors));
  }
  // The program ends like that; nothing: whoever had to tell it has died.
  OutcomeKind end_with(std::optional<int> wait_status) {
    start(folder_);
    EXPECT_TRUE(is_asked());
    int ends[2];
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    const DeliveryEnd end{wait_status.value_or(0)};
    if (wait_status) {
      EXPECT_EQ(::write(ends[1], &end, sizeof end), static_cast<ssize_t>(sizeof end));
    }
    ::close(ends[1]);
    reply(AuthResult::Ok, Fd(ends[0]));
    return outcome();
  }
  OutcomeKind outcome() {
    EXPECT_TRUE(run_until(loop_, [this] { return outcome_.has_value(); }));
    return outcome_ ? outcome_->kind : OutcomeKind::kCount;
  }

  TempDir dir_;
  Loop loop_;
  AuthClient auth_{loop_, Milliseconds(60000), Milliseconds(60000), Milliseconds(60000)};
  SpoolFolder folder_;
  Spool spool_;
  std::unique_ptr<Channel> far_;
  std::unique_ptr<LocalDelivery> delivery_;
  std::optional<UserLookup> asked_;
  Fd message_;
  std::optional<Outcome> outcome_;
  std::string troubles_;
};

std::string contents(const Fd& file) {
  std::string out;
  EXPECT_EQ(::lseek(file.get(), 0, SEEK_SET), 0);
  test::drain_into(file, out);
  return out;
}

TEST_F(LocalDeliveryTest, TheProgramGetsTheMessageWithLineEndsOfItsHost) {
  ASSERT_TRUE(spool_.append("Subject: x\r\n\r\ntext\r\n"));
  start(folder_);
  EXPECT_FALSE(outcome_);
  ASSERT_TRUE(is_asked());
  EXPECT_TRUE(asked_->deliver);
  EXPECT_EQ(asked_->user, "joe");
  EXPECT_EQ(contents(message_), "Return-Path: <a@b>\nDelivered-To: joe\nSubject: x\n\ntext\n");
  EXPECT_TRUE(std::filesystem::is_empty(dir_.path("")));
}

TEST_F(LocalDeliveryTest, ALargeOneIsCopiedInTurns) {
  std::string text;
  while (text.size() < 3 << 20) text += "0123456789abcde\r\n";  // line ends fall between pieces
  ASSERT_TRUE(spool_.append(text));
  start(folder_);
  ASSERT_TRUE(is_asked());
  std::erase(text, '\r');
  EXPECT_TRUE(contents(message_) == "Return-Path: <a@b>\nDelivered-To: joe\n" + text);
}

// DECISIONS section 8
TEST_F(LocalDeliveryTest, ExitStatus0) { EXPECT_EQ(end_with(0), OutcomeKind::Delivered); }
TEST_F(LocalDeliveryTest, ExitStatus67) { EXPECT_EQ(end_with(67 << 8), OutcomeKind::UserUnknown); }
TEST_F(LocalDeliveryTest, ExitStatus77) { EXPECT_EQ(end_with(77 << 8), OutcomeKind::ProgramRefused); }
TEST_F(LocalDeliveryTest, ExitStatus75) { EXPECT_EQ(end_with(75 << 8), OutcomeKind::ProgramFailed); }
TEST_F(LocalDeliveryTest, ExitStatus1) { EXPECT_EQ(end_with(1 << 8), OutcomeKind::ProgramFailed); }
TEST_F(LocalDeliveryTest, ASignal) { EXPECT_EQ(end_with(9), OutcomeKind::ProgramFailed); }
TEST_F(LocalDeliveryTest, NobodyTellsItsEnd) {
  EXPECT_EQ(end_with(std::nullopt), OutcomeKind::ProgramFailed);
}  // LMTP-46

TEST_F(LocalDeliveryTest, WhoIsNotThereAnyMore) {
  start(folder_);
  ASSERT_TRUE(is_asked());
  reply(AuthResult::Failed);
  EXPECT_EQ(outcome(), OutcomeKind::UserUnknown);
}

TEST_F(LocalDeliveryTest, WhatAuthCannotDoNow) {
  start(folder_);
  ASSERT_TRUE(is_asked());
  reply(AuthResult::TooMany, Fd(), "Too many concurrent deliveries for user");
  EXPECT_EQ(outcome(), OutcomeKind::LookupFailed);
  EXPECT_EQ(outcome_->text, "Too many concurrent deliveries for user");
}

TEST_F(LocalDeliveryTest, WhoIsProxiedByNow) {
  start(folder_);
  ASSERT_TRUE(is_asked());
  reply(AuthResult::Ok);
  EXPECT_EQ(outcome(), OutcomeKind::LookupFailed) << "tried again, he is looked up anew";
}

// A message that was given away is not given twice: the program may run.
TEST_F(LocalDeliveryTest, AuthDies) {
  start(folder_);
  ASSERT_TRUE(is_asked());
  far_.reset();
  EXPECT_EQ(outcome(), OutcomeKind::LookupFailed);
}

TEST_F(LocalDeliveryTest, NoFolderForFiles) {
  const SpoolFolder none;
  start(none);
  EXPECT_EQ(outcome(), OutcomeKind::InternalFailure);
  EXPECT_EQ(troubles_, "mail_temp_dir is not available");
  EXPECT_FALSE(asked_);
}

TEST_F(LocalDeliveryTest, MayBeDroppedAtAnyTime) {
  start(folder_);
  delivery_.reset();
  start(folder_);
  ASSERT_TRUE(is_asked());
  delivery_.reset();
  reply(AuthResult::Failed);
  bool over = false;
  loop_.defer([&] { over = true; });
  EXPECT_TRUE(run_until(loop_, [&] { return over; }));
  EXPECT_FALSE(outcome_);
}

}  // namespace
}  // namespace postern
