#!/bin/sh
# Sets the checkout up by itself: tools/bootstrap.sh core|test|lint|...   (names of requirements/*.txt)
#
# Everything goes into this folder, at locked versions with hashes. Ways, in this order:
#   1. uv             2. python3 -m venv             3. pip install --target .site
#   4. as root: apt-get installs python3-venv, then way 2             5. one line that says what is missing
# No interpreter is downloaded. A stamp makes a second run cost nothing.
set -eu
cd "$(dirname "$0")/.."
root=$(pwd)

say() { printf '%s\n' "xinglin set-up: $*" >&2; }

find_python() {
    for name in ${XINGLIN_PYTHON:-} python3 python3.13 python3.12 python3.11; do
        if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$name"
            return
        fi
    done
    say "Python 3.11 or newer is missing. Install it (Debian, Ubuntu: apt-get install python3-venv) and run make again."
    exit 1
}

# The way is settled once and kept in .venv or .site.
make_home() {
    [ -x .venv/bin/python ] && { echo venv; return; }
    [ -f .site/.python ] && { echo site; return; }
    python=$(find_python)
    if command -v uv >/dev/null 2>&1; then
        UV_PYTHON_DOWNLOADS=never uv venv --quiet --no-project --python-preference only-system --python "$python" .venv >&2
        echo venv
    elif "$python" -m venv .venv >/dev/null 2>&1 && .venv/bin/python -m pip --version >/dev/null 2>&1; then
        echo venv
    elif rm -rf .venv && "$python" -m pip --version >/dev/null 2>&1; then
        mkdir -p .site
        printf '%s\n' "$python" > .site/.python
        echo site
    elif [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        say "installing python3-venv with apt-get"
        { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv; } >/dev/null
        "$python" -m venv .venv >&2
        echo venv
    else
        say "neither uv, nor python3-venv, nor pip is here. Install one of them (Debian, Ubuntu: apt-get install python3-venv) and run make again."
        exit 1
    fi
}

install_locked() {
    say "installing requirements/$1.txt (locked versions, checked by hash) ..."
    if [ "$home" = site ]; then
        "$(cat .site/.python)" -m pip install --quiet --disable-pip-version-check --no-warn-conflicts --upgrade \
            --target .site --require-hashes --only-binary :all: -r "requirements/$1.txt" >&2
    elif command -v uv >/dev/null 2>&1; then
        UV_PYTHON_DOWNLOADS=never uv pip install --quiet --compile-bytecode --python .venv/bin/python --require-hashes \
            --only-binary :all: -r "requirements/$1.txt" >&2
    else
        # A venv that uv made has no pip of its own.
        .venv/bin/python -m pip --version >/dev/null 2>&1 || .venv/bin/python -m ensurepip >/dev/null
        .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes \
            --only-binary :all: -r "requirements/$1.txt" >&2
    fi
}

# In a venv the sources are on the path by a .pth file: no build, so no build tools to fetch.
link_sources() {
    [ "$home" = venv ] || return 0
    folder=$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')
    [ "$(cat "$folder/xinglin.pth" 2>/dev/null)" = "$root/src" ] || printf '%s\n' "$root/src" > "$folder/xinglin.pth"
}

home=$(make_home)
case $home in venv) folder=.venv ;; site) folder=.site ;; *) exit 1 ;; esac
for name in "${@:-core}"; do
    stamp="$folder/.stamp-$name"
    if ! cmp -s "requirements/$name.txt" "$stamp"; then
        install_locked "$name"
        link_sources
        cp "requirements/$name.txt" "$stamp"
    fi
done
