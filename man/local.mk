# Man pages: hand-written prose; what follows from the settings tables is put in by src/conf/conf-doc.
man_MANS += %D%/postern.conf.5
EXTRA_DIST += %D%/postern.conf.5.in
CLEANFILES += %D%/postern.conf.5

%D%/postern.conf.5: %D%/postern.conf.5.in src/conf/conf-doc$(EXEEXT)
	$(AM_V_GEN)$(MKDIR_P) $(@D) && src/conf/conf-doc man < $(srcdir)/%D%/postern.conf.5.in > $@.tmp && mv $@.tmp $@

man_MANS += %D%/postern.8 %D%/posternctl.8 %D%/postern-passdb.5
EXTRA_DIST += %D%/postern.8.in %D%/posternctl.8.in %D%/postern-passdb.5.in
CLEANFILES += %D%/postern.8 %D%/posternctl.8 %D%/postern-passdb.5
%D%/postern.8: %D%/postern.8.in Makefile
	$(SUBSTITUTE_PATHS) $(srcdir)/%D%/postern.8.in >$@
%D%/posternctl.8: %D%/posternctl.8.in Makefile
	$(SUBSTITUTE_PATHS) $(srcdir)/%D%/posternctl.8.in >$@

man_MANS += %D%/postern-userdb.5
EXTRA_DIST += %D%/postern-userdb.5.in
CLEANFILES += %D%/postern-userdb.5
%D%/postern-userdb.5: %D%/postern-userdb.5.in Makefile
	$(SUBSTITUTE_PATHS) $(srcdir)/%D%/postern-userdb.5.in >$@

%D%/postern-passdb.5: %D%/postern-passdb.5.in Makefile
	$(SUBSTITUTE_PATHS) $(srcdir)/%D%/postern-passdb.5.in >$@
