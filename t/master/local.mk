# Tests of src/master. stand_in plays the roles that the master starts.
if HAVE_GTEST
check_PROGRAMS += t/master/master_test t/master/stand_in
TESTS += t/master/master_test
t_master_master_test_SOURCES = %D%/listeners_test.cc %D%/mail_program_test.cc %D%/master_parts_test.cc %D%/supervisor_test.cc %D%/throttle_test.cc
t_master_master_test_LDADD = libmaster.a $(POSTERN_LIBS) $(TESTMAIN_LIBS)
t_master_stand_in_SOURCES = %D%/stand_in.cc
t_master_stand_in_LDADD = $(POSTERN_LIBS)
endif
