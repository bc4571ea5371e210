# What auth and its worker share; the worker alone links the databases' libraries.
noinst_LIBRARIES += libauth.a
libauth_a_SOURCES = %D%/chain.cc %D%/chain.h %D%/checks.cc %D%/checks.h %D%/db.cc %D%/db.h %D%/db_passwd.cc %D%/db_passwd.h %D%/db_passwd_file.cc \
  %D%/db_passwd_file.h %D%/db_sql_connect.cc %D%/db_sql_connect.h %D%/db_sql_errors.cc %D%/db_sql_errors.h %D%/db_sql_hosts.cc %D%/db_sql_hosts.h \
  %D%/db_sql_plan.cc %D%/db_sql_plan.h %D%/db_sql_text.cc %D%/db_sql_text.h %D%/db_static.cc %D%/db_static.h %D%/delay_line.cc \
  %D%/delay_line.h %D%/digest.cc %D%/digest.h %D%/fields.cc %D%/fields.h %D%/mail_starts.cc %D%/mail_starts.h %D%/penalty.cc %D%/penalty.h %D%/request.cc %D%/request.h %D%/request_chain.cc %D%/request_end.cc \
  %D%/request_local.cc %D%/request_values.cc \
  %D%/schemes.cc %D%/schemes.h %D%/service.cc %D%/service.h %D%/settings.cc %D%/settings.h %D%/username.cc \
  %D%/username.h %D%/variables.cc %D%/variables.h %D%/workers.cc %D%/workers.h
AUTH_LIBS = libauth.a $(POSTERN_LIBS) $(LIBCRYPT_LIBS) $(SODIUM_LIBS)

# Databases that answer in auth's loop.
noinst_LIBRARIES += libauthasync.a
libauthasync_a_SOURCES = %D%/async_databases.cc %D%/async_databases.h

noinst_LIBRARIES += libauthworker.a
libauthworker_a_SOURCES = %D%/db_sql.h %D%/db_sql_session.h %D%/deadline.cc %D%/deadline.h %D%/worker.cc %D%/worker.h
# SOCI's libraries keep their type information to themselves, which UBSan's vptr check would want.
libauthworker_a_CXXFLAGS = $(AM_CXXFLAGS) -fno-sanitize=vptr
if HAVE_SOCI
libauthworker_a_SOURCES += %D%/db_sql.cc %D%/db_sql_session.cc
endif
EXTRA_DIST += %D%/db_sql.cc %D%/db_sql_session.cc
AUTH_WORKER_LIBS = libauthworker.a $(AUTH_LIBS) $(SOCI_LIBS) $(LDAP_LIBS) $(PAM_LIBS)

pkglibexec_PROGRAMS += postern-auth postern-auth-worker
postern_auth_SOURCES = %D%/auth_main.cc
postern_auth_LDADD = libauthasync.a $(AUTH_LIBS) $(CURL_LIBS) $(HIREDIS_LIBS) $(JWT_LIBS)
postern_auth_worker_SOURCES = %D%/worker_main.cc
postern_auth_worker_LDADD = $(AUTH_WORKER_LIBS)
