# Tests of src/sasl (server side) and src/auth: one program.
if HAVE_GTEST
check_PROGRAMS += %D%/auth_test
TESTS += %D%/auth_test
%C%_auth_test_SOURCES = t/support/captured_log.h t/support/movable_clock.h %D%/attempts_test.cc %D%/cache_test.cc \
  %D%/chain_test.cc %D%/db_test.cc %D%/fake_variables.h %D%/ldap_test.cc %D%/pam_test.cc %D%/http_test.cc \
  %D%/redis_test.cc %D%/penalty_test.cc %D%/policy_test.cc %D%/local_test.cc %D%/lookup_test.cc \
  %D%/request_cache_test.cc %D%/request_test.cc %D%/rules_test.cc %D%/service_test.cc %D%/sql_test.cc \
  %D%/sql_text_test.cc %D%/temp_dir.h %D%/variables_test.cc t/net/http_client_test.cc t/net/redis_client_test.cc \
  t/net/resolver_test.cc t/sasl/mechanisms_test.cc t/sasl/proof_mechanisms_test.cc
if HAVE_CURL
%C%_auth_test_SOURCES += %D%/jwt_test.cc %D%/oauth2_test.cc
endif
EXTRA_DIST += %D%/jwt_test.cc %D%/oauth2_test.cc
%C%_auth_test_LDADD = libauthasync.a $(AUTH_WORKER_LIBS) $(CURL_LIBS) $(HIREDIS_LIBS) $(TESTMAIN_LIBS)
endif
