#!/usr/bin/env bash
# h2spec against a running fixture that speaks HTTP/2, over TLS or, told an http URL, by prior knowledge.
#
#   tests/clients/h2spec/run.sh <base-url>
#
# h2spec is $H2SPEC, or the one in PATH: no package registry has it, so this is not part of the gate.
# Exit code: 0 all passed, 1 a check failed, 2 something is missing.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=../lib.sh
source "$here/../lib.sh"

[[ ${1:-} =~ ^(https?)://([^/:]+):([0-9]+)/?$ ]] || die "usage: $0 http[s]://HOST:PORT"
scheme=${BASH_REMATCH[1]}
where=(-h "${BASH_REMATCH[2]}" -p "${BASH_REMATCH[3]}")
h2spec=${H2SPEC:-h2spec}
command -v "$h2spec" >/dev/null ||
  die "no h2spec. Build it with Go from https://github.com/summerwind/h2spec, and put it in PATH or name it in H2SPEC"

if [[ $scheme == https ]]; then
  exec "$h2spec" "${where[@]}" --tls --insecure --strict
fi
# Without TLS the port speaks HTTP/1.1 too, so that what begins otherwise than HTTP/2 is answered in
# HTTP/1.1: all but http2/3.5/2, which wants it dropped.
exec "$h2spec" "${where[@]}" --strict generic hpack http2/3.5/1 http2/{4..8}
