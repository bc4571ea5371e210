# The installed daemon against real servers and clients (python3, standard library only).
SYSTEM_TESTS = %D%/config_test.py %D%/login_test.py %D%/auth_cache_test.py %D%/auth_test.py %D%/auth_http_test.py %D%/nginx_test.py \
  %D%/redis_test.py %D%/clients_test.py %D%/service_count_test.py %D%/death_test.py %D%/hostile_test.py \
  %D%/sieve_test.py %D%/haproxy_test.py %D%/local_test.py %D%/alpine_test.py %D%/submission_test.py %D%/limits_test.py \
  %D%/user_limits_test.py %D%/log_test.py %D%/mechanisms_test.py %D%/fail2ban_test.py %D%/conformance_test.py \
  %D%/privileges_test.py %D%/state_test.py %D%/init_test.py %D%/source_ports_test.py %D%/sql_test.py %D%/tricks_test.py \
  %D%/unix_socket_test.py %D%/admin_auth_test.py %D%/guess_test.py %D%/ldap_test.py %D%/master_test.py %D%/pam_test.py %D%/oauth2_test.py \
  %D%/pw_test.py %D%/variables_test.py %D%/lmtp_test.py %D%/lmtp_failure_test.py %D%/lmtp_message_test.py \
  %D%/lmtp_local_test.py
TESTS += $(SYSTEM_TESTS)
EXTRA_DIST += $(SYSTEM_TESTS) %D%/lib/alpine.py %D%/lib/answers.py %D%/lib/auth_http.py %D%/lib/redis.py %D%/lib/authorization.py \
  %D%/lib/backends.py %D%/lib/clients.py %D%/lib/cyrus.py %D%/lib/daemon.py %D%/lib/databases.py %D%/lib/dovecot.py \
  %D%/lib/ldap.py %D%/lib/kerberos.py %D%/lib/lmtp_stub.py %D%/lib/lmtp_world.py %D%/lib/mailhost.py \
  %D%/lib/mail_programs.py %D%/lib/nginx.py %D%/lib/postfix.py %D%/lib/scram.py %D%/lib/stub.py %D%/lib/syslogd.py %D%/lib/tap.py %D%/lib/temporary.py \
  %D%/lib/traffic.py %D%/lib/trick_checks.py %D%/lib/tricks.py %D%/lib/world.py t/adapters/libconfig.py \
  t/adapters/postern.py t/adapters/DIFFERENCES.md

# What they run is an installed tree.
check_DATA += %D%/root.stamp
%D%/root.stamp: $(sbin_PROGRAMS) $(pkglibexec_PROGRAMS)
	@rm -rf %D%/root && $(MKDIR_P) %D%
	@$(MAKE) $(AM_MAKEFLAGS) -s install-exec DESTDIR='$(abs_top_builddir)/%D%/root' >/dev/null
	@touch $@
CLEANFILES += %D%/root.stamp
clean-local: clean-system-root
clean-system-root:
	-rm -rf %D%/root
.PHONY: clean-system-root
