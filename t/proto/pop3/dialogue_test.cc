#include "proto/pop3/protocol.h"
#include "support/dialogue.h"

namespace postern::test {
namespace {

class Pop3Dialogue : public testing::TestWithParam<Dialogue> {};

TEST_P(Pop3Dialogue, IsTheSameAtEveryCut) { check_at_every_cut(GetParam()); }

INSTANTIATE_TEST_SUITE_P(Data, Pop3Dialogue, testing::ValuesIn(load_dialogues("pop3", kPop3)), dialogue_name);

}  // namespace
}  // namespace postern::test
