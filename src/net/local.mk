if HAVE_CURL
libpostern_a_SOURCES += %D%/http_client.cc
endif
EXTRA_DIST += %D%/http_client.cc
if HAVE_HIREDIS
libpostern_a_SOURCES += %D%/redis_client.cc %D%/redis_protocol.cc
endif
EXTRA_DIST += %D%/redis_client.cc %D%/redis_protocol.cc
libpostern_a_SOURCES += %D%/redis_client.h %D%/redis_protocol.h %D%/redis_uri.cc %D%/redis_uri.h
libpostern_a_SOURCES += %D%/http_client.h %D%/names.cc %D%/names.h %D%/port_windows.cc %D%/port_windows.h %D%/resolver.cc %D%/resolver.h %D%/socket.cc %D%/socket.h \
  %D%/source_addresses.cc %D%/source_addresses.h
