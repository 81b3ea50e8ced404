# shellcheck shell=bash
# The installation of the Autobahn TestSuite. Sourced behind ../lib.sh, never run.

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
    again pyenv install --skip-existing 2.7.18
  elif [[ $(id -u) -eq 0 ]] && command -v apt-get >/dev/null; then
    again apt-get -qq update
    DEBIAN_FRONTEND=noninteractive again apt-get -qq install --no-install-recommends python2.7 python2.7-dev
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
  again "$environment/bin/pip" install --quiet --disable-pip-version-check --no-python-version-warning \
    --no-deps --no-build-isolation -r "$here/requirements.txt" ||
    die "pip could not install $here/requirements.txt (see above; wsaccel needs a C compiler and Python.h)"
  cp "$here/requirements.txt" "$environment/pins.txt"
}

# The suite's Python, as it is called.
# shellcheck disable=SC2034 # for those who source this
python=("$environment/bin/python" -u -W ignore)
