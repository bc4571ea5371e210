// What is too large for a dialogue: messages around their limit (LMTP-17).
#include "proto/smtp/lmtp_front.h"

#include <gtest/gtest.h>

namespace postern::smtp {
namespace {

constexpr uint64_t kMiB = 1024 * 1024;

class LmtpFrontLimits : public testing::Test {
 protected:
  LmtpFrontLimits() {
    settings_.hostname = "mx";
    settings_.max_mail_size = 1000;
    settings_.extensions = {"CHUNKING"};
    front_ = make_lmtp_front(settings_, {});
    say("MAIL FROM:<a@b>\r\n");
    for (uint32_t n = 0; n < 2; ++n) {
      say("RCPT TO:<r" + std::to_string(n) + ">\r\n");
      DeliveryOutput out;
      front_->answer_recipient(n, {.kind = OutcomeKind::Taken}, out);
    }
    sent_.clear();
  }

  // As a session does.
  void say(std::string_view bytes) {
    for (bool goes_on = true; goes_on && !left_;) {
      DeliveryOutput out;
      const size_t taken = front_->feed(bytes, out);
      bytes.remove_prefix(taken);
      sent_ += out.send;
      body_ += out.body;
      left_ = std::holds_alternative<Farewell>(out.request);
      dropped_ = dropped_ || std::holds_alternative<DropTransaction>(out.request);
      complete_ = complete_ || std::holds_alternative<EndMessage>(out.request);
      goes_on = taken > 0 || out.request.index() != 0;
    }
  }
  void say_text(uint64_t bytes) {
    for (; bytes > 0; bytes -= std::min<uint64_t>(bytes, 10000))
      say(std::string(static_cast<size_t>(std::min<uint64_t>(bytes, 10000)), 'x'));
  }

  FrontSettings settings_;
  std::unique_ptr<DeliveryFront> front_;
  std::string sent_, body_;
  bool left_ = false, dropped_ = false, complete_ = false;
};

constexpr const char* kTooLarge = "552 5.2.3 Message size exceeds administrative limit\r\n";

TEST_F(LmtpFrontLimits, AMegabyteMoreIsReadAndRefused) {
  say("DATA\r\n");
  say_text(1000 + kMiB - 2);
  say("\r\n.\r\n");
  EXPECT_EQ(sent_, std::string("354 OK\r\n") + kTooLarge + kTooLarge);
  EXPECT_TRUE(dropped_);
  EXPECT_FALSE(left_ || complete_);
  EXPECT_LE(body_.size(), 1000u) << "nothing is kept beyond the limit";
  say("NOOP\r\n");
  EXPECT_TRUE(sent_.ends_with("250 2.0.0 OK\r\n"));
}

TEST_F(LmtpFrontLimits, OneByteMoreIsTheEnd) {
  say("DATA\r\n");
  say_text(1000 + kMiB + 1);
  EXPECT_EQ(sent_, "354 OK\r\n421 4.7.0 mx Message size exceeds administrative limit\r\n");
  EXPECT_TRUE(left_);
  EXPECT_FALSE(complete_);
}

TEST_F(LmtpFrontLimits, ChunksCountTogether) {
  say("BDAT 600\r\n");
  say_text(600);
  EXPECT_EQ(sent_, "250 2.0.0 Added 600 octets\r\n");
  say("BDAT " + std::to_string(kMiB) + "\r\n");
  say_text(kMiB);
  EXPECT_FALSE(left_);
  say("BDAT 500 LAST\r\n");
  say_text(500);
  EXPECT_TRUE(sent_.ends_with("421 4.7.0 mx Message size exceeds administrative limit\r\n")) << sent_;
  EXPECT_TRUE(left_);
  EXPECT_FALSE(complete_);
}

TEST_F(LmtpFrontLimits, AChunkOfAnySizeIsAnnouncedAndNotWaitedForInMemory) {  // SEC-10
  say("BDAT 9223372036854775807 LAST\r\n");
  EXPECT_EQ(sent_, "");
  say_text(1000 + kMiB + 1);
  EXPECT_TRUE(left_);
  EXPECT_LE(body_.size(), 1000u);
}

// The size that counts is that of the message as it goes on: CRLF at the end of each line.
TEST_F(LmtpFrontLimits, LineEndsCountAsTheyGoOn) {
  say("DATA\r\n");
  for (int i = 0; i < 334; ++i) say("x\n");
  say("\r\n.\r\n");
  EXPECT_TRUE(sent_.ends_with(kTooLarge)) << sent_;
}

}  // namespace
}  // namespace postern::smtp
