#!/bin/sh
# Installs exactly what package-lock.json locks, and only when that has changed since the last time.
# Runs before any Node is known to be there but the machine's own, so it is plain sh.
set -e
cd "$(dirname "$0")/.."
lock=package-lock.json
seen=node_modules/.rowmill-lock
cmp -s "$lock" "$seen" && exit 0
echo "Rowmill: installing its locked dependencies (once) …" >&2
npm ci --no-audit --no-fund >&2
cp "$lock" "$seen"
