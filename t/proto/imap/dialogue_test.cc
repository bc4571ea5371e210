// IMAP on both sides, as data: t/dialogue/imap.
#include "proto/imap/protocol.h"
#include "support/dialogue.h"

namespace postern::test {
namespace {

class ImapDialogue : public testing::TestWithParam<Dialogue> {};
TEST_P(ImapDialogue, IsTheSameAtEveryCut) { check_at_every_cut(GetParam()); }
INSTANTIATE_TEST_SUITE_P(Files, ImapDialogue, testing::ValuesIn(load_dialogues("imap", imap::kImap)), dialogue_name);

}  // namespace
}  // namespace postern::test
