#!/usr/bin/env bash
# Drives `plinth abis` through a real ActiveMQ by JMS: abis.sh PLINTH. Needs Java and Maven.
set -eu
plinth="$(realpath "$1")"
cd "$(dirname "$0")"
if ! command -v mvn >/dev/null || ! command -v java >/dev/null; then
  echo 'skipped: no Java or no Maven here'
  exit 0
fi
version=5.18.3
work="$(mktemp -d)"
device=
trap '[ -z "$device" ] || kill "$device" 2>/dev/null || true; rm -rf "$work"' EXIT
mvn -q dependency:copy -Dartifact="org.apache.activemq:apache-activemq:$version:tar.gz:bin" -DoutputDirectory="$work" >"$work/mvn" 2>&1 || { cat "$work/mvn" >&2; exit 3; }
tar xzf "$work/apache-activemq-$version-bin.tar.gz" -C "$work"

# Two impressions of one finger, as a capture device gives them.
"$plinth" biometrics synth --seed 7 --count 1 --level 1 --out "$work/prints" >/dev/null
for who in a b; do
  mkdir "$work/$who"
  cp "$work/prints/f7_$([ "$who" = a ] && echo 0 || echo 1).png" "$work/$who/rightIndex.png"
  "$plinth" device "$work/$who" --modality finger --listen 127.0.0.1:0 >"$work/$who.json" 2>/dev/null &
  device=$!
  until [ -s "$work/$who.json" ]; do sleep 0.1; done
  at="$(sed 's/.*"service":"\([^"]*\)".*/\1/' "$work/$who.json")"
  "$plinth" device capture --device "$at" --trust "$work/$who/.device/provider-ca.pem" --position rightIndex --out "$work/$who.xml" >/dev/null 2>"$work/err" || { cat "$work/err" >&2; exit 3; }
  kill "$device"
  device=
done
home="$work/apache-activemq-$version"
java -cp "$home/lib/*:$home/lib/optional/*" AbisQueue.java "$plinth" "$work" 2>"$work/err" || { cat "$work/err" "$work/abis.err" >&2; exit 1; }
