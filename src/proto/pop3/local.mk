libpure_a_SOURCES += %D%/answers.cc %D%/answers.h %D%/back.cc %D%/back.h %D%/front.cc %D%/front.h %D%/protocol.cc %D%/protocol.h
