# Tests of src/conf.
if HAVE_GTEST
check_PROGRAMS += %D%/conf_test
TESTS += %D%/conf_test
%C%_conf_test_SOURCES = %D%/conf_support.h %D%/configuration_bytes.h %D%/databases_test.cc %D%/older_names_test.cc %D%/overrides_test.cc \
  %D%/reader_test.cc %D%/render_test.cc %D%/values_test.cc
%C%_conf_test_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/t/conf -DCONF_DATA_DIR='"$(abs_top_srcdir)/t/conf/data"'
%C%_conf_test_LDADD = $(POSTERN_PURE_LIBS) $(TESTMAIN_LIBS)
endif
EXTRA_DIST += %D%/data
