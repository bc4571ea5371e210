libpostern_a_SOURCES += %D%/names.cc %D%/names.h %D%/port_windows.cc %D%/port_windows.h %D%/resolver.cc %D%/resolver.h %D%/socket.cc %D%/socket.h \
  %D%/source_addresses.cc %D%/source_addresses.h
