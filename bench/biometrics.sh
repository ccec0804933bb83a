#!/usr/bin/env bash
# Measures the biometric engine: writes docs/biometrics/report/. With TESTDATA_DIR, on
# the real prints and records there too.
set -eu
cd "$(dirname "$0")/.."
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
more=()
if [ -n "${TESTDATA_DIR:-}" ]; then
  prints="$TESTDATA_DIR/biometrics/minex"
  # file,subject,finger,card,…: every print of card a with every one of card b.
  awk -F, -v dir="$prints" 'NR > 1 { file[NR] = $1; who[NR] = $2; finger[NR] = $3; card[NR] = $4; n = NR }
    END { print "a,b,mated,person_a,person_b"
      for (i = 2; i <= n; i++) for (j = 2; j <= n; j++) if (card[i] == "a" && card[j] == "b")
        print dir "/" file[i] "," dir "/" file[j] "," (who[i] == who[j] && finger[i] == finger[j]) "," who[i] "," who[j] }' \
    "$prints/index.csv" >"$work/minex.csv"
  mkdir "$work/records"
  cp "$TESTDATA_DIR"/biometrics/formats/registration/*.iso "$TESTDATA_DIR"/biometrics/formats/auth/*_wsq.iso "$work/records"
  more=(--set "MINEX III, 12 persons=$work/minex.csv" --records "$work/records")
else
  echo "TESTDATA_DIR is not set: only synthetic prints are measured" >&2
fi
./plinth bench biometrics -o docs/biometrics/report "${more[@]}" "$@" >/dev/null
./plinth bench gallery --people "${PEOPLE:-100000}" >docs/biometrics/report/gallery.json
