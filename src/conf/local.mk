libpure_a_SOURCES += %D%/assign.cc %D%/blocks.cc %D%/blocks.h %D%/build.cc %D%/build.h %D%/checks.cc %D%/checks.h \
  %D%/databases.cc %D%/document.cc %D%/dovecot_file.cc %D%/dovecot_file.h %D%/fields.cc %D%/fields.h %D%/filters.cc %D%/log_elements.cc %D%/log_elements.h %D%/node.cc \
  %D%/node.h %D%/older_names.cc %D%/older_names.h %D%/overrides.cc %D%/overrides.h %D%/reader.cc %D%/reader.h \
  %D%/render.cc %D%/render.h %D%/row.h %D%/scan.cc %D%/scan.h %D%/services.cc %D%/services.h %D%/settings.cc %D%/settings.def \
  %D%/settings.h %D%/tree.h %D%/values.cc %D%/values.h

# Prints the sample file and the tables of postern.conf(5).
noinst_PROGRAMS += %D%/conf-doc
src_conf_conf_doc_SOURCES = %D%/conf_doc.cc
src_conf_conf_doc_LDADD = $(POSTERN_PURE_LIBS)
