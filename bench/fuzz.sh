#!/usr/bin/env bash
# Runs every fuzz target of the module, one after the other: fuzz.sh DURATION
set -eu
cd "$(dirname "$0")/.."
for package in $(go list ./...); do
  dir="${package#github.com/plinth-id/plinth}"
  for target in $(grep -ohE '^func Fuzz[A-Za-z0-9_]+' ".$dir"/*_test.go 2>/dev/null | awk '{print $2}' || true); do
    echo "== ${package##*/} $target"
    go test -run '^$' -fuzz "^$target\$" -fuzztime "$1" -fuzzminimizetime 5x "$package"
  done
done
