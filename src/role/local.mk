libpostern_a_SOURCES += %D%/boot_memfd.cc %D%/boot_memfd.h %D%/jail.cc %D%/jail.h %D%/log_client.cc %D%/log_client.h \
  %D%/log_framing.cc %D%/log_framing.h %D%/log_paths.cc %D%/log_paths.h %D%/prepared.cc %D%/prepared.h %D%/role.cc %D%/role.h %D%/seccomp.cc %D%/seccomp.h \
  %D%/title.cc %D%/title.h
