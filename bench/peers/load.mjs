// Measures a peer: starts it, has several clients work at once, and divides what was
// done by the processor time of the server. Usage: node load.mjs [SECONDS] [WORKERS].
// A line of JSON for each kind of work, like those of plinth bench oidc.
import {spawn} from 'node:child_process';
import {createHash, randomBytes, randomUUID} from 'node:crypto';
import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {exportJWK, generateKeyPair, SignJWT} from 'jose';

const seconds = Number(process.argv[2] ?? 10), workers = Number(process.argv[3] ?? 4);
const port = 18399, issuer = `http://localhost:${port}`, callback = 'https://rp.example/callback';
const {publicKey, privateKey} = await generateKeyPair('ES256', {extractable: true});
const bound = await generateKeyPair('ES256', {extractable: true});
const boundKey = await exportJWK(bound.publicKey);
const folder = mkdtempSync(join(tmpdir(), 'peers-'));
const party = (client_id, more) => ({
  client_id, redirect_uris: [callback], token_endpoint_auth_method: 'private_key_jwt', token_endpoint_auth_signing_alg: 'ES256', id_token_signed_response_alg: 'ES256',
  grant_types: ['authorization_code', 'refresh_token', 'client_credentials'], jwks: {keys: [{...publicJwk, kid: 'one', use: 'sig', alg: 'ES256'}]}, ...more
});
const publicJwk = await exportJWK(publicKey);
writeFileSync(join(folder, 'clients.json'), JSON.stringify([party('rp'), party('fapi', {require_pushed_authorization_requests: true, dpop_bound_access_tokens: true})]));

const server = spawn(process.execPath, ['server.mjs', String(port), join(folder, 'clients.json')], {cwd: import.meta.dirname, stdio: ['ignore', 'pipe', 'ignore']});
process.on('exit', () => { server.kill(); rmSync(folder, {recursive: true, force: true}); });
await new Promise((ready, gone) => { server.stdout.once('data', ready); server.once('exit', () => gone(new Error('the server has ended'))); });

// processorSeconds is what the server has used so far (proc(5): user and system time).
const processorSeconds = () => {
  const fields = readFileSync(`/proc/${server.pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
};

const signed = (claims, header, key) => new SignJWT(claims).setProtectedHeader(header).setIssuedAt().setJti(randomUUID()).setExpirationTime('1m').sign(key);
const assertion = id => signed({iss: id, sub: id, aud: issuer}, {alg: 'ES256', kid: 'one'}, privateKey);
const proof = (method, path, token) => new SignJWT({htm: method, htu: issuer + path, ...(token && {ath: createHash('sha256').update(token).digest('base64url')})})
  .setProtectedHeader({alg: 'ES256', typ: 'dpop+jwt', jwk: boundKey}).setIssuedAt().setJti(randomUUID()).sign(bound.privateKey);

async function post(path, id, form, headers = {}) {
  const answer = await fetch(issuer + path, {method: 'POST', headers, body: new URLSearchParams({...form, client_id: id,
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer', client_assertion: await assertion(id)})});
  const body = await answer.json();
  if(!answer.ok) {
    throw new Error(`${path}: ${JSON.stringify(body)}`);
  }
  return body;
}

// login clicks through the peer's own pages.
async function login(begin) {
  const cookies = new Map();
  let url = begin, form;
  for(let hop = 0; hop < 12; hop++) {
    const answer = await fetch(url, {method: form ? 'POST' : 'GET', body: form && new URLSearchParams(form), redirect: 'manual',
      headers: {cookie: [...cookies].map(c => c.join('=')).join('; ')}});
    for(const line of answer.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
      cookies.set(name, value);
    }
    if(answer.status >= 300 && answer.status < 400) {
      await answer.arrayBuffer();
      url = new URL(answer.headers.get('location'), issuer).href;
      form = undefined;
      if(url.startsWith(callback)) {
        return new URL(url).searchParams;
      }
      continue;
    }
    const page = await answer.text();
    form = page.includes('name="login"') ? {prompt: 'login', login: `person-${randomBytes(2).toString('hex')}`, password: 'x'} : {prompt: 'consent'};
    url = new URL(/action="([^"]+)"/.exec(page)[1], issuer).href;
  }
  throw new Error('the login does not end');
}

async function flow(id, strict) {
  const verifier = randomBytes(32).toString('base64url');
  let query = {client_id: id, response_type: 'code', redirect_uri: callback, scope: 'openid profile email', state: 's', nonce: 'n',
    code_challenge: createHash('sha256').update(verifier).digest('base64url'), code_challenge_method: 'S256'};
  if(strict) {
    query = {client_id: id, request_uri: (await post('/request', id, query)).request_uri};
  }
  const code = (await login(`${issuer}/auth?${new URLSearchParams(query)}`)).get('code');
  return post('/token', id, {grant_type: 'authorization_code', code, redirect_uri: callback, code_verifier: verifier}, strict ? {DPoP: await proof('POST', '/token')} : {});
}

let token;
const works = {
  code: () => flow('rp', false),
  fapi: () => flow('fapi', true),
  machine: () => post('/token', 'rp', {grant_type: 'client_credentials'}),
  userinfo: async () => {
    token ??= (await flow('rp', false)).access_token;
    const answer = await fetch(`${issuer}/me`, {headers: {authorization: `Bearer ${token}`}});
    if(!(await answer.json()).name) {
      throw new Error('no name');
    }
  }
};

for(const [what, work] of Object.entries(works)) {
  await work(); // warm
  const from = processorSeconds(), end = Date.now() + seconds * 1000;
  let done = 0, errors = 0;
  await Promise.all(Array.from({length: workers}, async () => {
    while(Date.now() < end) {
      await work().then(() => done++, error => { errors++; if(errors === 1) console.error(String(error)); });
    }
  }));
  const used = processorSeconds() - from;
  console.log(JSON.stringify({what: `node-oidc-provider ${what}`, per_cpu_second: Math.round(done / used), per_second: Math.round(done / seconds), done, errors, note: 'in memory'}));
}
process.exit(0);
