// Reads our token status list with @sd-jwt/jwt-status-list, has @sd-jwt/sd-jwt-vc take
// a credential by it, and refuse one whose list was changed on the way.
// Usage: node status.mjs demo.json plinth. One line of JSON; exit 0 or 1.
import {execFileSync} from 'node:child_process';
import {createHash, verify, X509Certificate} from 'node:crypto';
import {mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import * as jose from 'jose';
import {getListFromStatusListJWT, getStatusListFromJWT} from '@sd-jwt/jwt-status-list';
import {SDJwtVcInstance} from '@sd-jwt/sd-jwt-vc';
import {must, person, report} from './person.mjs';

const [, , , plinth] = process.argv;
const work = mkdtempSync(join(tmpdir(), 'status-'));

// signedBy checks a token by the certificate that came with it; that this one is
// of an authority is asked elsewhere (mdoc.mjs, sdjwt.mjs).
async function signedBy(token, typ) {
  const header = jose.decodeProtectedHeader(token);
  must(header.typ === typ, `typ is ${header.typ}`);
  const leaf = new X509Certificate(Buffer.from(header.x5c[0], 'base64'));
  return (await jose.jwtVerify(token, leaf.publicKey)).payload;
}

async function listAt(uri) {
  const answer = await fetch(uri, {headers: {accept: 'application/statuslist+jwt'}});
  must(answer.ok && answer.headers.get('content-type') === 'application/statuslist+jwt', `the list came as ${answer.headers.get('content-type')}`);
  const token = await answer.text();
  const payload = await signedBy(token, 'statuslist+jwt');
  must(payload.sub === uri, `the list is about ${payload.sub}`);
  return {token, payload};
}

await report(async () => {
  const file = join(work, 'card');
  execFileSync(plinth, ['issue', '--uin', person.uin, '--format', 'dc+sd-jwt', '-o', file], {stdio: 'ignore'});
  const card = readFileSync(file, 'utf8').trim();
  const token = card.split('~')[0];
  await signedBy(token, 'dc+sd-jwt');
  const {uri, idx} = getStatusListFromJWT(token);
  const {token: list, payload} = await listAt(uri);
  const statuses = getListFromStatusListJWT(list);
  must(statuses.getBitsPerStatus() === payload.status_list.bits, 'bits differ');
  must(statuses.getStatus(idx) === 0, `a new credential has the status ${statuses.getStatus(idx)}`);

  const leaf = new X509Certificate(Buffer.from(jose.decodeProtectedHeader(token).x5c[0], 'base64'));
  const verifier = async (data, signature) => verify('sha256', Buffer.from(data),
    {key: leaf.publicKey, dsaEncoding: 'ieee-p1363'}, Buffer.from(signature, 'base64url'));
  const read = statusListFetcher => new SDJwtVcInstance({
    verifier, statusVerifier: verifier, statusListFetcher, hashAlg: 'sha-256',
    hasher: (data, alg) => createHash(alg.replace('-', '')).update(data).digest()
  }).verify(card);
  const {payload: claims} = await read(async at => (await listAt(at)).token);
  must(claims.vct, 'no type');
  // Only the issuer may revoke: a list that says so and was not signed is refused.
  const changed = await read(async () => {
    statuses.setStatus(idx, 1);
    const body = {...payload, status_list: {bits: statuses.getBitsPerStatus(), lst: statuses.compressStatusList()}};
    const parts = list.split('.');
    return [parts[0], Buffer.from(JSON.stringify(body)).toString('base64url'), parts[2]].join('.');
  }).then(() => 'taken', error => error.message);
  must(changed !== 'taken', 'a changed list was taken');
  return {list: uri, index: idx, bits: statuses.getBitsPerStatus(), entries: statuses.statusList.length, changed};
}).finally(() => rmSync(work, {recursive: true}));
