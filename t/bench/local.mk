# Beside the peers; see the script for what it needs.
EXTRA_DIST += %D%/run.py
bench: all
	POSTERN='$(abs_top_builddir)/postern' PYTHONDONTWRITEBYTECODE=1 $(PYTHON3) $(srcdir)/%D%/run.py
.PHONY: bench
