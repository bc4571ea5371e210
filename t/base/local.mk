# Tests of src/base, and of the messages, whose codec is base/wire.h.
if HAVE_GTEST
check_PROGRAMS += %D%/base_test
TESTS += %D%/base_test
%C%_base_test_SOURCES = %D%/address_test.cc %D%/messages_test.cc %D%/packed_texts_test.cc %D%/rarely_test.cc %D%/secret_test.cc %D%/text_test.cc %D%/wire_test.cc
%C%_base_test_LDADD = $(POSTERN_PURE_LIBS) $(TESTMAIN_LIBS)
endif
