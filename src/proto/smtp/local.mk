libpure_a_SOURCES += %D%/command.cc %D%/command.h %D%/reply.cc %D%/reply.h %D%/xclient.cc %D%/xclient.h
