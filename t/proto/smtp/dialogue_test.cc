#include "proto/smtp/submission.h"
#include "support/dialogue.h"

namespace postern::test {
namespace {

class SubmissionDialogue : public testing::TestWithParam<Dialogue> {};

TEST_P(SubmissionDialogue, IsTheSameAtEveryCut) { check_at_every_cut(GetParam()); }

INSTANTIATE_TEST_SUITE_P(Data, SubmissionDialogue, testing::ValuesIn(load_dialogues("submission", kSubmission)),
                         dialogue_name);

}  // namespace
}  // namespace postern::test
