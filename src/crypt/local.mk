# Stored passwords, for auth and posternctl. Who links them adds $(CRYPT_LIBS).
CRYPT_LIBS = $(LIBCRYPT_LIBS) $(SODIUM_LIBS)
libpostern_a_SOURCES += %D%/digest.cc %D%/digest.h %D%/scheme.h %D%/scheme_crypt.cc \
  %D%/scheme_kdf.cc %D%/scheme_plain.cc %D%/scheme_proof.cc %D%/schemes.cc %D%/schemes.h
