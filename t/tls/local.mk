if HAVE_GTEST
check_PROGRAMS += t/tls_test
TESTS += t/tls_test
t_tls_test_SOURCES = %D%/certificates.h %D%/stream_test.cc %D%/tickets_test.cc t/support/movable_clock.h
t_tls_test_LDADD = $(POSTERN_LIBS) $(TESTMAIN_LIBS)
endif
