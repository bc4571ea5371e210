# Tests, a fragment per folder. Everything in TESTS prints TAP, so that Automake's driver and `prove` run the
# same programs. GoogleTest programs stand below `if HAVE_GTEST` and end their LDADD with $(TESTMAIN_LIBS).
AM_CPPFLAGS += $(GTEST_CFLAGS) -I$(top_srcdir)/t
TESTMAIN_LIBS = libtestmain.a $(GTEST_LIBS)
LOG_DRIVER = $(SHELL) $(top_srcdir)/build-aux/tap-driver.sh
AM_TESTS_ENVIRONMENT = CMOCKA_MESSAGE_OUTPUT=TAP; export CMOCKA_MESSAGE_OUTPUT; \
  POSTERN_SRCDIR='$(abs_top_srcdir)'; export POSTERN_SRCDIR; \
  POSTERN_BUILDDIR='$(abs_top_builddir)'; export POSTERN_BUILDDIR; \
  POSTERN=$${POSTERN:-'$(abs_top_builddir)/t/system/root$(sbindir)/postern'}; export POSTERN; \
  PYTHONDONTWRITEBYTECODE=1; export PYTHONDONTWRITEBYTECODE;
check_DATA =

include t/support/local.mk
include t/base/local.mk
include t/conf/local.mk
include t/proto/local.mk
include t/auth/local.mk
include t/ipc/local.mk
include t/role/local.mk
include t/log/local.mk
include t/master/local.mk
include t/net/local.mk
include t/tls/local.mk
include t/crypt/local.mk
include t/proxy/local.mk
include t/delivery/local.mk
include t/login/local.mk
include t/state/local.mk
include t/ctl/local.mk
include t/fuzz/local.mk
include t/lint/local.mk
include t/system/local.mk
include t/bench/local.mk

# For runs that take only the compiled ones, such as those with sanitizers.
print-unit-tests:
	@echo $(filter $(check_PROGRAMS),$(TESTS))
.PHONY: print-unit-tests
