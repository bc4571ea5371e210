// Dialogues as data: t/dialogue/<protocol>/*.txt, each run whole, byte by byte and cut at each position; what
// the core does must be the same every time.
//
// A file holds settings, then dialogues. Lines with # in front and empty lines are left out.
//
//   greeting hello                     settings before the first dialogue hold for the whole file
//   === front POP-5: QUIT ends         front: a client talks to our Front; back: we talk to a backend
//   secured no                         settings of this dialogue, see kFrontKeys and kBackKeys in dialogue.cc
//   S: +OK hello
//   C: QUIT
//   S: +OK Logging out
//   ! bye Aborted login by logging out
//
// front    C: the client's line (CRLF is added)    S: our line    C- and S-  the same without CRLF
// back     B: the backend's line                   P: our line    B- and P-  the same without CRLF
//          S: what the client is sent meanwhile (PXI-19)
// both     !  a request of the core, expected      =  something the world tells the core
//          ?  the core's state at this point, looked at when the dialogue runs line by line only
//
//   ! tls                              TLS shall begin; what is in the buffer is thrown away
//   ! left BYTES                       bytes not taken before TLS, before an event, at the end (hand-over)
//   ! note TEXT                        a log line; the order against other lines is free
// front:
//   ! auth MECH [INITIAL]              "" when it is empty
//   ! response DATA   ! abort          ! refused MECH|- attempt|free REASON
//   ! forwarded KEY=VALUE ...          remote_ip remote_port local_ip local_port ttl session local_name forward.NAME
//   client_id ! bye REASON                       Farewell = answer KIND [TEXT]               an AnswerKind;
//   BackendAccepted: TEXT is the backend's line = with capabilities|referral ...   more of the next answer; referral
//   USER MECH HOST PORT = tls   = facts [tls_available] [tls_active] [secured] [trusted] = notice TEXT   = goodbye TEXT
//   = unavailable TEXT, = shutdown TEXT, = crowded TEXT (a goodbye for that reason) ? asked_capabilities yes|no       ?
//   to_back NAME=VALUE ...
// back:
//   ! accepted LINE   ! capabilities LIST   ! failed CLASS LOG-TEXT   ! reply TEXT, ! reply+code, ! reply+always
//   = tls             ? state WORDS         ? waiting WORD
//
// Delivery protocols have three kinds: back (the handshake; setting `backend NAME` chooses one), and
//
// delivery-front    a client hands over mail. M: and M- are bytes of the message, as the core passes them on.
//   ! begin <SENDER> [NAME=VALUE ...]  ! add N <ADDRESS> user=USER [NAME=VALUE ...]   ! message   ! end   ! drop
//   = recipient N OUTCOME              = delivered N OUTCOME
//   ? waits yes|no    ? trace HEADER   ? local HEADER (for the recipient named last)
// delivery-back     a transaction with a backend
//   = add N <ADDRESS> [as=ADDRESS] [orcpt=X] [notify=X] [forward.NAME=X]
//   = message         the message of setting `mail` is complete      = sent    it is out: P: has it as it goes over the
//   wire = fail OUTCOME    ! send, ! giveup   ! outcome N OUTCOME ? waiting WORDS   ? farewell WORDS
// An OUTCOME is an OutcomeKind and its text ("UserUnknown", "ProxyFailed Connect TEXT"), or "reply CODE [ENHANCED]
// TEXT[\n...]". What the world tells is part of what is compared: outputs stand before it or behind it.
//
// Texts may have \r \n \t \0 \s (blank) \\ \xNN, \{12*text} for repetition and \b{text} for base64 of text.
#ifndef POSTERN_T_SUPPORT_DIALOGUE_H
#define POSTERN_T_SUPPORT_DIALOGUE_H

#include <gtest/gtest.h>

#include <iosfwd>
#include <span>
#include <string>
#include <vector>

#include "proto/delivery.h"
#include "proto/protocol.h"

namespace postern::test {

struct DialogueLine {
  char kind = 0;      // one of C S B P M ! = ?
  bool whole = true;  // CRLF follows
  std::string text;
  int number = 0;
};

enum class DialogueKind : uint8_t { Front, Back, DeliveryFront, DeliveryBack };

struct Dialogue {
  std::string title, where;  // "pop3/capa.txt:12"
  DialogueKind kind = DialogueKind::Front;
  std::vector<DialogueLine> lines;
  FrontSettings settings;
  ConnectionFacts facts;
  BackPlan plan;
  ScriptRunner::Limits limits;
  const Protocol* protocol = nullptr;
  std::span<const Step> steps;  // Back
  struct {
    const DeliveryProtocol* protocol = nullptr;
    const DeliveryBackend* backend = nullptr;
    Envelope envelope;
    std::string capabilities;  // a line each
    std::string mail;
    // Else M lines are left out: of a message that is too large it depends on the cut how much is passed on.
    bool shows_bodies = true;
  } delivery;
  std::string error;  // why it cannot be run

  bool is_delivery() const { return kind == DialogueKind::DeliveryFront || kind == DialogueKind::DeliveryBack; }
};
void PrintTo(const Dialogue& dialogue, std::ostream* out);

// Every dialogue of t/dialogue/<folder>; a file that cannot be read gives one with `error`.
// $DIALOGUE_DIR wins over the folder of the sources.
std::vector<Dialogue> load_dialogues(const std::string& folder, const Protocol& protocol);
std::vector<Dialogue> load_dialogues(const std::string& folder, const DeliveryProtocol& protocol);

// Runs it in all ways and reports differences as test failures.
void check_at_every_cut(const Dialogue& dialogue);

// Name of a parametrised test, from file and title.
std::string dialogue_name(const testing::TestParamInfo<Dialogue>& info);

// Text of a dialogue line, with its escapes resolved; appends what is wrong to `error`.
std::string unescape(std::string_view text, std::string& error);

}  // namespace postern::test

#endif
