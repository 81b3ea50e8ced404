#!/usr/bin/env bash
# Runs the Autobahn TestSuite against an echo server and judges the report.
#
#   tests/clients/autobahn/run.sh <ws-url> <out-dir> [--full] [--deflate] [--strict]
#                                 [--cases '6.4.*,7.1.1']
#
# Sections 1 to 7 and 10, a quarter of a minute. --full adds section 9 (limits, performance: messages
# of up to 16 MiB), which doubles that. --deflate runs sections 12 and 13 (compression) alone,
# against a URL that compresses. --strict, or WHARF_AUTOBAHN_STRICT=1, counts NON-STRICT as a
# failure. --cases runs these alone.
# The HTML report is <out-dir>/index.html, the suite's own output <out-dir>/wstest.log.
# Exit code: 0 passed, 1 a case failed, 2 something is missing. Needs Python 2.7, by $PYTHON27,
# on the PATH, or from pyenv; installs it by pyenv or apt-get where it is not there.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=../lib.sh
source "$here/../lib.sh"
# shellcheck source=suite.sh
source "$here/suite.sh"

usage="usage: $0 ws://HOST:PORT/PATH OUT_DIR [--full] [--deflate] [--strict] [--cases PATTERN,...]"
[[ $# -ge 2 && $1 =~ ^wss?:// ]] || die "$usage"
url=$1
out=$2
shift 2
cases='1.*,2.*,3.*,4.*,5.*,6.*,7.*,10.*'
deadline=10m # a server that answers nothing makes every case wait for its own timeout
deflate_deadline=90m # twenty minutes of a core that may be shared
strict=${WHARF_AUTOBAHN_STRICT:-}
while [[ $# -gt 0 ]]; do
  case $1 in
    --full) cases+=',9.*' deadline=30m ;;
    --deflate) cases='12.*,13.*' deadline=$deflate_deadline ;;
    --strict) strict=yes ;;
    --cases)
      [[ $# -ge 2 ]] || die "$usage"
      cases=$2 deadline=$deflate_deadline
      shift
      ;;
    *) die "$usage" ;;
  esac
  shift
done

need coreutils "GNU coreutils" timeout
one_at_a_time install_suite

mkdir -p "$out"
# A report that an earlier run left must not be taken for this one's.
rm -f "$out/index.json" "$out/wstest.log"
"${python[@]}" "$here/spec.py" "$url" "$out" "$cases" >"$out/spec.json" || die "$usage"

say "Autobahn TestSuite, cases $cases, against $url (log: $out/wstest.log)"
status=0
timeout --foreground --kill-after=10s "$deadline" "${python[@]}" "$environment/bin/wstest" \
  -m fuzzingclient -s "$out/spec.json" >"$out/wstest.log" 2>&1 || status=$?
if [[ $status -eq 124 || $status -eq 137 ]]; then
  echo "the suite was stopped after $deadline"
fi
python3 "$here/check.py" "$out" ${strict:+--strict}
