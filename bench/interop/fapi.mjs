// Logs somebody in with npm's openid-client by FAPI 2.0: with the Security Profile
// (PAR, PKCE, private_key_jwt, DPoP, refresh), then with Message Signing (JAR, JARM)
// on top. Usage: node fapi.mjs demo.json PLINTH.
import {execFileSync} from 'node:child_process';
import {exportJWK, generateKeyPair} from 'jose';
import * as oidc from 'openid-client';
import {login, must, person, report, sheet} from './person.mjs';

const plinth = process.argv[3];
const redirectUri = 'https://rp.example/callback';

// party registers a relying party of a profile.
async function party(profile) {
  const {publicKey, privateKey} = await generateKeyPair('ES256', {extractable: true});
  const metadata = {
    client_name: 'FAPI by openid-client', plinth_profile: profile, redirect_uris: [redirectUri], scope: 'openid profile email offline_access',
    grant_types: ['authorization_code', 'refresh_token'], token_endpoint_auth_method: 'private_key_jwt',
    jwks: {keys: [{...await exportJWK(publicKey), kid: 'one', use: 'sig', alg: 'ES256'}]}
  };
  const made = JSON.parse(execFileSync(plinth, ['client', 'add'], {input: JSON.stringify(metadata), encoding: 'utf8'}));
  const config = await oidc.discovery(new URL(sheet.url), made.client_id,
    {authorization_signed_response_alg: 'ES256', id_token_signed_response_alg: 'ES256', dpop_bound_access_tokens: true},
    oidc.PrivateKeyJwt({key: privateKey, kid: 'one'}), {execute: [oidc.allowInsecureRequests]});
  return {config, privateKey, dpop: {DPoP: oidc.getDPoPHandle(config, await oidc.randomDPoPKeyPair('ES256'))}};
}

async function flow({config, privateKey, dpop}, signed) {
  const verifier = oidc.randomPKCECodeVerifier();
  let parameters = {
    redirect_uri: redirectUri, scope: 'openid profile email offline_access', prompt: 'consent', state: oidc.randomState(), nonce: oidc.randomNonce(),
    code_challenge: await oidc.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256'
  };
  const {state, nonce} = parameters;
  if(signed) {
    parameters = (await oidc.buildAuthorizationUrlWithJAR(config, parameters, {key: privateKey, kid: 'one'})).searchParams;
  }
  const begin = await oidc.buildAuthorizationUrlWithPAR(config, parameters, dpop);
  const tokens = await oidc.authorizationCodeGrant(config, await login(begin, redirectUri),
    {pkceCodeVerifier: verifier, expectedNonce: nonce, expectedState: state, idTokenExpected: true}, undefined, dpop);
  must(tokens.token_type === 'dpop', `the token is of type ${tokens.token_type}`);
  const info = await oidc.fetchUserInfo(config, tokens.access_token, tokens.claims().sub, dpop);
  must(info.name === person.name, `userinfo says ${info.name}`);
  const fresh = await oidc.refreshTokenGrant(config, tokens.refresh_token, undefined, dpop);
  must((await oidc.fetchUserInfo(config, fresh.access_token, info.sub, dpop)).sub === info.sub, 'the refreshed token is of another');
  const bare = await oidc.fetchUserInfo(config, fresh.access_token, info.sub).then(() => true, () => false);
  must(!bare, 'a bound token was taken without its proof');
}

await report(async () => {
  await flow(await party('fapi2'), false);
  const strict = await party('fapi2-ms');
  oidc.useJwtResponseMode(strict.config);
  await flow(strict, true);
  return {profiles: ['fapi2', 'fapi2-ms']};
});
