libpure_a_SOURCES += %D%/address.cc %D%/address.h %D%/base64.cc %D%/base64.h %D%/check.h %D%/clock.h %D%/fd.h %D%/fmt_library.cc \
  %D%/log.cc %D%/log.h %D%/packed_texts.h %D%/percent.cc %D%/percent.h %D%/rarely.h %D%/result.h %D%/rows.h %D%/secret.cc %D%/secret.h %D%/text.cc %D%/text.h %D%/tls_facts.h %D%/wire.h
