noinst_LIBRARIES += libproxy.a
libproxy_a_SOURCES = %D%/backends.cc %D%/backends.h %D%/proxy_login.cc %D%/proxy_login.h %D%/relay.cc %D%/relay.h \
  %D%/route.cc %D%/route.h
