// Signs, discloses, shows and verifies with Digital Bazaar's Data Integrity suites,
// without the network. Usage: node di.mjs sign|disclose|present|verify|receive WORLD.json,
// where WORLD.json holds {"suite": "eddsa-rdfc-2022", "key": JWK (or "multikey": "z…", if
// it is only to be known), "controller": DID,
// "method": "…#1", "document": {…}, "contexts": {url: document}, "pointers": ["/…"],
// "holder": {"key", "controller", "method"}, "challenge": "…", "domain": "…",
// "created": time of proofs, "now": time of checks}.
// One line of JSON; exit 0 or 1.
import {readFileSync} from 'node:fs';
import {DataIntegrityProof} from '@digitalbazaar/data-integrity';
import * as EcdsaMultikey from '@digitalbazaar/ecdsa-multikey';
import * as sd from '@digitalbazaar/ecdsa-sd-2023-cryptosuite';
import {cryptosuite as ecdsa} from '@digitalbazaar/ecdsa-rdfc-2019-cryptosuite';
import * as Ed25519Multikey from '@digitalbazaar/ed25519-multikey';
import {cryptosuite as eddsa} from '@digitalbazaar/eddsa-rdfc-2022-cryptosuite';
import * as vc from '@digitalbazaar/vc';

const [step, file] = process.argv.slice(2);
const world = JSON.parse(readFileSync(file, 'utf8'));

// pair is a key by the names that others know it by.
async function pair({key, multikey, controller, method}) {
  if(multikey) { // the public half
    const library = multikey.startsWith('z6Mk') ? Ed25519Multikey : EcdsaMultikey;
    return library.from({'@context': 'https://w3id.org/security/multikey/v1', type: 'Multikey', id: method, controller, publicKeyMultibase: multikey});
  }
  const library = key.kty === 'OKP' ? Ed25519Multikey : EcdsaMultikey;
  const made = await library.fromJwk({jwk: key, secretKey: Boolean(key.d)});
  return Object.assign(made, {id: method, controller});
}

async function loader() {
  const known = new Map(Object.entries(world.contexts ?? {}));
  for(const party of [world, world.holder].filter(Boolean)) {
    const exported = await (await pair(party)).export({publicKey: true});
    const method = {'@context': 'https://w3id.org/security/multikey/v1', ...exported, id: party.method, controller: party.controller};
    known.set(party.method, method);
    known.set(party.controller, {
      '@context': ['https://www.w3.org/ns/did/v1', 'https://w3id.org/security/multikey/v1'], id: party.controller,
      verificationMethod: [method], assertionMethod: [party.method], authentication: [party.method]
    });
  }
  return async url => {
    const document = known.get(url);
    // W3C's own contexts come with the library.
    return document ? {contextUrl: null, documentUrl: url, document} : vc.defaultDocumentLoader(url);
  };
}

const documentLoader = await loader();
const simple = {'eddsa-rdfc-2022': eddsa, 'ecdsa-rdfc-2019': ecdsa};
const signing = async (party, suite) => new DataIntegrityProof({
  signer: (await pair(party)).signer(), date: world.created,
  cryptosuite: simple[suite] ?? sd.createSignCryptosuite({mandatoryPointers: ['/issuer', '/validUntil']})
});
const checking = ['eddsa-rdfc-2022', 'ecdsa-rdfc-2019', 'ecdsa-sd-2023'].map(name =>
  new DataIntegrityProof({cryptosuite: simple[name] ?? sd.createVerifyCryptosuite()}));
// The signature is asked about here; the status needs the published list.
const checkStatus = async () => ({verified: true});
const now = world.now ? new Date(world.now) : new Date();

function verdict(result) {
  const reasons = error => error ? [error.message, ...(error.errors ?? []).flatMap(reasons)] : [];
  return {verified: result.verified, reason: reasons(result.error).join('; ')};
}

const steps = {
  sign: async () => ({document: await vc.issue({credential: world.document, suite: await signing(world, world.suite), documentLoader})}),
  disclose: async () => ({document: await vc.derive({
    verifiableCredential: world.document, documentLoader,
    suite: new DataIntegrityProof({cryptosuite: sd.createDiscloseCryptosuite({selectivePointers: world.pointers})})
  })}),
  present: async () => ({document: await vc.signPresentation({
    presentation: vc.createPresentation({verifiableCredential: [world.document], holder: world.holder.controller, verify: false, version: 2.0}),
    suite: await signing(world.holder, world.holder.key?.kty === 'OKP' ? 'eddsa-rdfc-2022' : 'ecdsa-rdfc-2019'),
    challenge: world.challenge, domain: world.domain, documentLoader
  })}),
  verify: async () => verdict(await vc.verifyCredential({credential: world.document, suite: checking, documentLoader, checkStatus, now})),
  receive: async () => verdict(await vc.verify({
    presentation: world.document, suite: checking, challenge: world.challenge, domain: world.domain, documentLoader, checkStatus, now
  }))
};

try {
  const answer = await steps[step]();
  console.log(JSON.stringify(answer));
  process.exitCode = answer.verified === false ? 1 : 0;
} catch(error) {
  console.log(JSON.stringify({verified: false, reason: error.message}));
  process.exitCode = 1;
}
