libpostern_a_SOURCES += %D%/context.cc %D%/context.h %D%/keys.cc %D%/keys.h %D%/peer.cc %D%/stream.cc %D%/stream.h %D%/tickets.cc %D%/tickets.h
