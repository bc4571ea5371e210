# Fuzz targets: %D%/NAME_fuzz.cc defines LLVMFuzzerTestOneInput, corpus/NAME/ has its inputs. A target is one line
# here: source and libraries are the defaults below (a target that needs more sets its own _LDADD).
# Without --enable-fuzzing each runs over its corpus, with small changes, in `make check`; with it
# (CC=clang CXX=clang++) it is a libFuzzer program: t/fuzz/pop3_front_fuzz t/fuzz/corpus/pop3_front
# New inputs from the dialogues: t/fuzz/corpus_from_dialogues
FUZZ_TARGETS = \
  %D%/admin_fuzz \
  %D%/auth_fuzz \
  %D%/auth_reply_fuzz \
  %D%/conf_fuzz \
  %D%/delivery_back_fuzz \
  %D%/delivery_handshake_fuzz \
  %D%/imap_back_fuzz \
  %D%/imap_front_fuzz \
  %D%/lmtp_front_fuzz \
  %D%/mail_fuzz \
  %D%/messages_fuzz \
  %D%/pop3_back_fuzz \
  %D%/pop3_front_fuzz \
  %D%/program_greeting_fuzz \
  %D%/proxy_header_fuzz \
  %D%/sieve_back_fuzz \
  %D%/sieve_front_fuzz \
  %D%/smtp_fuzz \
  %D%/submission_back_fuzz \
  %D%/submission_front_fuzz \
  %D%/text_fuzz

AM_DEFAULT_SOURCE_EXT = .cc
LDADD = $(FUZZ_MAIN) $(POSTERN_LIBS)
%C%_auth_fuzz_LDADD = $(FUZZ_MAIN) $(AUTH_LIBS)
%C%_auth_reply_fuzz_LDADD = $(FUZZ_MAIN) $(AUTH_LIBS)
if FUZZING
FUZZ_MAIN = $(FUZZ_LDFLAGS)
noinst_PROGRAMS += $(FUZZ_TARGETS)
else
FUZZ_MAIN = libreplay.a
check_LIBRARIES += libreplay.a
libreplay_a_SOURCES = %D%/replay_main.cc
libreplay_a_CPPFLAGS = $(AM_CPPFLAGS) -DSOURCE_DIR='"$(abs_top_srcdir)"'
check_PROGRAMS += $(FUZZ_TARGETS)
TESTS += $(FUZZ_TARGETS)
endif
EXTRA_DIST += %D%/back_fuzz.h %D%/corpus %D%/corpus_from_dialogues %D%/delivery_front_fuzz.h %D%/expect.h %D%/front_fuzz.h
