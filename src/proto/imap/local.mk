libpure_a_SOURCES += %D%/answers.cc %D%/back.cc %D%/capability.cc %D%/capability.h %D%/front.cc %D%/front.h \
  %D%/id.cc %D%/id.h %D%/program_greeting.cc %D%/protocol.h %D%/scan.cc %D%/scan.h %D%/strings.cc %D%/strings.h
