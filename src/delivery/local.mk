noinst_LIBRARIES += libdelivery.a
libdelivery_a_SOURCES = %D%/conversation.cc %D%/conversation.h %D%/farewells.cc %D%/farewells.h %D%/spool.cc %D%/spool.h \
  %D%/transaction.cc %D%/transaction.h
