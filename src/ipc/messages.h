// All messages between processes. One struct each, in one file for each conversation; nothing else describes them.
#ifndef POSTERN_IPC_MESSAGES_H
#define POSTERN_IPC_MESSAGES_H

#include "ipc/auth_messages.h"
#include "ipc/child_messages.h"
#include "ipc/mail_messages.h"
#include "ipc/question_messages.h"
#include "ipc/session_messages.h"
#include "ipc/worker_messages.h"

namespace postern {

// A message's number is its place here.
using Messages =
    MessageList<AuthHello, AuthStart, UserLookup, AuthContinue, AuthCancel, AuthChallenge, AuthReply, WorkerLookup,
                WorkerRow, WorkerVerify, WorkerVerdict, ChildReady, ChildStatus, NeedWorker, PeerOpened, InputOpened,
                StopChild, ServiceFull, ReopenLogs, ForkWorker, WorkerForked, WorkerEnded, SessionStarted, SessionEnded,
                KickSessions, KickWorkers, ReportsOpened, WorkerGone, StartMail, MailStarted, ReserveSession,
                SessionReserved, AskIdle, IdleSessions, CloseIdle, WorkerConnected, AuthQuestion, AuthAnswer>;

}  // namespace postern

#endif
