# Beside the peers; see the scripts for what they need.
EXTRA_DIST += %D%/run.py %D%/lmtp.py %D%/auth.py %D%/figures.py
bench: all
	@status=0; for part in run lmtp auth; do \
	  POSTERN='$(abs_top_builddir)/postern' PYTHONDONTWRITEBYTECODE=1 $(PYTHON3) $(srcdir)/%D%/$$part.py || status=$$?; \
	done; exit $$status
.PHONY: bench
