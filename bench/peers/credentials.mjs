// Measures peers that issue and verify credentials, in this process: Digital Bazaar's
// @digitalbazaar/vc with eddsa-rdfc-2022, and @sd-jwt/sd-jwt-vc with 13 disclosures.
// Usage: node credentials.mjs SAMPLE.json [ROUNDS] [SECONDS], where SAMPLE.json is what
// `plinth bench verify --sample` writes. A line of JSON each, like those of that command.
import {createHash, generateKeyPairSync, randomBytes, sign, verify} from 'node:crypto';
import {readFileSync} from 'node:fs';
import {DataIntegrityProof} from '@digitalbazaar/data-integrity';
import * as Ed25519Multikey from '@digitalbazaar/ed25519-multikey';
import {cryptosuite} from '@digitalbazaar/eddsa-rdfc-2022-cryptosuite';
import * as vc from '@digitalbazaar/vc';
import {SDJwtVcInstance} from '@sd-jwt/sd-jwt-vc';

const {credential, contexts, claims} = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const rounds = Number(process.argv[3] ?? 3), seconds = Number(process.argv[4] ?? 0.7);
const {proof, ...bare} = credential;

const controller = bare.issuer.id ?? bare.issuer;
const pair = await Ed25519Multikey.generate({controller, id: `${controller}#key`});
const method = {'@context': 'https://w3id.org/security/multikey/v1', ...await pair.export({publicKey: true})};
const known = new Map([...Object.entries(contexts), [pair.id, method], [controller, {
  '@context': ['https://www.w3.org/ns/did/v1', 'https://w3id.org/security/multikey/v1'], id: controller, verificationMethod: [method], assertionMethod: [pair.id]
}]]);
const documentLoader = async url => {
  const document = known.get(url);
  return document ? {contextUrl: null, documentUrl: url, document} : vc.defaultDocumentLoader(url);
};
const issued = () => vc.issue({credential: structuredClone(bare), suite: new DataIntegrityProof({signer: pair.signer(), cryptosuite}), documentLoader});
const whole = await issued();

const {privateKey, publicKey} = generateKeyPairSync('ec', {namedCurve: 'P-256'});
const holder = generateKeyPairSync('ec', {namedCurve: 'P-256'}).publicKey.export({format: 'jwk'});
const ieee = {dsaEncoding: 'ieee-p1363'};
const instance = new SDJwtVcInstance({
  signer: async data => sign('sha256', Buffer.from(data), {key: privateKey, ...ieee}).toString('base64url'), signAlg: 'ES256',
  verifier: async (data, signature) => verify('sha256', Buffer.from(data), {key: publicKey, ...ieee}, Buffer.from(signature, 'base64url')),
  hasher: (data, alg) => createHash(alg.replace('-', '')).update(data).digest(), hashAlg: 'sha-256', saltGenerator: () => randomBytes(16).toString('base64url')
});
const frame = {_sd: Object.keys(claims)};
const token = () => instance.issue({iss: 'https://id.example.org', vct: 'https://id.example.org/vct/1', iat: 1, cnf: {jwk: holder}, ...claims}, frame);
const given = await token();

const works = {
  'ldp_vc signed, @digitalbazaar/vc': issued,
  'ldp_vc verified, @digitalbazaar/vc': async () => {
    const {verified, error} = await vc.verifyCredential({
      credential: whole, suite: new DataIntegrityProof({cryptosuite}), documentLoader, checkStatus: async () => ({verified: true})
    });
    if(!verified) {
      throw error;
    }
  },
  'dc+sd-jwt issued, 13 disclosures, @sd-jwt/sd-jwt-vc': token,
  'dc+sd-jwt verified, 13 disclosures, @sd-jwt/sd-jwt-vc': () => instance.verify(given)
};

// Processor time of the whole process: what its helpers use counts.
async function perSecond(work) {
  await work();
  const from = process.cpuUsage();
  for(let n = 1; ; n++) {
    await work();
    const {user, system} = process.cpuUsage(from);
    if(user + system >= seconds * 1e6) {
      return n * 1e6 / (user + system);
    }
  }
}

const seen = Object.fromEntries(Object.keys(works).map(what => [what, []]));
for(const work of Object.values(works)) {
  await perSecond(work); // what is compiled on the way is compiled then
}
for(let round = 0; round < rounds; round++) {
  for(const [what, work] of Object.entries(works)) {
    seen[what].push(await perSecond(work));
  }
}
for(const [what, rates] of Object.entries(seen)) {
  rates.sort((a, b) => a - b);
  const row = {what, per_cpu_second: rates[rates.length >> 1], low: rates[0], high: rates.at(-1)};
  console.error(`${what.padEnd(54)} ${row.per_cpu_second.toFixed(0).padStart(10)} per CPU-second (${row.low.toFixed(0)} to ${row.high.toFixed(0)})`);
  console.log(JSON.stringify(row));
}
