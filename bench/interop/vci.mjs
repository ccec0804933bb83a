// A wallet made of npm's @openid4vc/openid4vci fetches credentials: by a pre-authorized
// code with a transaction code, by a login, and as a wallet of draft 13 would.
// Usage: node vci.mjs demo.json plinth [file for one credential].
import {execFileSync} from 'node:child_process';
import {createHash, randomBytes} from 'node:crypto';
import {writeFileSync} from 'node:fs';
import * as jose from 'jose';
import {Openid4vciClient} from '@openid4vc/openid4vci';
import {clientAuthenticationAnonymous, clientAuthenticationNone, setGlobalConfig} from '@openid4vc/oauth2';
import {login, must, person, report, sheet} from './person.mjs';

const [, , , plinth, out] = process.argv;
setGlobalConfig({allowInsecureUrls: true}); // the demo is on localhost
const run = (args, input) => JSON.parse(execFileSync(plinth, args, {input, encoding: 'utf8'}));
const offer = (...more) => run(['offer', '--uin', person.uin, ...more]);

const keys = new Map();
async function newKey() {
  const {publicKey, privateKey} = await jose.generateKeyPair('ES256', {extractable: true});
  const jwk = await jose.exportJWK(publicKey);
  keys.set(jwk.x, privateKey);
  return {method: 'jwk', alg: 'ES256', publicJwk: jwk};
}

const callbacks = {
  hash: (data, alg) => createHash(alg.replace('-', '')).update(data).digest(),
  generateRandom: n => randomBytes(n),
  signJwt: async (signer, {header, payload}) => ({
    jwt: await new jose.SignJWT(payload).setProtectedHeader(header).sign(keys.get(signer.publicJwk.x)), signerJwk: signer.publicJwk
  }),
  verifyJwt: async (signer, {compact}) => {
    const {payload} = await jose.jwtVerify(compact, await jose.importJWK(signer.publicJwk, signer.alg));
    return {verified: Boolean(payload), signerJwk: signer.publicJwk};
  },
  decryptJwe: () => ({decrypted: false}),
  encryptJwe: () => { throw new Error('not asked for'); }
};
const wallet = clientAuthentication => new Openid4vciClient({callbacks: {...callbacks, clientAuthentication}});

// fetchAll proves a number of keys and fetches a credential for each.
async function fetchAll(client, issuerMetadata, credentialOffer, {accessTokenResponse, dpop}, {copies = 1, clientId} = {}) {
  const id = credentialOffer.credential_configuration_ids[0];
  const accessToken = accessTokenResponse.access_token;
  const nonce = accessTokenResponse.c_nonce && !issuerMetadata.credentialIssuer.nonce_endpoint ?
    accessTokenResponse.c_nonce : (await client.requestNonce({issuerMetadata})).c_nonce;
  const jwts = [];
  for(let n = 0; n < copies; n++) {
    const {jwt} = await client.createCredentialRequestJwtProof({
      issuerMetadata, credentialConfigurationId: id, nonce, clientId, signer: await newKey()
    });
    jwts.push(jwt);
  }
  const older = !issuerMetadata.credentialIssuer.nonce_endpoint;
  const proofs = older ? {proof: {proof_type: 'jwt', jwt: jwts[0]}} : {proofs: {jwt: jwts}};
  const {credentialResponse, dpop: next} = await client.retrieveCredentials({issuerMetadata, accessToken, credentialConfigurationId: id, dpop, ...proofs});
  const got = credentialResponse.credentials?.map(c => c.credential) ?? [credentialResponse.credential];
  must(got.length === copies && got.every(Boolean), `${got.length} credentials for ${copies} keys`);
  const notification = {notificationId: credentialResponse.notification_id, event: 'credential_accepted'};
  await client.sendNotification({issuerMetadata, accessToken, dpop: {...dpop, ...next}, notification});
  return got;
}

