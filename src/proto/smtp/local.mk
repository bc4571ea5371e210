libpure_a_SOURCES += %D%/command.cc %D%/command.h %D%/delivery_back.cc %D%/delivery_back.h %D%/delivery_steps.cc %D%/delivery_steps.h \
  %D%/envelope.cc %D%/envelope.h %D%/lmtp.cc %D%/lmtp.h %D%/lmtp_front.cc %D%/lmtp_front.h %D%/lmtp_words.cc %D%/lmtp_words.h \
  %D%/message_text.cc %D%/message_text.h %D%/reply.cc %D%/reply.h %D%/server.h %D%/steps.h %D%/submission.cc %D%/submission.h \
  %D%/submission_back.cc %D%/submission_back.h %D%/submission_front.cc %D%/submission_front.h %D%/submission_words.cc \
  %D%/xclient.cc %D%/xclient.h
