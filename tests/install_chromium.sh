#!/bin/sh
# Called by `make test` where there is no Chromium or no pdftotext: one test prints a page and reads it back.
set -eu
if command -v apt-get >/dev/null 2>&1; then
  echo "No chromium or no pdftotext: installing both."
  as_root=""
  [ "$(id -u)" = 0 ] || as_root=sudo
  $as_root apt-get update -q && $as_root apt-get install -y -q --no-install-recommends chromium poppler-utils && exit 0
fi
echo "Without chromium and pdftotext (poppler-utils) the test of printed pages is skipped." >&2
