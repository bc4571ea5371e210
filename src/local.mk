# The only place that orders libraries: each may use those behind it.
POSTERN_PURE_LIBS = libpure.a $(LIBCONFIG_LIBS) $(GSASL_LIBS)
POSTERN_LIBS = libpostern.a $(POSTERN_PURE_LIBS) $(LIBEVENT_LIBS) $(OPENSSL_LIBS) $(SECCOMP_LIBS)

noinst_LIBRARIES += libpure.a libpostern.a
libpure_a_SOURCES =
libpostern_a_SOURCES =

include src/base/local.mk
include src/conf/local.mk
include src/sasl/local.mk
include src/proto/local.mk
include src/event/local.mk
include src/net/local.mk
include src/tls/local.mk
include src/ipc/local.mk
include src/role/local.mk
include src/crypt/local.mk
include src/proxy/local.mk
include src/delivery/local.mk
include src/login/local.mk
include src/auth/local.mk
include src/log/local.mk
include src/state/local.mk
include src/master/local.mk
include src/ctl/local.mk
