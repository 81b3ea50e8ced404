#!/usr/bin/env bash
# Runs outside WebSocket clients against a running fixture server.
#
#   tests/clients/run.sh <base-url> [python|node|browser|inspect|inspect-many|autobahn|autobahn-full|autobahn-deflate|chat|live|graphql|rooms|http2|browser-http2 ...]
#
# `http2` and `browser-http2` take an https base URL: the fixture with --tls and --http2. Of a wss base
# URL, WHARF_CERTIFICATE is the file with the certificate.
# `chat`, `live` and `graphql` are for the examples of these names instead of the fixture: two pages
# of a browser talk to each other, and the npm clients of GraphQL to a schema.
# `rooms` is for the example `inspector`. `inspect-many` opens the inspector over 10,000 sessions.
# WHARF_AUTOBAHN_STRICT=1 lets a NON-STRICT Autobahn case fail the run.
# <base-url> is what the fixture listens on, such as ws://127.0.0.1:9101. Without a client named,
# all but Autobahn and the examples run. Exit code: 0 all passed, 1 a check failed, 2 something is missing.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$here/lib.sh"

usage="usage: $0 ws://HOST:PORT [python|node|browser|inspect|inspect-many|autobahn|autobahn-full|autobahn-deflate|chat|live|graphql|rooms|http2|browser-http2 ...]"
base=${1:-}
[[ $base =~ ^(wss?|https)://[^/]+/?$ ]] || die "$usage"
base=${base%/}
shift
[[ $# -gt 0 ]] || set -- python node browser inspect

# trusting <command>...: told whom to trust, as Python and Node are. Installers must not be.
trusting() {
  if [[ ${WHARF_CERTIFICATE:-} ]]; then
    SSL_CERT_FILE=$WHARF_CERTIFICATE NODE_EXTRA_CA_CERTS=$WHARF_CERTIFICATE "$@"
  else
    "$@"
  fi
}

run_python() {
  one_at_a_time python_env "$cache/python" "$here/python/requirements.txt"
  trusting "$cache/python/bin/python" "$here/python/client.py" "$base"
}

run_node() {
  need_node 18
  one_at_a_time install_packages node
  WHARF_NODE_HOME=$cache/node trusting node "$here/node/client.mjs" "$base"
}

run_http2() {
  need_node 18
  node "$here/http2/node.mjs" "$base"
  one_at_a_time python_env "$cache/http2" "$here/http2/requirements.txt"
  "$cache/http2/bin/python" "$here/http2/python.py" "$base"
}

run_browser_http2() {
  need_node 18
  need_browser
  node "$here/browser/http2.mjs" "$base"
}

run_browser() {
  need_node 18
  need_browser
  node "$here/browser/client.mjs" "$base"
}

run_inspect() {
  need_node 18
  need_browser
  node "$here/browser/inspect.mjs" "$base"
}

run_inspect_many() {
  need_node 18
  need_browser
  one_at_a_time install_packages node
  local pid
  pid=$(ss -Hltnp "sport = :${base##*:}" | sed -n 's/.*pid=\([0-9]*\).*/\1/p')
  WHARF_NODE_HOME=$cache/node node "$here/browser/inspect_many.mjs" "$base" 10000 "$pid"
}

run_rooms() {
  need_node 18
  need_browser
  node "$here/browser/rooms.mjs" "$base"
}

run_chat() {
  need_node 18
  need_browser
  node "$here/browser/chat.mjs" "$base"
}

run_live() {
  need_node 18
  need_browser
  node "$here/browser/live.mjs" "$base"
}

run_graphql() {
  need_node 20
  one_at_a_time install_packages graphql
  WHARF_NODE_HOME=$cache/graphql node "$here/graphql/client.mjs" "$base"
}

run_autobahn() {
  # A report per server, so that runs against two drivers do not overwrite each other. No colon in
  # its name, because CI's artifact stores refuse it.
  local address=${base##*/}
  "$here/autobahn/run.sh" "$base/echo" "$cache/reports/${address//:/-}" "$@"
}

run_autobahn_deflate() {
  local address=${base##*/} route
  for route in deflate deflate-takeover; do
    "$here/autobahn/run.sh" "$base/$route" "$cache/reports/${address//:/-}-$route" --deflate
  done
}

for client in "$@"; do
  [[ $client =~ ^(python|node|browser|inspect|inspect-many|autobahn|autobahn-full|autobahn-deflate|chat|live|graphql|rooms|http2|browser-http2)$ ]] || die "no client '$client'. $usage"
done

failed=()
missing=()
for client in "$@"; do
  say "$client against $base"
  # One client's failure must not hide what the others say. A subshell with its own set -e,
  # because bash ignores set -e in anything called from a condition.
  set +e
  (
    set -e
    case $client in
      autobahn-full) run_autobahn --full ;;
      *) "run_${client//-/_}" ;;
    esac
  )
  status=$?
  set -e
  case $status in
    0) ;;
    2) missing+=("$client") ;;
    *) failed+=("$client") ;;
  esac
done

[[ ${#missing[@]} -eq 0 ]] || say "could not run: ${missing[*]}"
[[ ${#failed[@]} -eq 0 ]] || say "failed: ${failed[*]}"
[[ ${#failed[@]} -eq 0 ]] || exit 1
[[ ${#missing[@]} -eq 0 ]] || exit 2
say "all passed: $*"
