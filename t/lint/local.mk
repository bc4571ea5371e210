# Rules of the house that a script can hold.
TESTS += %D%/include_rules %D%/protocol_words %D%/settings_used %D%/fields_documented
EXTRA_DIST += %D%/include_rules %D%/protocol_words %D%/settings_used %D%/fields_documented %D%/tap.py

# The manual pages are free of mandoc's warnings.
TESTS += %D%/manual_pages.sh
EXTRA_DIST += %D%/manual_pages.sh
check_DATA += $(man_MANS)
