// Presentations (OpenID4VP 1.0) with npm's @openid4vc/openid4vp on the other side. As a
// wallet it reads our requests and answers them in each format; as a verifier it asks
// `plinth wallet present`. The package dcql says what must match.
// Usage: node vp.mjs demo.json plinth. One line of JSON; exit 0 or 1.
import {execFile, execFileSync} from 'node:child_process';
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
import {byCode, callbacks, fetchAll, keys, newKey, offer, run} from './holder.mjs';
import {ctx} from './isomdl.mjs';
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
const privateHalf = async jwk => ({...await jose.exportJWK(keys.get(jwk.x)), alg: 'ES256'});
const sdjwt = key => new SDJwtVcInstance({
  hasher: (data, alg) => createHash(alg.replace('-', '')).update(data).digest(), hashAlg: 'sha-256',
  verifier: async (data, signature) => verify('sha256', Buffer.from(data), {key: leafKey, ...ieee}, Buffer.from(signature, 'base64url')),
  kbSignAlg: 'ES256', kbSigner: key && (data => sign('sha256', Buffer.from(data), {key: createPrivateKey({key, format: 'jwk'}), ...ieee}).toString('base64url')),
  kbVerifier: async (data, signature, payload) => verify('sha256', Buffer.from(data), {key: createPublicKey({key: payload.cnf.jwk, format: 'jwk'}), ...ieee}, Buffer.from(signature, 'base64url')),
  statusListFetcher: async uri => (await fetch(uri, {headers: {accept: 'application/statuslist+jwt'}})).text(),
  statusVerifier: async (data, signature) => verify('sha256', Buffer.from(data), {key: leafKey, ...ieee}, Buffer.from(signature, 'base64url'))
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
    show: async ({credential, key}, {claims}, {client_id: aud, nonce}) => sdjwt(await privateHalf(key)).present(credential,
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
        signature: {signingKey: CoseKey.fromJwk(await privateHalf(key))}
      }, ctx);
      return Buffer.from(response.encode()).toString('base64url');
    },
    check: async (shown, request, {claims, meta}) => {
      const response = DeviceResponse.decode(new Uint8Array(Buffer.from(shown, 'base64url')));
      const namespaces = {};
      for(const {path: [space, element]} of claims) {
        (namespaces[space] ??= {})[element] = false;
      }
      await response.verify({deviceRequest: asked(meta.doctype_value, namespaces), sessionTranscript: await transcript(request), trustedCertificates}, ctx);
      return described(response.documents[0].issuerSigned);
    }
  },
  'ldp_vc': {
    id: 'ld', configuration: 'national_id_ldp_vc',
    held: async ({credential}) => linked(credential),
    show: async ({credential, key}, _, {client_id: domain, nonce: challenge}) => {
      const did = credential.credentialSubject.id;
      const {document} = await di('present', {...await world(credential), domain, challenge, holder: {key: await privateHalf(key), controller: did, method: `${did}#0`}});
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
  return SessionTranscript.forOid4Vp({clientId, nonce, responseUri, jwkThumbprint}, ctx);
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

// token is of a relying party that may be told what was shown.
const token = (() => {
  let granted;
  return () => granted ??= (async () => {
    const made = JSON.parse(execFileSync(plinth, ['client', 'add'], {encoding: 'utf8', input: JSON.stringify({
      client_name: 'A counter of the interop run', plinth_profile: 'oidc', redirect_uris: ['https://rp.example/callback'], scope: 'openid vp.request',
      grant_types: ['authorization_code', 'client_credentials'], token_endpoint_auth_method: 'client_secret_basic'
    })}));
    const {token_endpoint: endpoint} = await get(sheet.url + '/.well-known/openid-configuration');
    const answer = await (await fetch(endpoint, {
      method: 'POST', headers: {authorization: 'Basic ' + Buffer.from(`${made.client_id}:${made.client_secret}`).toString('base64')},
      body: new URLSearchParams({grant_type: 'client_credentials', scope: 'vp.request'})
    })).json();
    must(answer.access_token, `no token: ${JSON.stringify(answer)}`);
    return answer.access_token;
  })();
})();

// answered takes a request of our verifier through the peer's wallet.
async function answered(kind, held, terms, change = request => request) {
  const made = await (await fetch(sheet.url + '/vp/requests', {
    method: 'POST', headers: {'content-type': 'application/json', authorization: `Bearer ${await token()}`}, body: JSON.stringify({preset: 'identity', ...terms})
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

// asVerifier has `plinth wallet` receive a card of each format, and asks for each: by a
// signed request under a did:jwk, and by one that is not signed. dcql says whether what
// came is what was asked for.
async function asVerifier() {
  const verifier = new Openid4vpVerifier({callbacks: vpCallbacks});
  const signer = await newKey();
  const did = `did:jwk:${Buffer.from(JSON.stringify(signer.publicJwk)).toString('base64url')}`;
  const desk = await counter();
  process.env.PLINTH_WALLET_PASSPHRASE = 'a wallet of the interop run';
  const file = `--file=${join(work, 'wallet')}`;
  for(const {configuration} of Object.values(kinds)) {
    run(['wallet', file, 'receive', offer('--kind', configuration).link]);
  }
  let count = 0;
  for(const [format, kind] of Object.entries(kinds)) {
    for(const signed of [true, false]) {
      const sealing = await jose.generateKeyPair('ECDH-ES', {crv: 'P-256', extractable: true});
      const jwk = {...await jose.exportJWK(sealing.publicKey), kid: randomBytes(8).toString('hex'), alg: 'ECDH-ES', use: 'enc'};
      keys.set(jwk.kid, {privateKey: sealing.privateKey, publicJwk: jwk});
      const payload = {
        response_type: 'vp_token', response_mode: 'direct_post.jwt', response_uri: desk.url + '/answer', nonce: randomBytes(16).toString('base64url'),
        client_id: signed ? `decentralized_identifier:${did}` : `redirect_uri:${desk.url}/answer`, state: randomBytes(8).toString('hex'), dcql_query: query(format),
        client_metadata: {client_name: 'A verifier by openid4vp', jwks: {keys: [jwk]}, encrypted_response_enc_values_supported: ['A256GCM'], vp_formats_supported: formats}
      };
      const made = await verifier.createOpenId4vpAuthorizationRequest({
        authorizationRequestPayload: payload, ...signed && {jar: {
          requestUri: desk.url + '/request', expiresInSeconds: 300, additionalJwtPayload: {aud: 'https://self-issued.me/v2'},
          jwtSigner: {method: 'did', alg: 'ES256', didUrl: `${did}#0`, publicJwk: signer.publicJwk}
        }}
      });
      desk.request = made.jar?.authorizationRequestJwt;
      await promisify(execFile)(plinth, ['wallet', file, 'present', made.authorizationRequest, '--yes']);
      const answer = await verifier.parseOpenid4vpAuthorizationResponse({
        authorizationResponse: desk.answer, authorizationRequestPayload: payload, callbacks: vpCallbacks
      });
      must(answer.expectedNonce === payload.nonce && answer.dcql, `${kind.id}: ${JSON.stringify(answer)}`);
      const {presentations} = answer.dcql;
      const [shown] = [presentations[kind.id]].flat();
      const wanted = payload.dcql_query.credentials[0];
      const seen = await kind.check(shown, payload, wanted);
      const {can_be_satisfied: good, credential_matches: matches} = DcqlPresentationResult.fromDcqlPresentation({[kind.id]: [seen]}, {dcqlQuery: DcqlQuery.parse(payload.dcql_query)});
      must(good && matches[kind.id].success, `${kind.id}: dcql says ${JSON.stringify(matches)}`);
      must(JSON.stringify(seen).includes(person.name), `${kind.id} is of somebody else`);
      // Nothing may leave that was not asked for; an ldp_vc of this suite is whole.
      must(format === 'ldp_vc' || !JSON.stringify(seen).includes(person.email), `${kind.id} shows more than was asked for`);
      const other = await kind.check(shown, {...payload, nonce: 'another'}, wanted).then(() => 'taken', () => 'refused');
      must(other === 'refused', `${kind.id}: it was shown for any nonce`);
      count++;
    }
  }
  return count;
}

const formats = {
  'dc+sd-jwt': {'sd-jwt_alg_values': ['ES256'], 'kb-jwt_alg_values': ['ES256']},
  mso_mdoc: {issuerauth_alg_values: [-7], deviceauth_alg_values: [-7]},
  ldp_vc: {proof_type_values: ['DataIntegrityProof'], cryptosuite_values: ['eddsa-rdfc-2022', 'ecdsa-rdfc-2019']}
};

function query(format) {
  const path = (...steps) => ({path: steps});
  const asks = {
    'dc+sd-jwt': {meta: {vct_values: [sheet.url + '/vct/national_id']}, claims: [path('name'), path('birthdate')]},
    mso_mdoc: {meta: {doctype_value: 'org.plinth.national_id.1'}, claims: [path('org.plinth.1', 'full_name'), path('org.iso.23220.1', 'birth_date')]},
    ldp_vc: {meta: {type_values: [['https://plinth.id/vocab#NationalID']]}, claims: [path('credentialSubject', 'fullName')]}
  };
  return {credentials: [{id: kinds[format].id, format, ...asks[format]}]};
}

// counter is where the verifier's request is fetched and its answer comes in.
async function counter() {
  const desk = {server: createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) {
      body += chunk;
    }
    if(request.url === '/answer') {
      desk.answer = Object.fromEntries(new URLSearchParams(body));
      return response.setHeader('content-type', 'application/json').end('{}');
    }
    return response.setHeader('content-type', 'application/oauth-authz-req+jwt').end(desk.request);
  })};
  await new Promise(ready => desk.server.listen(0, '127.0.0.1', ready));
  desk.server.unref(); // the process may end while it listens
  desk.url = `http://localhost:${desk.server.address().port}`;
  return desk;
}

await report(async () => {
  return {answered: await asWallet(), asked: await asVerifier()};
}).finally(() => rmSync(work, {recursive: true}));
