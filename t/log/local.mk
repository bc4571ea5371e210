# Tests of src/log.
if HAVE_GTEST
check_PROGRAMS += t/log/log_test
TESTS += t/log/log_test
t_log_log_test_SOURCES = %D%/log_test.cc
t_log_log_test_LDADD = liblog.a $(POSTERN_LIBS) $(TESTMAIN_LIBS)
endif
