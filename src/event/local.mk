libpostern_a_SOURCES += %D%/loop.cc %D%/loop.h
