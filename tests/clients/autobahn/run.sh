#!/usr/bin/env bash
# Runs the Autobahn TestSuite against an echo server and judges the report.
#
#   tests/clients/autobahn/run.sh <ws-url> <out-dir> [--full] [--strict] [--cases '6.4.*,7.1.1']
#
# Sections 1 to 7 and 10, a quarter of a minute. --full adds section 9 (limits, performance: messages
# of up to 16 MiB), which doubles that. 12 and 13 test permessage-deflate, which Wharf does not
# offer. --strict counts NON-STRICT as a failure. --cases runs these alone.
# The HTML report is <out-dir>/index.html, the suite's own output <out-dir>/wstest.log.
# Exit code: 0 passed, 1 a case failed, 2 something is missing. Needs Python 2.7, by $PYTHON27,
# on the PATH, or from pyenv; installs it by pyenv or apt-get where it is not there.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=../lib.sh
source "$here/../lib.sh"

usage="usage: $0 ws://HOST:PORT/PATH OUT_DIR [--full] [--strict] [--cases PATTERN,...]"
[[ $# -ge 2 && $1 =~ ^ws:// ]] || die "$usage"
url=$1
out=$2
shift 2
cases='1.*,2.*,3.*,4.*,5.*,6.*,7.*,10.*'
deadline=10m # a server that answers nothing makes every case wait for its own timeout
strict=
while [[ $# -gt 0 ]]; do
  case $1 in
    --full) cases+=',9.*' deadline=30m ;;
    --strict) strict=yes ;;
    --cases)
      [[ $# -ge 2 ]] || die "$usage"
      cases=$2
      shift
      ;;
    *) die "$usage" ;;
  esac
  shift
done

environment=$cache/autobahn/python27

# Asks each candidate, because pyenv's shim exists even where it leads nowhere.
find_python27() {
  local candidate
  for candidate in "${PYTHON27:-}" python2.7 python2 \
    "${PYENV_ROOT:-$HOME/.pyenv}"/versions/2.7*/bin/python2.7 /opt/python/cp27-cp27mu/bin/python2.7; do
    if [[ -n $candidate ]] && "$candidate" -c 'import sys; assert sys.version_info[:2] == (2, 7)' 2>/dev/null; then
      command -v "$candidate"
      return
    fi
  done
  return 1
}

install_python27() {
  # Standard output is the answer.
  say "installing Python 2.7" >&2
  if command -v pyenv >/dev/null; then
    pyenv install --skip-existing 2.7.18
  elif [[ $(id -u) -eq 0 ]] && command -v apt-get >/dev/null; then
    apt-get -qq update
    DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends python2.7 python2.7-dev
  fi >&2 || true
  find_python27 || die "the Autobahn TestSuite needs Python 2.7, and there is none in \$PYTHON27, on the PATH, or in pyenv.
  with pyenv:    pyenv install 2.7.18
  Ubuntu 22.04:  apt-get install python2.7 python2.7-dev
  elsewhere:     build https://www.python.org/downloads/release/python-2718 and set PYTHON27"
}

install_suite() {
  if installed "$environment/pins.txt" "$here/requirements.txt" &&
    "$environment/bin/python" -c 'import autobahntestsuite' 2>/dev/null; then
    return
  fi
  local python27
  python27=$(find_python27) || python27=$(install_python27)
  need gcc "a C compiler" cc gcc
  python_env "$cache/autobahn/virtualenv" "$here/bootstrap.txt"
  say "creating $environment with $python27"
  rm -rf "$environment"
  "$cache/autobahn/virtualenv/bin/virtualenv" --quiet --no-periodic-update --python "$python27" "$environment"
  # Without build isolation the pinned setuptools builds wsaccel; with it, pip would fetch
  # whatever Cython is current, only to leave it unused.
  "$environment/bin/pip" install --quiet --disable-pip-version-check --no-python-version-warning \
    --no-deps --no-build-isolation -r "$here/requirements.txt" ||
    die "pip could not install $here/requirements.txt (see above; wsaccel needs a C compiler and Python.h)"
  cp "$here/requirements.txt" "$environment/pins.txt"
}

need coreutils "GNU coreutils" timeout
one_at_a_time install_suite

mkdir -p "$out"
# A report that an earlier run left must not be taken for this one's.
rm -f "$out/index.json" "$out/wstest.log"
python=("$environment/bin/python" -u -W ignore)
"${python[@]}" "$here/spec.py" "$url" "$out" "$cases" >"$out/spec.json" || die "$usage"

say "Autobahn TestSuite, cases $cases, against $url (log: $out/wstest.log)"
status=0
timeout --foreground --kill-after=10s "$deadline" "${python[@]}" "$environment/bin/wstest" \
  -m fuzzingclient -s "$out/spec.json" >"$out/wstest.log" 2>&1 || status=$?
if [[ $status -eq 124 || $status -eq 137 ]]; then
  echo "the suite was stopped after $deadline"
fi
python3 "$here/check.py" "$out" ${strict:+--strict}
