libpure_a_SOURCES += %D%/command.cc %D%/command.h %D%/reply.cc %D%/reply.h %D%/submission.cc %D%/submission.h \
  %D%/submission_back.cc %D%/submission_back.h %D%/submission_front.cc %D%/submission_front.h %D%/submission_words.cc \
  %D%/xclient.cc %D%/xclient.h
