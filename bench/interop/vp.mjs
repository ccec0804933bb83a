// Presentations (OpenID4VP 1.0) with npm's @openid4vc/openid4vp on the other side. As a
// wallet it reads our requests and answers them in each format; as a verifier it asks
// `plinth wallet present`. The package dcql says what must match.
// Usage: node vp.mjs demo.json plinth. One line of JSON; exit 0 or 1.
import {execFile} from 'node:child_process';
import {createHash, createPrivateKey, createPublicKey, randomBytes, sign, verify, X509Certificate} from 'node:crypto';
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {createServer} from 'node:http';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {promisify} from 'node:util';
import {DcqlPresentationResult, DcqlQuery} from 'dcql';
import * as jose from 'jose';
import {Openid4vpClient, Openid4vpVerifier} from '@openid4vc/openid4vp';
import {CoseKey, DeviceRequest, DeviceResponse, DocRequest, Holder, IssuerSigned, ItemsRequest, SessionTranscript} from '@owf/mdoc';
import {SDJwtVcInstance} from '@sd-jwt/sd-jwt-vc';
import {byCode, callbacks, fetchAll, keys, offer, run} from './holder.mjs';
import {context} from './mdoc.mjs';
import {must, person, report, sheet} from './person.mjs';

const [, , , plinth] = process.argv;
const work = mkdtempSync(join(tmpdir(), 'vp-'));
const get = async url => (await fetch(url)).json();
const {issuers: [issuer]} = await get(sheet.url + '/.well-known/plinth-trust.json');
const trustedCertificates = issuer.x509.map(der => new Uint8Array(Buffer.from(der, 'base64')));

// A did:web is where its name says; the demo has it without TLS.
async function keyOf(didUrl) {
  const [did] = didUrl.split('#');
  const [host, ...path] = did.slice('did:web:'.length).split(':').map(decodeURIComponent);
  const document = await get(`http://${host}/${path.length ? path.join('/') : '.well-known'}/did.json`);
  const method = document.verificationMethod.find(m => m.id === didUrl);
  must(method, `${did} has no key ${didUrl}`);
  return method.publicKeyJwk;
}

const vpCallbacks = {
  ...callbacks,
  verifyJwt: async (signer, jwt) => {
    const publicJwk = signer.method === 'did' ? await keyOf(signer.didUrl) : signer.publicJwk;
    return callbacks.verifyJwt({...signer, publicJwk}, jwt);
  },
  encryptJwe: async ({publicJwk, enc, alg}, data) => ({encryptionJwk: publicJwk, jwe: await new jose.CompactEncrypt(new TextEncoder().encode(data))
    .setProtectedHeader({alg, enc, kid: publicJwk.kid}).encrypt(await jose.importJWK(publicJwk, alg))}),
  decryptJwe: async jwe => {
    const {kid} = jose.decodeProtectedHeader(jwe);
    const mine = keys.get(kid);
    const {plaintext} = await jose.compactDecrypt(jwe, mine.privateKey);
    return {decrypted: true, decryptionJwk: mine.publicJwk, payload: new TextDecoder().decode(plaintext)};
  }
};

const ieee = {dsaEncoding: 'ieee-p1363'};
const private_ = async jwk => ({...await jose.exportJWK(keys.get(jwk.x)), alg: 'ES256'});
const sdjwt = key => new SDJwtVcInstance({
  hasher: (data, alg) => createHash(alg.replace('-', '')).update(data).digest(), hashAlg: 'sha-256',
  verifier: async (data, signature) => verify('sha256', Buffer.from(data), {key: leafKey, ...ieee}, Buffer.from(signature, 'base64url')),
  kbSignAlg: 'ES256', kbSigner: key && (data => sign('sha256', Buffer.from(data), {key: createPrivateKey({key, format: 'jwk'}), ...ieee}).toString('base64url')),
  kbVerifier: async (data, signature, payload) => verify('sha256', Buffer.from(data), {key: createPublicKey({key: payload.cnf.jwk, format: 'jwk'}), ...ieee}, Buffer.from(signature, 'base64url')),
  // The status is asked about in status.mjs.
  statusListFetcher: async () => { throw new Error('not asked for'); }
});
let leafKey;
const leafOf = token => new X509Certificate(Buffer.from(jose.decodeProtectedHeader(token.split('~')[0]).x5c[0], 'base64')).publicKey;

