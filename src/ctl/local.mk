# All but main(), for tests too.
noinst_LIBRARIES += libctl.a
libctl_a_SOURCES = %D%/admin_client.cc %D%/admin_client.h %D%/auth_commands.cc %D%/auth_commands.h %D%/commands.cc %D%/commands.h %D%/password.cc %D%/password.h %D%/table.cc %D%/table.h
bin_PROGRAMS += posternctl
posternctl_SOURCES = %D%/main.cc
posternctl_LDADD = libctl.a $(POSTERN_LIBS)
