libpostern_a_SOURCES += %D%/admin.cc %D%/admin.h %D%/boot.h %D%/channel.cc %D%/channel.h %D%/message.h %D%/messages.h %D%/packet_batch.cc %D%/packet_batch.h %D%/topology.h
