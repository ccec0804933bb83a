// Logs somebody in with npm's openid-client, by pushed request, PKCE and
// private_key_jwt, clicking through the pages as a browser without script would.
// Usage: node login.mjs demo.json. One line of JSON; exit 0 or 1.
import {readFileSync} from 'node:fs';
import * as oidc from 'openid-client';

const sheet = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const person = sheet.people[0];
const client = sheet.clients[0];
const jwk = JSON.parse(readFileSync(client.jwks_private, 'utf8')).keys[0];
const key = await crypto.subtle.importKey('jwk', jwk, {name: 'ECDSA', namedCurve: 'P-256'}, false, ['sign']);
const redirectUri = new URL('/demo/portal/callback', sheet.url).href;

const config = await oidc.discovery(new URL(sheet.url), client.client_id, {},
  oidc.PrivateKeyJwt({key, kid: jwk.kid}), {execute: [oidc.allowInsecureRequests]});

// browse follows redirects with cookies until somebody must act, or until the way
// leads back to the relying party.
const cookies = new Map();
async function browse(url, form) {
  for(let hop = 0; hop < 10; hop++) {
    const answer = await fetch(url, {
      method: form ? 'POST' : 'GET', body: form && new URLSearchParams(form), redirect: 'manual',
      headers: {cookie: [...cookies].map(pair => pair.join('=')).join('; ')}
    });
    for(const line of answer.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
      cookies.set(name, value);
    }
    if(answer.status < 300 || answer.status >= 400) {
      return {url: new URL(url), page: await answer.text(), status: answer.status};
    }
    url = new URL(answer.headers.get('location'), url);
    form = undefined;
    if(url.href.startsWith(redirectUri)) {
      return {url};
    }
  }
  throw new Error('too many redirects');
}

async function login(withPushedRequest) {
  const verifier = oidc.randomPKCECodeVerifier();
  const parameters = {
    redirect_uri: redirectUri, scope: 'openid profile email', state: oidc.randomState(), nonce: oidc.randomNonce(),
    code_challenge: await oidc.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256'
  };
  const begin = withPushedRequest ?
    await oidc.buildAuthorizationUrlWithPAR(config, parameters) : oidc.buildAuthorizationUrl(config, parameters);
  let at = await browse(begin);
  const steps = [['/oidc/login/method', {method: 'code'}], ['/oidc/login', {identifier: person.uin}], ['/oidc/login/code', {code: '111111'}]];
  const consent = ['/oidc/login/consent', [['decision', 'allow'], ['claim', 'name'], ['claim', 'email']]];
  for(const [path, fields] of [...steps, consent]) {
    const visit = /name="visit" value="([^"]+)"/.exec(at.page ?? '');
    if(!visit) {
      break; // consent was given before
    }
    at = await browse(new URL(path, sheet.url), [...Object.entries(Array.isArray(fields) ? {} : fields),
      ...(Array.isArray(fields) ? fields : []), ['visit', visit[1]]]);
  }
  const tokens = await oidc.authorizationCodeGrant(config, at.url, {
    pkceCodeVerifier: verifier, expectedNonce: parameters.nonce, expectedState: parameters.state, idTokenExpected: true
  });
  const claims = await oidc.fetchUserInfo(config, tokens.access_token, tokens.claims().sub);
  if(claims.name !== person.name || claims.email !== person.email) {
    throw new Error(`userinfo says ${claims.name}, ${claims.email}`);
  }
  return claims.sub;
}

let answer;
try {
  const subjects = [await login(false), await login(true)];
  answer = {logged_in: subjects[0] === subjects[1], logins: subjects.length};
} catch(error) {
  answer = {logged_in: false, reason: error.message, cause: String(error.cause?.error ?? error.cause ?? '')};
}
console.log(JSON.stringify(answer));
process.exitCode = answer.logged_in ? 0 : 1;