// kinds are the formats: how each is asked for, held, shown and checked.
const kinds = {
  'dc+sd-jwt': {
    id: 'card', configuration: 'national_id_sd_jwt',
    held: async ({credential}) => {
      leafKey = leafOf(credential);
      const claims = await sdjwt().getClaims(credential);
      return {credential_format: 'dc+sd-jwt', vct: claims.vct, claims, cryptographic_holder_binding: true};
    },
    show: async ({credential, key}, {claims}, {client_id: aud, nonce}) => sdjwt(await private_(key)).present(credential,
      Object.fromEntries(claims.map(({path: [name]}) => [name, true])), {kb: {payload: {iat: Math.floor(Date.now() / 1000), aud, nonce}}}),
    check: async (shown, {client_id, nonce}) => {
      leafKey = leafOf(shown);
      const {kb} = await sdjwt().verify(shown, {keyBindingNonce: nonce});
      must(kb.payload.aud === client_id, `shown to ${kb.payload.aud}`);
      const {vct, ...claims} = await sdjwt().getClaims(shown);
      return {credential_format: 'dc+sd-jwt', vct, claims, cryptographic_holder_binding: true};
    }
  },
  'mso_mdoc': {
    id: 'mdoc', configuration: 'national_id_mdoc',
    held: async ({credential}) => described(IssuerSigned.decode(new Uint8Array(Buffer.from(credential, 'base64url')))),
    show: async ({credential, key}, {claims, meta}, request) => {
      const namespaces = {};
      for(const {path: [space, element]} of claims) {
        (namespaces[space] ??= {})[element] = false;
      }
      const response = await Holder.createDeviceResponseForDeviceRequest({
        deviceRequest: asked(meta.doctype_value, namespaces), sessionTranscript: await transcript(request),
        issuerSigned: [IssuerSigned.decode(new Uint8Array(Buffer.from(credential, 'base64url')))],
        signature: {signingKey: CoseKey.fromJwk(await private_(key))}
      }, context);
      return Buffer.from(response.encode()).toString('base64url');
    },
    check: async (shown, request, {claims, meta}) => {
      const response = DeviceResponse.decode(new Uint8Array(Buffer.from(shown, 'base64url')));
      const namespaces = {};
      for(const {path: [space, element]} of claims) {
        (namespaces[space] ??= {})[element] = false;
      }
      await response.verify({deviceRequest: asked(meta.doctype_value, namespaces), sessionTranscript: await transcript(request), trustedCertificates}, context);
      return described(response.documents[0].issuerSigned);
    }
  },
  'ldp_vc': {
    id: 'ld', configuration: 'national_id_ldp_vc',
    held: async ({credential}) => linked(credential),
    show: async ({credential, key}, _, {client_id: domain, nonce: challenge}) => {
      const did = credential.credentialSubject.id;
      const {document} = await di('present', {...await world(credential), domain, challenge, holder: {key: await private_(key), controller: did, method: `${did}#0`}});
      return document;
    },
    check: async (shown, {client_id: domain, nonce: challenge}) => {
      const credential = [shown.verifiableCredential].flat()[0];
      const [did] = shown.proof.verificationMethod.split('#');
      const holder = {multikey: did.slice('did:key:'.length), controller: did, method: shown.proof.verificationMethod};
      await di('receive', {...await world(credential), document: shown, domain, challenge, holder});
      return linked(credential);
    }
  }
};

const asked = (docType, namespaces) => DeviceRequest.create({docRequests: [DocRequest.create({itemsRequest: ItemsRequest.create({docType, namespaces})})]});
const described = document => ({
  credential_format: 'mso_mdoc', doctype: document.issuerAuth.mobileSecurityObject.docType, cryptographic_holder_binding: true,
  namespaces: Object.fromEntries([...document.issuerNamespaces.issuerNamespaces].map(([space, items]) =>
    [space, Object.fromEntries(items.map(item => [item.elementIdentifier, String(item.elementValue)]))]))
});
const linked = credential => ({
  credential_format: 'ldp_vc', type: ['https://www.w3.org/2018/credentials#VerifiableCredential', 'https://plinth.id/vocab#NationalID'],
  claims: credential, cryptographic_holder_binding: true
});

