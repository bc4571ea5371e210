# Tests of src/role.
if HAVE_GTEST
check_PROGRAMS += t/role/role_test
TESTS += t/role/role_test
t_role_role_test_SOURCES = %D%/role_test.cc
t_role_role_test_LDADD = $(POSTERN_LIBS) $(TESTMAIN_LIBS)
endif
