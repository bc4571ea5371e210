#!/bin/sh
# The manual pages are free of mandoc's warnings.
cd "${POSTERN_BUILDDIR:-.}" || exit 1
command -v mandoc >/dev/null || { echo "1..0 # SKIP no mandoc here"; exit 0; }
set -- man/*.[1-9]
echo "1..$#"
number=0 status=0
for page in "$@"; do
  number=$((number + 1))
  # Other pages of ours are not installed yet; /usr/share/man may have no index.
  complaints=$(mandoc -Tlint "$page" 2>&1 | grep -v -e 'referenced manual not found' -e 'outdated mandoc.db')
  if [ -z "$complaints" ]; then echo "ok $number - $page"
  else echo "not ok $number - $page"; echo "$complaints" | sed 's/^/# /'; status=1; fi
done
exit $status
