# Tests of src/delivery.
if HAVE_GTEST
check_PROGRAMS += t/delivery_test
TESTS += t/delivery_test
t_delivery_test_SOURCES = t/auth/temp_dir.h t/proxy/sockets.h %D%/farewells_test.cc %D%/mail_server.cc %D%/mail_server.h %D%/spool_test.cc %D%/transaction_test.cc
t_delivery_test_LDADD = libdelivery.a libproxy.a $(POSTERN_LIBS) $(TESTMAIN_LIBS)
endif
