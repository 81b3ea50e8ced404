# shellcheck shell=bash
# What the scripts of this folder share. Sourced, never run.

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# Everything that is installed lives here, so that the source tree stays clean and CI can cache it.
cache=${WHARF_CACHE:-$repository/target/clients}
mkdir -p "$cache"
cache=$(cd "$cache" && pwd)

say() { printf '== %s\n' "$*"; }

# 2 means "could not even start"; 1 is left for "ran, and a check failed".
die() {
  printf 'error: %s\n' "$*" >&2
  exit 2
}

# again <command>...: for what needs the network.
again() { "$repository/.ci/again" "$@"; }

# need <debian package> <how else to get it> <command>...: at least one of the commands exists,
# or the package is installed (as root, on a Debian), or the script ends with the reason.
need() {
  local package=$1 otherwise=$2 command
  shift 2
  for command in "$@"; do
    if command -v "$command" >/dev/null; then return; fi
  done
  if [[ $(id -u) -ne 0 ]] || ! command -v apt-get >/dev/null; then
    die "none of [$*] found. Debian, Ubuntu: sudo apt-get install $package. Elsewhere: $otherwise"
  fi
  say "installing $package"
  again apt-get -qq update
  DEBIAN_FRONTEND=noninteractive again apt-get -qq install --no-install-recommends "$package" >/dev/null
}

# need_node <version>: this Node or a newer one is there.
need_node() {
  command -v node >/dev/null ||
    die "no node. Debian, Ubuntu: apt-get install nodejs npm. Elsewhere: https://nodejs.org"
  node -e "process.exit(parseInt(process.versions.node) < $1 ? 1 : 0)" ||
    die "node $(node --version) is too old: $1 or newer is needed"
}

# need_browser: a Chromium is there, or is installed.
need_browser() {
  # With $CHROMIUM the caller has already chosen.
  [[ -n ${CHROMIUM:-} ]] ||
    one_at_a_time need chromium "https://www.chromium.org/getting-involved/download-chromium, or set CHROMIUM to the program" \
      chromium chromium-browser google-chrome google-chrome-stable
}

# installed <stamp> <pinned file>: the install that left the stamp used exactly these pins.
installed() { cmp -s "$1" "$2" 2>/dev/null; }

# python_env <folder> <requirements>: a Python 3 environment with exactly the pinned packages.
python_env() {
  local folder=$1 requirements=$2
  # An environment restored from a cache can point at a Python that is gone: ask it.
  if installed "$folder/pins.txt" "$requirements" && "$folder/bin/python" -c '' 2>/dev/null; then
    return
  fi
  say "creating $folder"
  command -v python3 >/dev/null || die "no python3. Debian, Ubuntu: apt-get install python3 python3-venv"
  python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' ||
    die "$(python3 --version) is too old: Python 3.10 or newer is needed"
  python3 -m venv --clear "$folder" ||
    die "python3 cannot create environments. Debian, Ubuntu: apt-get install python3-venv"
  again "$folder/bin/pip" install --quiet --disable-pip-version-check --no-deps -r "$requirements" ||
    die "pip could not install $requirements (see above)"
  cp "$requirements" "$folder/pins.txt"
}

# one_at_a_time <command>...: two runs at once (one per driver, say) share the cache; the second
# waits for the first to finish its install. Without flock (not Linux) it is up to the caller.
one_at_a_time() {
  if ! command -v flock >/dev/null; then
    "$@"
    return
  fi
  (
    flock 9
    "$@" 9>&-
  ) 9>"$cache/lock"
}

# install_packages <name>: the pinned npm packages of the folder of this name, into $cache/<name>.
install_packages() {
  local folder=$cache/$1 pins=$repository/tests/clients/$1
  if installed "$folder/pins.json" "$pins/package-lock.json"; then return; fi
  say "creating $folder"
  command -v npm >/dev/null || die "no npm. Debian, Ubuntu: apt-get install npm"
  mkdir -p "$folder"
  cp "$pins/package.json" "$pins/package-lock.json" "$folder/"
  again npm ci --prefix "$folder" --ignore-scripts --no-audit --no-fund --loglevel=error ||
    die "npm could not install $pins/package-lock.json (see above)"
  cp "$pins/package-lock.json" "$folder/pins.json"
}
