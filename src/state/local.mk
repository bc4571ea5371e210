# All but main(), for tests too.
noinst_LIBRARIES += libstate.a
libstate_a_SOURCES = %D%/admin_server.cc %D%/admin_server.h %D%/auth_link.cc %D%/auth_link.h %D%/auth_orders.cc \
  %D%/auth_orders.h %D%/places.cc %D%/places.h %D%/reports.cc %D%/reports.h %D%/reservations.cc %D%/reservations.h \
  %D%/roll.cc %D%/roll.h %D%/service.cc %D%/service.h
pkglibexec_PROGRAMS += postern-state
postern_state_SOURCES = %D%/main.cc
postern_state_LDADD = libstate.a $(POSTERN_LIBS)
