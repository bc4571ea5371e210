if HAVE_CURL
libpostern_a_SOURCES += %D%/http_client.cc
endif
EXTRA_DIST += %D%/http_client.cc
libpostern_a_SOURCES += %D%/http_client.h %D%/names.cc %D%/names.h %D%/port_windows.cc %D%/port_windows.h %D%/resolver.cc %D%/resolver.h %D%/socket.cc %D%/socket.h \
  %D%/source_addresses.cc %D%/source_addresses.h
