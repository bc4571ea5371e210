libpostern_a_SOURCES += %D%/admin.cc %D%/admin.h %D%/auth_messages.h %D%/boot.h %D%/channel.cc %D%/channel.h %D%/child_messages.h \
  %D%/field_list.h %D%/mail_messages.h %D%/message.h %D%/messages.h %D%/packet_batch.cc %D%/packet_batch.h %D%/question_messages.h \
  %D%/session_messages.h %D%/topology.h %D%/worker_messages.h
