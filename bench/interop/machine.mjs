// Speaks to the endpoints of machines with npm's oauth4webapi: client credentials
// bound by DPoP, introspection (plain and signed), revocation, and signals (SSF).
// Usage: node machine.mjs demo.json PLINTH.
import {execFileSync} from 'node:child_process';
import {createRemoteJWKSet, exportJWK, generateKeyPair, jwtVerify} from 'jose';
import * as oauth from 'oauth4webapi';
import {must, report, sheet} from './person.mjs';

const insecure = {[oauth.allowInsecureRequests]: true};
const {publicKey, privateKey} = await generateKeyPair('ES256', {extractable: true});
const metadata = {
  client_name: 'A machine by oauth4webapi', plinth_profile: 'fapi2', redirect_uris: ['https://rp.example/callback'], scope: 'openid ssf.manage',
  grant_types: ['authorization_code', 'client_credentials'], token_endpoint_auth_method: 'private_key_jwt', introspection_signed_response_alg: 'ES256',
  jwks: {keys: [{...await exportJWK(publicKey), kid: 'one', use: 'sig', alg: 'ES256'}]}
};

await report(async () => {
  const made = JSON.parse(execFileSync(process.argv[3], ['client', 'add'], {input: JSON.stringify(metadata), encoding: 'utf8'}));
  const issuer = new URL(sheet.url);
  const as = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, insecure));
  const client = {client_id: made.client_id};
  const auth = oauth.PrivateKeyJwt({key: privateKey, kid: 'one'});
  const DPoP = oauth.DPoP(client, await oauth.generateKeyPair('ES256'));

  const granted = await oauth.processClientCredentialsResponse(as, client,
    await oauth.clientCredentialsGrantRequest(as, client, auth, {scope: 'ssf.manage'}, {DPoP, ...insecure}));
  must(granted.token_type === 'dpop', `the token is of type ${granted.token_type}`);

  const look = async requestJwt => oauth.processIntrospectionResponse(as,
    {...client, introspection_signed_response_alg: 'ES256'}, await oauth.introspectionRequest(as, client, auth, granted.access_token, {requestJwtResponse: requestJwt, ...insecure}));
  for(const signed of [false, true]) {
    const seen = await look(signed);
    must(seen.active && seen.client_id === made.client_id && seen.cnf?.jkt, `introspection says ${JSON.stringify(seen)}`);
  }

  const call = (method, path, body) => oauth.protectedResourceRequest(granted.access_token, method, new URL(path, sheet.url), new Headers({'content-type': 'application/json'}),
    body && JSON.stringify(body), {DPoP, ...insecure});
  const ssf = await (await fetch(new URL('/.well-known/ssf-configuration', sheet.url))).json();
  const stream = await (await call('POST', ssf.configuration_endpoint, {})).json();
  must((await call('POST', ssf.verification_endpoint, {stream_id: stream.stream_id, state: 'hello'})).status === 204, 'no verification');
  const {sets} = await (await call('POST', stream.delivery.endpoint_url, {})).json();
  const [set] = Object.values(sets);
  const {payload} = await jwtVerify(set, createRemoteJWKSet(new URL(ssf.jwks_uri)), {issuer: ssf.issuer, audience: made.client_id, typ: 'secevent+jwt'});
  must(payload.events['https://schemas.openid.net/secevent/ssf/event-type/verification'].state === 'hello', 'another state');

  await oauth.processRevocationResponse(await oauth.revocationRequest(as, client, auth, granted.access_token, insecure));
  must(!(await look(false)).active, 'the token lives on');
  return {introspected: true, signals: true, revoked: true};
});
