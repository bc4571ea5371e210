#include "proto/smtp/lmtp.h"
#include "support/dialogue.h"

namespace postern::test {
namespace {

class LmtpDialogue : public testing::TestWithParam<Dialogue> {};

TEST_P(LmtpDialogue, IsTheSameAtEveryCut) { check_at_every_cut(GetParam()); }

INSTANTIATE_TEST_SUITE_P(Data, LmtpDialogue, testing::ValuesIn(load_dialogues("lmtp", kLmtp)), dialogue_name);

}  // namespace
}  // namespace postern::test
