# What test programs share: libtestmain.a has their main().
if HAVE_GTEST
check_LIBRARIES += libtestmain.a
libtestmain_a_SOURCES = %D%/cmocka_main.cc

check_PROGRAMS += %D%/formats_sample
%C%_formats_sample_SOURCES = %D%/formats_sample.cc
%C%_formats_sample_LDADD = $(TESTMAIN_LIBS)
TESTS += %D%/formats_test.py
endif
EXTRA_DIST += %D%/formats_test.py %D%/packages.sh %D%/demo.py

# The dialogue runner, for tests of protocol cores.
if HAVE_GTEST
check_LIBRARIES += libdialogue.a
libdialogue_a_SOURCES = %D%/dialogue.cc %D%/dialogue.h %D%/dialogue_delivery.cc %D%/dialogue_run.cc %D%/dialogue_subject.cc %D%/dialogue_subject.h
libdialogue_a_CPPFLAGS = $(AM_CPPFLAGS) -DDIALOGUE_DIR='"$(abs_top_srcdir)/t/dialogue"'
DIALOGUE_LIBS = libdialogue.a $(POSTERN_PURE_LIBS) $(OPENSSL_LIBS) $(TESTMAIN_LIBS)
endif
EXTRA_DIST += t/dialogue
