#!/usr/bin/env bash
# Measures this machine: writes bench/results.json and prints a table.
set -eu
cd "$(dirname "$0")/.."
work="$(mktemp -d)"
chmod 755 "$work" # the private Postgres runs as another user when we are root
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"' EXIT
now() { date +%s.%N; }

# started WHAT COMMAND…: seconds until the demo says that it is ready.
started() {
  local what="$1" begun seconds
  shift
  begun="$(now)"
  PLINTH_LISTEN=127.0.0.1:18099 PLINTH_URL=http://localhost:18099 "$@" >"$work/out" 2>"$work/err" &
  server=$!
  until grep -q 'Plinth is ready' "$work/out"; do
    kill -0 "$server" 2>/dev/null || { cat "$work/err" >&2; exit 3; }
    sleep 0.05
  done
  seconds="$(awk "BEGIN { print $(now) - $begun }")"
  kill "$server" && wait "$server" || true
  server=
  printf '%-8s %8.1f s\n' "$what" "$seconds" >&2
  printf '{"what":"%s","seconds":%.2f}\n' "$what" "$seconds" >>"$work/rows"
}

# Cold: nothing is compiled yet, but the modules have been fetched.
build_and_start() { GOCACHE="$work/cache" make -s -C "$work/clone" build >&2 && exec "$work/clone/plinth" demo --data "$work/demo"; }

git clone -q . "$work/clone"
started cold build_and_start
started second "$work/clone/plinth" demo --data "$work/demo"
for what in enrol login; do
  "$work/clone/plinth" bench "$what" >>"$work/rows"
done
"$work/clone/plinth" bench issue --duration 6s >>"$work/rows"
"$work/clone/plinth" bench verify --sample "$work/sample.json" >>"$work/rows"
# What our drawing of codes is compared with, by the library that only tests import.
(cd "$work/clone" && go test -run '^$' -bench 'Benchmark(Other)?PNG512$' -benchtime 2s ./credentials/qr) |
  awk '/^Benchmark/ { printf "{\"what\":\"QR code drawn, version 19, %s\",\"per_cpu_second\":%.0f}\n", $1 ~ /Other/ ? "skip2/go-qrcode" : "ours beside it", $(NF - 1) }' >>"$work/rows"
"$work/clone/plinth" bench oidc | sed 's/^\[//; s/\]$//; s/},{/}\n{/g' >>"$work/rows" # a row a line
if command -v node >/dev/null; then # peers beside it, in memory
  (cd bench/peers && npm install --no-fund --no-audit --no-package-lock --loglevel=error >&2 && node load.mjs 10 4 && node credentials.mjs "$work/sample.json") >>"$work/rows"
fi

{
  printf '{"machine":{"cpu":"%s","cores":%s,"commit":"%s"},\n "repeat":"make bench",\n "rows":[\n' \
    "$(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -1)" "$(nproc)" "$(git -C "$work/clone" rev-parse --short HEAD)"
  sed 's/^/  /; $!s/$/,/' "$work/rows"
  printf ' ]}\n'
} >bench/results.json
