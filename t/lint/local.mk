# Rules of the house that a script can hold.
HOUSE_RULES = %D%/include_rules %D%/protocol_words %D%/settings_used %D%/fields_documented %D%/source_lines
TESTS += $(HOUSE_RULES)
EXTRA_DIST += $(HOUSE_RULES) %D%/tap.py

# Sources as clang-format 14 has them.
format:
	cd $(srcdir) && find src t -name '*.cc' -o -name '*.h' | xargs clang-format --style=file -i
.PHONY: format

# The manual pages are free of mandoc's warnings.
TESTS += %D%/manual_pages.sh
EXTRA_DIST += %D%/manual_pages.sh
check_DATA += $(man_MANS)