// transcript ties an mdoc to a request: its answer is sealed, so to the key for that too.
async function transcript({client_id: clientId, nonce, response_uri: responseUri, response_mode: mode, client_metadata: metadata}) {
  const jwkThumbprint = mode === 'direct_post.jwt' ? new Uint8Array(Buffer.from(await jose.calculateJwkThumbprint(metadata.jwks.keys[0]), 'base64url')) : undefined;
  return SessionTranscript.forOid4Vp({clientId, nonce, responseUri, jwkThumbprint}, context);
}

async function world(credential) {
  const method = issuer.keys.find(k => k.id === credential.proof.verificationMethod);
  const own = `${sheet.url}/contexts/identity/v1`;
  return {document: credential, multikey: method.publicKeyMultibase, controller: issuer.id, method: method.id, contexts: {[own]: await get(own)}};
}

async function di(step, about) {
  const file = join(work, 'world.json');
  writeFileSync(file, JSON.stringify(about));
  try {
    return JSON.parse((await promisify(execFile)(process.execPath, [join(import.meta.dirname, 'di.mjs'), step, file])).stdout);
  } catch(error) {
    throw new Error(`${step}: ${JSON.parse(error.stdout).reason}`);
  }
}

// answered takes a request of our verifier through the peer's wallet.
async function answered(kind, held, terms, change = request => request) {
  const made = await (await fetch(sheet.url + '/vp/requests', {
    method: 'POST', headers: {'content-type': 'application/json'}, body: JSON.stringify({preset: 'identity', ...terms})
  })).json();
  const client = new Openid4vpClient({callbacks: vpCallbacks});
  const {params} = client.parseOpenid4vpAuthorizationRequest({authorizationRequest: made.link});
  const {authorizationRequestPayload: request, client: who} = await client.resolveOpenId4vpAuthorizationRequest({authorizationRequestPayload: params});
  must(who.effective === made.client_id, `the request is by ${who.effective}`);
  const query = DcqlQuery.parse(request.dcql_query);
  DcqlQuery.validate(query);
  const found = DcqlQuery.query(query, [await kind.held(held)]);
  must(found.can_be_satisfied && found.credential_matches[kind.id].success, `dcql: no match for ${kind.id}`);
  const wanted = query.credentials.find(c => c.id === kind.id);
  const vp_token = {[kind.id]: [await kind.show(held, wanted, change(request))]};
  const sealed = request.response_mode === 'direct_post.jwt';
  const response = await client.createOpenid4vpAuthorizationResponse({
    authorizationRequestPayload: request, authorizationResponsePayload: {vp_token},
    ...sealed && {jarm: {encryption: {nonce: randomBytes(16).toString('base64url')},
      serverMetadata: {authorization_encryption_alg_values_supported: ['ECDH-ES'], authorization_encryption_enc_values_supported: ['A256GCM', 'A128GCM']}}}
  });
  const {response: taken} = await client.submitOpenid4vpAuthorizationResponse({
    authorizationRequestPayload: request, authorizationResponsePayload: response.authorizationResponsePayload, jarm: response.jarm
  });
  const result = await (await fetch(`${sheet.url}/vp/requests/${made.id}`, {headers: {authorization: `Bearer ${made.secret}`}})).json();
  return {taken: taken.status, result};
}

async function asWallet() {
  let count = 0;
  for(const kind of Object.values(kinds)) {
    const {client, credentialOffer, issuerMetadata, token} = await byCode(made => made.link, '--kind', kind.configuration);
    const [held] = await fetchAll(client, issuerMetadata, credentialOffer, token);
    for(const terms of [{}, {response_mode: 'direct_post', request_uri_method: 'get'}, {client_id_prefix: 'redirect_uri'}]) {
      const {taken, result} = await answered(kind, held, terms);
      must(taken === 200 && JSON.stringify(result).includes(person.name), `${kind.id}, ${JSON.stringify(terms)}: ${taken} ${JSON.stringify(result)}`);
      must(result.accepted ?? result.verdict === 'valid', `${kind.id}: ${JSON.stringify(result)}`);
      count++;
    }
    const {taken, result} = await answered(kind, held, {}, request => ({...request, nonce: 'one of another request'}));
    must(taken !== 200 || !JSON.stringify(result).includes(person.name), `${kind.id}: another nonce was taken: ${JSON.stringify(result)}`);
  }
  return count;
}

await report(async () => {
  return {answered: await asWallet()};
}).finally(() => rmSync(work, {recursive: true}));
