if HAVE_GTEST
check_PROGRAMS += t/login_test
TESTS += t/login_test
t_login_test_SOURCES = %D%/client_test.cc %D%/header_reader_test.cc %D%/history_test.cc %D%/local_delivery_test.cc %D%/log_line_test.cc %D%/slots_test.cc %D%/state_client_test.cc
t_login_test_LDADD = liblogin.a libdelivery.a libproxy.a $(POSTERN_LIBS) $(TESTMAIN_LIBS)
endif
