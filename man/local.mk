# Man pages: hand-written prose; what follows from the settings tables is put in by src/conf/conf-doc.
man_MANS += %D%/postern.conf.5
EXTRA_DIST += %D%/postern.conf.5.in
CLEANFILES += %D%/postern.conf.5

%D%/postern.conf.5: %D%/postern.conf.5.in src/conf/conf-doc$(EXEEXT)
	$(AM_V_GEN)$(MKDIR_P) $(@D) && src/conf/conf-doc man < $(srcdir)/%D%/postern.conf.5.in > $@.tmp && mv $@.tmp $@

PROSE_PAGES = %D%/postern.8 %D%/postern-dovecot.7 %D%/postern-passdb.5 %D%/postern-userdb.5 %D%/postern-variables.7 %D%/posternctl.8
man_MANS += $(PROSE_PAGES)
EXTRA_DIST += $(PROSE_PAGES:=.in)
CLEANFILES += $(PROSE_PAGES)
$(PROSE_PAGES): %: %.in Makefile
	$(SUBSTITUTE_PATHS) $< >$@
