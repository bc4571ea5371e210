MASTER_OBJECTS = %D%/admin_socket.cc %D%/admin_socket.h %D%/boot_files.cc %D%/boot_files.h %D%/changes.cc %D%/children.cc %D%/environment.cc %D%/environment.h %D%/listeners.cc \
  %D%/listeners.h %D%/log_inputs.cc %D%/log_inputs.h %D%/mail.cc %D%/mail_program.cc %D%/mail_program.h %D%/master.cc %D%/master.h %D%/notify.cc %D%/notify.h %D%/one_shot.cc \
  %D%/options.cc %D%/options.h %D%/pid_file.cc %D%/pid_file.h %D%/report_pipes.cc %D%/report_pipes.h %D%/socket_file.cc %D%/socket_file.h %D%/spawn.cc %D%/spawn.h %D%/supervisor.cc %D%/supervisor.h %D%/file_access.cc %D%/file_access.h \
  %D%/throttle.cc %D%/throttle.h %D%/trial.cc %D%/trial.h %D%/wait_text.cc %D%/wait_text.h %D%/worker_gate.cc %D%/worker_gate.h

# The master without its main(), for tests too.
noinst_LIBRARIES += libmaster.a
libmaster_a_SOURCES = $(MASTER_OBJECTS)
sbin_PROGRAMS += postern
postern_SOURCES = %D%/main.cc
postern_LDADD = libmaster.a $(POSTERN_LIBS)
