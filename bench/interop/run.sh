#!/usr/bin/env bash
# Independent clients against a running demo: openid-client logs in, @openid4vc is a
# wallet and a verifier, Digital Bazaar's libraries verify a credential and refuse a
# changed one, zxing and PixelPass read our codes.
set -eu
cd "$(dirname "$0")"
work="$(mktemp -d)"
chmod 755 "$work" # the private Postgres runs as another user when we are root
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"' EXIT
npm install --no-fund --no-audit --no-package-lock --loglevel=error

export PLINTH_LISTEN=127.0.0.1:18098 PLINTH_URL=http://localhost:18098 PLINTH_DATA="$work/demo"
../../plinth demo --data "$PLINTH_DATA" >"$work/out" 2>"$work/err" &
server=$!
until grep -q 'Plinth is ready' "$work/out"; do
  kill -0 "$server" 2>/dev/null || { cat "$work/err" >&2; exit 3; }
  sleep 0.1
done

say() { printf '%-34s' "$1"; }
say 'openid-client logs in'
node login.mjs "$PLINTH_DATA/demo.json"
say '… by FAPI 2.0, both profiles'
node fapi.mjs "$PLINTH_DATA/demo.json" ../../plinth
say 'oauth4webapi, for machines'
node machine.mjs "$PLINTH_DATA/demo.json" ../../plinth

uin="$(node -p 'JSON.parse(require("fs").readFileSync(process.argv[1])).people[0].uin' "$PLINTH_DATA/demo.json")"
say 'coreos/go-oidc logs in'
../../plinth client add >"$work/client.json" <<'JSON'
{"client_name": "A portal by go-oidc", "plinth_profile": "oidc", "redirect_uris": ["https://rp.example/callback"], "scope": "openid profile", "token_endpoint_auth_method": "client_secret_basic"}
JSON
member() { node -p 'JSON.parse(require("fs").readFileSync(process.argv[1]))[process.argv[2]]' "$work/client.json" "$1"; }
(cd gooidc && go run . "$(member client_id)" "$(member client_secret)" "$PLINTH_URL" "$uin")
../../plinth issue --uin "$uin" --format ldp_vc >"$work/vc.json"
node -e '
  const [url, out] = process.argv.slice(1);
  const get = async path => (await fetch(url + path)).json();
  const context = "/contexts/identity/v1";
  Promise.all([get("/.well-known/did.json"), get(context)]).then(([didDocument, own]) =>
    require("fs").writeFileSync(out, JSON.stringify({didDocument, contexts: {[url + context]: own}})));
' "$PLINTH_URL" "$work/world.json"
say '@digitalbazaar/vc verifies'
node vc-verify.mjs "$work/vc.json" "$work/world.json"
say '… and refuses a changed one'
sed 's/"birthDate":"19/"birthDate":"18/' "$work/vc.json" >"$work/changed.json"
cmp -s "$work/vc.json" "$work/changed.json" && { echo 'nothing was changed' >&2; exit 3; }
if node vc-verify.mjs "$work/changed.json" "$work/world.json"; then exit 1; fi
say '@openid4vc fetches'
node vci.mjs "$PLINTH_DATA/demo.json" ../../plinth "$work/fetched.json"
say '… @digitalbazaar/vc verifies'
node vc-verify.mjs "$work/fetched.json" "$work/world.json"
say '@owf/mdoc checks a document'
../../plinth issue --uin "$uin" --format mso_mdoc -o "$work/card.mdoc" >"$work/made"
node -e '
  const [url, card, text, root] = process.argv.slice(1), fs = require("fs");
  fs.writeFileSync(text, fs.readFileSync(card).toString("base64url"));
  fetch(url + "/.well-known/plinth-trust.json").then(answer => answer.json()).then(({issuers: [{x509: [anchor]}]}) =>
    fs.writeFileSync(root, `-----BEGIN CERTIFICATE-----\n${anchor.match(/.{1,64}/g).join("\n")}\n-----END CERTIFICATE-----\n`));
' "$PLINTH_URL" "$work/card.mdoc" "$work/card.txt" "$work/root.pem"
node mdoc.mjs "$work/card.txt" "$work/root.pem"
say '@openid4vc shows, and asks'
node vp.mjs "$PLINTH_DATA/demo.json" ../../plinth
say '@sd-jwt reads the status list'
node status.mjs "$PLINTH_DATA/demo.json" ../../plinth
say 'zxing and PixelPass read QR'
node qr.mjs "$PLINTH_DATA/demo.json" ../../plinth
say '@sd-jwt/sd-jwt-vc, both ways'
(here="$PWD" && cd ../.. && PLINTH_INTEROP="$here" go test -count=1 -run TestInteropBothWays ./credentials/vc/sdjwt)
say '@digitalbazaar suites, both ways'
(here="$PWD" && cd ../.. && PLINTH_INTEROP="$here" go test -count=1 -run TestInteropBothWays ./credentials/vc)
say 'SBI by a client of its own'
node sbi.mjs ../../plinth
say 'Bio SDK, client of its own'
node sdk.mjs ../../plinth
say 'ABIS through ActiveMQ, JMS'
./abis.sh ../../plinth