async function byCode(withCode, ...more) {
  const client = wallet(clientAuthenticationAnonymous());
  const made = offer('--tx-code', 'text:8', ...more);
  const credentialOffer = await client.resolveCredentialOffer(withCode(made));
  const issuerMetadata = await client.resolveIssuerMetadata(credentialOffer.credential_issuer);
  const token = await client.retrievePreAuthorizedCodeAccessTokenFromOffer({
    credentialOffer, issuerMetadata, txCode: made.tx_code, dpop: {signer: await newKey()}
  });
  must(token.accessTokenResponse.token_type === 'DPoP', 'the token is not bound');
  must(token.accessTokenResponse.refresh_token, 'there is no refresh token to top up with');
  return {client, credentialOffer, issuerMetadata, token};
}

async function preAuthorized(link) {
  const {client, credentialOffer, issuerMetadata, token} = await byCode(link);
  const got = await fetchAll(client, issuerMetadata, credentialOffer, token, {copies: 5});
  must(new Set(got.map(c => c.credentialSubject.id)).size === 5, 'copies share a key');
  return got[0];
}

// everyKind fetches one of every configuration that the metadata names.
async function everyKind() {
  const {issuerMetadata: {credentialIssuer}} = await byCode(made => made.link);
  const formats = new Set();
  for(const [id, {format, proof_types_supported: proofs}] of Object.entries(credentialIssuer.credential_configurations_supported)) {
    if(!proofs) {
      continue; // bound to no key
    }
    const {client, credentialOffer, issuerMetadata, token} = await byCode(made => made.value, '--kind', id);
    const [one] = await fetchAll(client, issuerMetadata, credentialOffer, token);
    must(typeof one === (format === 'ldp_vc' ? 'object' : 'string'), `${id} is a ${typeof one}`);
    formats.add(format);
  }
  return [...formats];
}

async function draft13() {
  const {client, credentialOffer, issuerMetadata, token} = await byCode(made =>
    `openid-credential-offer://?credential_offer_uri=${encodeURIComponent(made.page.replace('/vci/offer/', '/vci/draft13/offer/'))}`);
  must(issuerMetadata.originalDraftVersion !== 'V1', `taken for ${issuerMetadata.originalDraftVersion}`);
  await fetchAll(client, issuerMetadata, credentialOffer, token);
  return issuerMetadata.originalDraftVersion;
}

async function byLogin() {
  const redirectUri = 'http://127.0.0.1:18099/back';
  const {client_id: clientId} = run(['client', 'add'], JSON.stringify({
    client_name: 'A wallet by openid4vci', redirect_uris: [redirectUri], token_endpoint_auth_method: 'none',
    grant_types: ['authorization_code'], scope: 'national_id', plinth_profile: 'oidc'
  }));
  const client = wallet(clientAuthenticationNone({clientId}));
  const credentialOffer = await client.resolveCredentialOffer(offer('--no-code').value);
  const issuerMetadata = await client.resolveIssuerMetadata(credentialOffer.credential_issuer);
  const signer = await newKey();
  const begun = await client.initiateAuthorization({
    credentialOffer, issuerMetadata, clientId, redirectUri, scope: 'national_id', state: randomBytes(16).toString('hex'), dpop: {signer}
  });
  must(begun.authorizationRequestUrl.includes('request_uri='), 'the request was not pushed');
  const back = await login(begun.authorizationRequestUrl, redirectUri, []);
  const answer = client.parseAndVerifyAuthorizationResponseRedirectUrl({
    url: back.href, authorizationServerMetadata: issuerMetadata.authorizationServers[0]
  });
  must(answer.code, answer.error_description ?? 'there is no code');
  const token = await client.retrieveAuthorizationCodeAccessTokenFromOffer({
    issuerMetadata, credentialOffer, authorizationCode: answer.code, pkceCodeVerifier: begun.pkce?.codeVerifier, redirectUri, dpop: {signer}
  });
  await fetchAll(client, issuerMetadata, credentialOffer, token, {copies: 2, clientId});
}

await report(async () => {
  const one = await preAuthorized(made => made.link);
  await preAuthorized(made => made.value);
  await byLogin();
  const formats = await everyKind();
  const dialect = await draft13();
  if(out) {
    writeFileSync(out, JSON.stringify(one));
  }
  return {flows: 4, dialect, formats};
});
