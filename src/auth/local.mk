# What auth and its worker share; the worker alone links the databases' libraries.
noinst_LIBRARIES += libauth.a
libauth_a_SOURCES = %D%/admin_desk.cc %D%/admin_desk.h %D%/attempts.cc %D%/attempts.h %D%/auth_http.cc %D%/auth_http.h \
  %D%/cache.cc %D%/cache.h %D%/chain.cc %D%/chain.h %D%/checks.cc %D%/checks.h %D%/db.cc %D%/db.h \
  %D%/db_ldap_attributes.cc %D%/db_ldap_attributes.h %D%/db_ldap_plan.cc %D%/db_ldap_plan.h %D%/db_ldap_text.cc \
  %D%/db_ldap_text.h %D%/db_pam_plan.cc %D%/db_pam_plan.h %D%/db_http_plan.cc %D%/db_http_plan.h %D%/db_redis_plan.cc \
  %D%/db_redis_plan.h %D%/db_passwd.cc %D%/db_passwd.h %D%/db_passwd_file.cc %D%/db_passwd_file.h %D%/db_sql_plan.cc \
  %D%/db_sql_plan.h %D%/db_sql_connect.cc %D%/db_sql_connect.h %D%/db_sql_errors.cc %D%/db_sql_errors.h \
  %D%/db_sql_hosts.cc %D%/db_sql_hosts.h %D%/db_sql_text.cc %D%/db_sql_text.h %D%/db_static.cc %D%/db_static.h \
  %D%/delay_line.cc %D%/delay_line.h %D%/fields.cc %D%/fields.h %D%/mail_starts.cc %D%/mail_starts.h %D%/penalty.cc \
  %D%/penalty.h %D%/policy.cc %D%/policy.h %D%/request.cc %D%/request.h %D%/request_chain.cc %D%/request_end.cc \
  %D%/request_cache.cc %D%/request_local.cc %D%/request_policy.cc %D%/request_values.cc %D%/service.cc %D%/service.h \
  %D%/service_entry.h %D%/service_times.cc %D%/settings.cc %D%/settings.h %D%/username.cc %D%/username.h \
  %D%/filter_arguments.cc %D%/filters_bytes.cc %D%/filters_choice.cc %D%/filters_number.cc %D%/filters_text.cc \
  %D%/template.cc %D%/template_functions.cc %D%/template_parser.h %D%/template_pipes.cc %D%/variable_filters.cc \
  %D%/variable_filters.h %D%/variable_names.cc %D%/variable_names.h %D%/variables.h %D%/workers.cc %D%/workers.h
if HAVE_CURL
libauth_a_SOURCES += %D%/oauth2_plan.cc %D%/oauth2_plan.h
endif
EXTRA_DIST += %D%/oauth2_plan.cc %D%/oauth2_plan.h
AUTH_LIBS = libauth.a $(POSTERN_LIBS) $(LIBCRYPT_LIBS) $(SODIUM_LIBS) $(CURL_LIBS) $(CRYPT_LIBS)

# Databases that answer in auth's loop, and what speaks HTTP there.
noinst_LIBRARIES += libauthasync.a
libauthasync_a_SOURCES = %D%/async_databases.cc %D%/async_databases.h %D%/db_http.h %D%/db_redis.h %D%/policy_client.h
AUTH_HTTP_SOURCES = %D%/db_http.cc %D%/db_oauth2.cc %D%/db_oauth2.h %D%/jwks.cc %D%/jwt.cc %D%/jwt.h %D%/jwt_key.cc \
  %D%/jwt_key.h %D%/jwt_key_store.cc %D%/jwt_key_store.h %D%/oauth2_claims.cc %D%/oauth2_claims.h %D%/oauth2_http.cc \
  %D%/oauth2_http.h %D%/policy_client.cc
if HAVE_CURL
libauthasync_a_SOURCES += $(AUTH_HTTP_SOURCES)
endif
if HAVE_HIREDIS
libauthasync_a_SOURCES += %D%/db_redis.cc
endif
EXTRA_DIST += $(AUTH_HTTP_SOURCES) %D%/db_redis.cc

noinst_LIBRARIES += libauthworker.a
libauthworker_a_SOURCES = %D%/db_ldap.h %D%/db_ldap_connection.h %D%/db_pam.h %D%/db_sql.h %D%/db_sql_session.h \
  %D%/deadline.cc %D%/deadline.h %D%/worker.cc %D%/worker.h
# SOCI's libraries keep their type information to themselves, which UBSan's vptr check would want.
libauthworker_a_CXXFLAGS = $(AM_CXXFLAGS) -fno-sanitize=vptr
if HAVE_SOCI
libauthworker_a_SOURCES += %D%/db_sql.cc %D%/db_sql_session.cc
endif
if HAVE_LDAP
libauthworker_a_SOURCES += %D%/db_ldap.cc %D%/db_ldap_connection.cc
endif
if HAVE_PAM
libauthworker_a_SOURCES += %D%/db_pam.cc
endif
EXTRA_DIST += %D%/db_sql.cc %D%/db_sql_session.cc %D%/db_ldap.cc %D%/db_ldap_connection.cc %D%/db_pam.cc
AUTH_WORKER_LIBS = libauthworker.a $(AUTH_LIBS) $(SOCI_LIBS) $(LDAP_LIBS) $(PAM_LIBS)

pkglibexec_PROGRAMS += postern-auth postern-auth-worker
postern_auth_SOURCES = %D%/auth_main.cc
postern_auth_LDADD = libauthasync.a $(AUTH_LIBS) $(CURL_LIBS) $(HIREDIS_LIBS)
postern_auth_worker_SOURCES = %D%/worker_main.cc
postern_auth_worker_LDADD = $(AUTH_WORKER_LIBS)
