#include "proto/sieve/protocol.h"
#include "support/dialogue.h"

namespace postern::test {
namespace {

class SieveDialogue : public testing::TestWithParam<Dialogue> {};

TEST_P(SieveDialogue, IsTheSameAtEveryCut) { check_at_every_cut(GetParam()); }

INSTANTIATE_TEST_SUITE_P(Data, SieveDialogue, testing::ValuesIn(load_dialogues("sieve", sieve::kSieve)), dialogue_name);

}  // namespace
}  // namespace postern::test
