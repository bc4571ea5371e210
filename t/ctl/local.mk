if HAVE_GTEST
check_PROGRAMS += t/ctl_test
TESTS += t/ctl_test
t_ctl_test_SOURCES = %D%/commands_test.cc %D%/pw_test.cc
t_ctl_test_LDADD = libctl.a $(POSTERN_LIBS) $(CRYPT_LIBS) $(TESTMAIN_LIBS)
endif
