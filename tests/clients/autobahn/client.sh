#!/usr/bin/env bash
# Runs a client against the Autobahn TestSuite's fuzzing server and judges the report, strictly.
#
#   tests/clients/autobahn/client.sh <out-dir> <agent> [--cases '6.4.*,7.1.1'] -- COMMAND...
#
# COMMAND is called with the server's address (ws://HOST:PORT) behind its own arguments; it walks
# the cases as <agent>. Sections 1 to 7, 9, 10, 12 and 13: 517 cases.
# Exit code: 0 passed, 1 a case failed, 2 something is missing.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=../lib.sh
source "$here/../lib.sh"
# shellcheck source=suite.sh
source "$here/suite.sh"

usage="usage: $0 OUT_DIR AGENT [--cases PATTERN,...] -- COMMAND..."
[[ $# -ge 4 ]] || die "$usage"
out=$1
agent=$2
shift 2
cases='1.*,2.*,3.*,4.*,5.*,6.*,7.*,9.*,10.*,12.*,13.*'
if [[ $1 == --cases ]]; then
  cases=$2
  shift 2
fi
[[ $1 == -- && $# -ge 2 ]] || die "$usage"
shift

need coreutils "GNU coreutils" timeout
one_at_a_time install_suite

mkdir -p "$out"
# A report that an earlier run left must not be taken for this one's.
rm -f "$out/index.json" "$out/wstest.log"
# One of those that the system gives to no client.
port=$(python3 -c '
import random, socket
while True:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", random.randrange(12000, 22000)))
        except OSError:
            continue
        print(probe.getsockname()[1])
        break')
url=ws://127.0.0.1:$port
"${python[@]}" "$here/spec.py" --server "$url" "$out" "$cases" >"$out/spec.json" || die "$usage"

say "Autobahn TestSuite, cases $cases, for $agent (log: $out/wstest.log)"
"${python[@]}" "$environment/bin/wstest" -m fuzzingserver -w 0 -s "$out/spec.json" >"$out/wstest.log" 2>&1 &
server=$!
trap 'kill "$server" 2>/dev/null || true' EXIT
for _ in $(seq 300); do
  if (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then break; fi
  kill -0 "$server" 2>/dev/null || die "the fuzzing server does not start; see $out/wstest.log"
  sleep 0.1
done

status=0
timeout --foreground --kill-after=10s 90m "$@" "$url" || status=$?
[[ $status -eq 0 ]] || echo "the client ended with $status"
python3 "$here/check.py" "$out" --agent "$agent" --strict
