#!/usr/bin/env bash
# Runs the example `connect` against echo servers that nobody here wrote: Python `websockets` and
# Node `ws`, both of which take its offer to compress.
#
#   tests/clients/servers.sh <path of connect>
#
# Exit code: 0 passed, 1 a check failed, 2 something is missing.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$here/lib.sh"

[[ $# -eq 1 && -x $1 ]] || die "usage: $0 CONNECT"
connect=$1

one_at_a_time python_env "$cache/python" "$here/python/requirements.txt"
need_node 18
one_at_a_time install_packages node

# A short line, and one that is long enough to be compressed.
long=$(printf 'wharf %.0s' $(seq 2000))

# check NAME COMMAND...: what goes in comes out, in order.
check() {
  local name=$1 port heard
  shift
  say "connect against $name"
  coproc SERVER { "$@"; }
  read -r -t 10 port <&"${SERVER[0]}" || die "$name says no port"
  # Its end closes the connection: it must come behind the last echo.
  heard=$( (printf 'short\n%s\n' "$long"; sleep 1) | timeout 10 "$connect" "ws://127.0.0.1:$port/") || true
  eval "exec ${SERVER[1]}>&-"
  wait "$SERVER_PID" || true
  if [[ $heard != "short"$'\n'"$long" ]]; then
    echo "FAILED $name: ${#heard} bytes came back: ${heard:0:60}"
    exit 1
  fi
  echo "ok $name"
}

check "Python websockets" "$cache/python/bin/python" "$here/python/server.py"
WHARF_NODE_HOME=$cache/node check "Node ws" node "$here/node/server.mjs"
