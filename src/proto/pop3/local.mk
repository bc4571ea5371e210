libpure_a_SOURCES += %D%/back.cc %D%/back.h %D%/front.cc %D%/front.h %D%/protocol.cc %D%/protocol.h
