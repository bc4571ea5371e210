# Tests of src/ipc.
if HAVE_GTEST
check_PROGRAMS += t/ipc/ipc_test
TESTS += t/ipc/ipc_test
t_ipc_ipc_test_SOURCES = %D%/ipc_test.cc
t_ipc_ipc_test_LDADD = $(POSTERN_LIBS) $(TESTMAIN_LIBS)
endif
