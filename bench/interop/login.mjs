// Logs somebody in with npm's openid-client, by pushed request, PKCE and
// private_key_jwt. Usage: node login.mjs demo.json.
import {readFileSync} from 'node:fs';
import * as oidc from 'openid-client';
import {login, must, person, report, sheet} from './person.mjs';

const client = sheet.clients[0];
const jwk = JSON.parse(readFileSync(client.jwks_private, 'utf8')).keys[0];
const key = await crypto.subtle.importKey('jwk', jwk, {name: 'ECDSA', namedCurve: 'P-256'}, false, ['sign']);
const redirectUri = new URL('/demo/portal/callback', sheet.url).href;

const config = await oidc.discovery(new URL(sheet.url), client.client_id, {},
  oidc.PrivateKeyJwt({key, kid: jwk.kid}), {execute: [oidc.allowInsecureRequests]});

async function once(withPushedRequest) {
  const verifier = oidc.randomPKCECodeVerifier();
  const parameters = {
    redirect_uri: redirectUri, scope: 'openid profile email', state: oidc.randomState(), nonce: oidc.randomNonce(),
    code_challenge: await oidc.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256'
  };
  const begin = withPushedRequest ?
    await oidc.buildAuthorizationUrlWithPAR(config, parameters) : oidc.buildAuthorizationUrl(config, parameters);
  const tokens = await oidc.authorizationCodeGrant(config, await login(begin, redirectUri), {
    pkceCodeVerifier: verifier, expectedNonce: parameters.nonce, expectedState: parameters.state, idTokenExpected: true
  });
  const claims = await oidc.fetchUserInfo(config, tokens.access_token, tokens.claims().sub);
  must(claims.name === person.name && claims.email === person.email, `userinfo says ${claims.name}, ${claims.email}`);
  return claims.sub;
}

await report(async () => {
  const subjects = [await once(false), await once(true)];
  must(subjects[0] === subjects[1], 'one person has two names at one party');
  return {logins: subjects.length};
});
