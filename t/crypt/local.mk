if HAVE_GTEST
check_PROGRAMS += t/crypt_test
TESTS += t/crypt_test
t_crypt_test_SOURCES = %D%/schemes_test.cc
t_crypt_test_LDADD = $(POSTERN_LIBS) $(CRYPT_LIBS) $(TESTMAIN_LIBS)
endif
