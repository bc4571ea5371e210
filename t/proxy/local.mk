if HAVE_GTEST
check_PROGRAMS += t/proxy_test
TESTS += t/proxy_test
t_proxy_test_SOURCES = t/net/port_windows_test.cc %D%/backends_test.cc %D%/proxy_login_test.cc %D%/recipient_route_test.cc %D%/relay_test.cc %D%/route_test.cc %D%/sockets.h
t_proxy_test_LDADD = libproxy.a $(POSTERN_LIBS) $(TESTMAIN_LIBS)
endif
