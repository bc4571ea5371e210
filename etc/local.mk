# The sample configuration, from the settings table; `make install` never overwrites an existing file.
noinst_DATA = %D%/postern.conf
CLEANFILES += %D%/postern.conf

%D%/postern.conf: src/conf/conf-doc$(EXEEXT)
	$(AM_V_GEN)$(MKDIR_P) $(@D) && src/conf/conf-doc sample > $@.tmp && mv $@.tmp $@

INSTALL_LOCAL += install-postern-conf
UNINSTALL_LOCAL += uninstall-postern-conf
.PHONY: install-postern-conf uninstall-postern-conf

install-postern-conf: %D%/postern.conf
	$(MKDIR_P) '$(DESTDIR)$(postern_sysconfdir)'
	test -e '$(DESTDIR)$(postern_sysconfdir)/postern.conf' || \
	  $(INSTALL_DATA) %D%/postern.conf '$(DESTDIR)$(postern_sysconfdir)/postern.conf'

# Only a file that nobody changed goes.
uninstall-postern-conf: %D%/postern.conf
	if cmp -s %D%/postern.conf '$(DESTDIR)$(postern_sysconfdir)/postern.conf'; then \
	  rm -f '$(DESTDIR)$(postern_sysconfdir)/postern.conf'; fi
	-rmdir '$(DESTDIR)$(postern_sysconfdir)' 2>/dev/null

# What the system reads: all below $(prefix) unless configure was told otherwise, made from the .in files with
# the paths of this build.
SUBSTITUTE_PATHS = $(AM_V_GEN)$(MKDIR_P) $(@D) && $(SED) -e 's|@sbindir[@]|$(sbindir)|g' \
  -e 's|@sysconfdir[@]|$(sysconfdir)|g' -e 's|@localstatedir[@]|$(localstatedir)|g' \
  -e 's|@runstatedir[@]|$(runstatedir)|g' -e 's|@libexecdir[@]|$(libexecdir)|g'
GENERATED_ETC = %D%/init.d/postern %D%/systemd/postern.service %D%/logrotate.d/postern

%D%/init.d/postern: %D%/init.d/postern.in Makefile
	$(SUBSTITUTE_PATHS) $(srcdir)/%D%/init.d/postern.in >$@ && chmod +x $@
%D%/systemd/postern.service: %D%/systemd/postern.service.in Makefile
	$(SUBSTITUTE_PATHS) $(srcdir)/%D%/systemd/postern.service.in >$@
%D%/logrotate.d/postern: %D%/logrotate.d/postern.in Makefile
	$(SUBSTITUTE_PATHS) $(srcdir)/%D%/logrotate.d/postern.in >$@

init_SCRIPTS = %D%/init.d/postern
systemdsystemunit_DATA = %D%/systemd/postern.service
sysusersdir = $(prefix)/lib/sysusers.d
sysusers_DATA = %D%/sysusers.d/postern.conf
logrotatedir = $(sysconfdir)/logrotate.d
logrotate_DATA = %D%/logrotate.d/postern
fail2bandir = $(sysconfdir)/fail2ban/filter.d
fail2ban_DATA = %D%/fail2ban/filter.d/postern.conf

EXTRA_DIST += $(sysusers_DATA) $(fail2ban_DATA) %D%/init.d/postern.in %D%/systemd/postern.service.in %D%/logrotate.d/postern.in
CLEANFILES += $(GENERATED_ETC)

