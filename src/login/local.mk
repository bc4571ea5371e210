noinst_LIBRARIES += liblogin.a
liblogin_a_SOURCES = %D%/auth_client.cc %D%/auth_client.h %D%/client.cc %D%/client.h %D%/client_side.cc %D%/client_side.h \
  %D%/delivery_session.cc %D%/delivery_session.h %D%/exchange.cc %D%/exchange.h %D%/header_reader.cc %D%/header_reader.h \
  %D%/history.cc %D%/history.h %D%/local_delivery.cc %D%/local_delivery.h %D%/log_line.cc %D%/log_line.h \
  %D%/program_start.cc %D%/program_start.h %D%/protocols.cc %D%/protocols.h %D%/relay_session.cc %D%/relay_session.h %D%/roster.h \
  %D%/session.cc %D%/session.h %D%/session_login.cc %D%/slots.h %D%/state_client.cc %D%/state_client.h \
  %D%/view.cc %D%/view.h %D%/worker.cc %D%/worker.h
pkglibexec_PROGRAMS += postern-login
postern_login_SOURCES = %D%/login_main.cc
postern_login_LDFLAGS = $(AM_LDFLAGS) $(STATIC_RUNTIME)
postern_login_LDADD = liblogin.a libdelivery.a libproxy.a $(POSTERN_LIBS)
