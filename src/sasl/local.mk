libpure_a_SOURCES += %D%/client.cc %D%/client.h %D%/gnu_sasl.cc %D%/gnu_sasl.h %D%/hmac_md5.cc %D%/hmac_md5.h %D%/mechanisms.cc %D%/mechanisms.h \
  %D%/password_mechanisms.cc %D%/password_mechanisms.h %D%/proof_mechanisms.cc %D%/proof_mechanisms.h %D%/scram_client.cc %D%/scram_client.h \
  %D%/scram_server.cc %D%/scram_verifier.cc %D%/scram_verifier.h %D%/server.h %D%/server_mechanisms.cc %D%/server_mechanisms.h \
  %D%/token_mechanisms.cc %D%/token_mechanisms.h %D%/vouched_mechanisms.cc %D%/vouched_mechanisms.h
