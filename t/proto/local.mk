# Tests of src/proto: one program.
if HAVE_GTEST
check_PROGRAMS += %D%/proto_test
TESTS += %D%/proto_test
%C%_proto_test_SOURCES = %D%/answer_test.cc %D%/line_reader_test.cc %D%/proxy_header_test.cc %D%/sasl_client_test.cc %D%/script_test.cc \
  %D%/imap/dialogue_test.cc %D%/imap/program_greeting_test.cc %D%/imap/scan_test.cc %D%/pop3/dialogue_test.cc \
  %D%/sieve/dialogue_test.cc %D%/sieve/scan_test.cc \
  %D%/smtp/command_test.cc %D%/smtp/dialogue_test.cc %D%/smtp/envelope_test.cc %D%/smtp/lmtp_dialogue_test.cc %D%/smtp/lmtp_front_test.cc %D%/smtp/lmtp_words_test.cc %D%/smtp/message_text_test.cc \
  %D%/smtp/reply_test.cc %D%/smtp/xclient_test.cc %D%/xclient_test.cc
%C%_proto_test_LDADD = $(DIALOGUE_LIBS)
endif
