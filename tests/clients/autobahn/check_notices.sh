#!/usr/bin/env bash
# The judge of Autobahn's reports, judged: fabricated reports that are not OK must fail.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
touch "$folder/wstest.log"
echo '{"cases": ["6.4.3"]}' >"$folder/spec.json"

# expect <exit code> <behaviour> <close behaviour> [--strict]
expect() {
  local expected=$1 status=0
  cat >"$folder/index.json" <<JSON
{"server": {"6.4.3": {"behavior": "$2", "behaviorClose": "$3", "remoteCloseCode": 1007, "reportfile": "x.json"}}}
JSON
  python3 "$here/check.py" "$folder" "${@:4}" >/dev/null || status=$?
  if [[ $status -ne $expected ]]; then
    echo "check.py ${*:4} let '$2', close '$3' end with $status, expected $expected" >&2
    exit 1
  fi
}

expect 0 OK OK --strict
expect 0 NON-STRICT OK
expect 1 NON-STRICT OK --strict
expect 1 FAILED OK
expect 1 OK FAILED
echo '{"cases": ["6.4.3", "12.1.1"]}' >"$folder/spec.json"
expect 1 OK OK
