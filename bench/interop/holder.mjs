// A wallet made of npm's @openid4vc/openid4vci: its keys, and how it fetches credentials.
import {execFileSync} from 'node:child_process';
import {createHash, randomBytes} from 'node:crypto';
import * as jose from 'jose';
import {Openid4vciClient} from '@openid4vc/openid4vci';
import {clientAuthenticationAnonymous, setGlobalConfig} from '@openid4vc/oauth2';
import {must, person} from './person.mjs';

setGlobalConfig({allowInsecureUrls: true}); // the demo is on localhost
const [, , , plinth] = process.argv;
export const run = (args, input) => JSON.parse(execFileSync(plinth, args, {input, encoding: 'utf8'}));
export const offer = (...more) => run(['offer', '--uin', person.uin, ...more]);

// keys are by the first coordinate of their public halves.
export const keys = new Map();
export async function newKey() {
  const {publicKey, privateKey} = await jose.generateKeyPair('ES256', {extractable: true});
  const jwk = await jose.exportJWK(publicKey);
  keys.set(jwk.x, privateKey);
  return {method: 'jwk', alg: 'ES256', publicJwk: jwk};
}

export const callbacks = {
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

export const wallet = clientAuthentication => new Openid4vciClient({callbacks: {...callbacks, clientAuthentication}});

// byCode takes up an offer that is told apart by a code.
export async function byCode(withCode, ...more) {
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

// fetchAll proves a number of keys and fetches a credential for each.
export async function fetchAll(client, issuerMetadata, credentialOffer, {accessTokenResponse, dpop}, {copies = 1, clientId} = {}) {
  const id = credentialOffer.credential_configuration_ids[0];
  const accessToken = accessTokenResponse.access_token;
  const nonce = accessTokenResponse.c_nonce && !issuerMetadata.credentialIssuer.nonce_endpoint ?
    accessTokenResponse.c_nonce : (await client.requestNonce({issuerMetadata})).c_nonce;
  const jwts = [], holders = [];
  for(let n = 0; n < copies; n++) {
    const signer = await newKey();
    holders.push(signer.publicJwk);
    const {jwt} = await client.createCredentialRequestJwtProof({
      issuerMetadata, credentialConfigurationId: id, nonce, clientId, signer
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
  return got.map((credential, n) => ({credential, key: holders[n]}));
}
