if HAVE_GTEST
check_PROGRAMS += t/state_test
TESTS += t/state_test
t_state_test_SOURCES = t/support/captured_log.h %D%/places_test.cc %D%/reservations_test.cc %D%/roll_test.cc %D%/service_test.cc
t_state_test_LDADD = libstate.a $(POSTERN_LIBS) $(TESTMAIN_LIBS)
endif
