# All but main(), for tests too.
noinst_LIBRARIES += liblog.a
liblog_a_SOURCES = %D%/format.cc %D%/format.h %D%/output.cc %D%/output.h %D%/router.cc %D%/router.h
pkglibexec_PROGRAMS += postern-log
postern_log_SOURCES = %D%/main.cc
postern_log_LDADD = liblog.a $(POSTERN_LIBS)
