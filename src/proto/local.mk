libpure_a_SOURCES += %D%/answer.cc %D%/answer.h %D%/back.cc %D%/back.h %D%/delivery.h %D%/facts.cc %D%/facts.h %D%/front.cc %D%/front.h \
  %D%/line_reader.cc %D%/line_reader.h %D%/program_greeting.h %D%/protocol.h %D%/proxy_header.cc %D%/proxy_header.h \
  %D%/referral.cc %D%/referral.h %D%/sasl_policy.cc %D%/sasl_policy.h %D%/script.cc %D%/script.h %D%/xclient.cc %D%/xclient.h
include src/proto/imap/local.mk
include src/proto/pop3/local.mk
include src/proto/sieve/local.mk
include src/proto/smtp/local.mk
