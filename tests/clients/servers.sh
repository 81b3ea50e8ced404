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

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# Says both, and ends when both have come back.
say_both() {
  printf 'short\n%s\n' "$long"
  for _ in $(seq 300); do
    (($(wc -l <"$folder/came") >= 2)) && break
    sleep 0.1
  done
}

# check NAME COMMAND...: what goes in comes out, in order.
check() {
  local name=$1 port heard came=$folder/came
  shift
  say "connect against $name"
  coproc SERVER { "$@"; }
  read -r -t 60 port <&"${SERVER[0]}" || die "$name says no port"
  : >"$came"
  # Its end closes the connection: it must come behind the last echo.
  say_both | timeout 60 "$connect" "ws://127.0.0.1:$port/" >"$came" || true
  heard=$(<"$came")
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
