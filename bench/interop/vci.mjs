// A wallet made of npm's @openid4vc/openid4vci fetches credentials of each format: by a
// pre-authorized code with a transaction code, in batches, by a login, and as a wallet of
// draft 13 would.
// Usage: node vci.mjs demo.json plinth [file for one credential].
import {randomBytes} from 'node:crypto';
import {writeFileSync} from 'node:fs';
import {clientAuthenticationNone} from '@openid4vc/oauth2';
import {byCode, fetchAll, newKey, offer, run, wallet} from './holder.mjs';
import {login, must, report} from './person.mjs';

const [, , , , out] = process.argv;

async function preAuthorized(kind, link) {
  const {client, credentialOffer, issuerMetadata, token} = await byCode(link, '--kind', kind);
  const got = await fetchAll(client, issuerMetadata, credentialOffer, token, {copies: 5});
  must(new Set(got.map(c => holderOf(c.credential))).size === 5, 'copies share a key');
  return got[0].credential;
}

// holderOf is whom a credential is bound to; in an mdoc this stands deep, so there it
// is all of it.
function holderOf(credential) {
  if(credential.credentialSubject) {
    return credential.credentialSubject.id;
  }
  const [, payload] = credential.split('.');
  return payload ? JSON.parse(Buffer.from(payload, 'base64url')).cnf.jwk.x : credential;
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
    const [{credential: one}] = await fetchAll(client, issuerMetadata, credentialOffer, token);
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
  const one = await preAuthorized('national_id_ldp_vc', made => made.link);
  await preAuthorized('national_id_sd_jwt', made => made.value);
  await preAuthorized('national_id_mdoc', made => made.link);
  await byLogin();
  const formats = await everyKind();
  const dialect = await draft13();
  if(out) {
    writeFileSync(out, JSON.stringify(one));
  }
  return {flows: 5, dialect, formats};
});
