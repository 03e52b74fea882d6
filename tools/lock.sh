#!/bin/sh
# Rewrites requirements/*.txt: every version and hash, for each extra, without naming where they came from.
# Needs uv. One resolution of everything comes first, so that a package has one version in every file.
set -eu
cd "$(dirname "$0")/.."
everything=$(mktemp)
trap 'rm -f "$everything"' EXIT
compile() {
    uv pip compile pyproject.toml --no-config --universal --python-version 3.11 --fork-strategy fewest \
        --no-header --no-annotate --no-emit-index-url --quiet "$@"
}
mkdir -p requirements
[ "${1:-}" = --upgrade ] || cat requirements/*.txt 2>/dev/null | sed -n 's/^\([a-z0-9].*\) \\$/\1/p' | sort -u > "$everything"
compile --all-extras -o "$everything" >/dev/null
compile --generate-hashes -c "$everything" -o requirements/core.txt >/dev/null
for extra in passkeys postgres sources linkage homomorphic frames notebook test lint; do
    compile --generate-hashes -c "$everything" --extra "$extra" -o "requirements/$extra.txt" >/dev/null
done
