// Signs, shows and verifies credentials and presentations with Digital Bazaar's suites,
// without the network. Usage: node suites.mjs verify|sign|derive WORLD.json, where
// WORLD.json holds {"document": {…}, "suite": "…", "contexts": {url: document}, "challenge",
// "domain", "pointers": […], "key": {"publicKeyMultibase", "secretKeyMultibase"}}.
// One line of JSON; exit 0 or 1.
import {readFileSync} from 'node:fs';
import {DataIntegrityProof} from '@digitalbazaar/data-integrity';
import * as EcdsaMultikey from '@digitalbazaar/ecdsa-multikey';
import {cryptosuite as ecdsa} from '@digitalbazaar/ecdsa-rdfc-2019-cryptosuite';
import * as sd from '@digitalbazaar/ecdsa-sd-2023-cryptosuite';
import {cryptosuite as eddsa} from '@digitalbazaar/eddsa-rdfc-2022-cryptosuite';
import * as vc from '@digitalbazaar/vc';

const [step, file] = process.argv.slice(2);
const world = JSON.parse(readFileSync(file, 'utf8'));
const isPresentation = world.document.type.includes('VerifiablePresentation');

const documentLoader = async url => {
  const found = document => ({contextUrl: null, documentUrl: url, document});
  if (world.contexts[url]) return found(world.contexts[url]);
  if (!url.startsWith('did:key:')) return vc.defaultDocumentLoader(url);
  const [did] = url.split('#');
  const key = did.slice('did:key:'.length);
  const id = `${did}#${key}`;
  const method = {'@context': 'https://w3id.org/security/multikey/v1', id, type: 'Multikey', controller: did, publicKeyMultibase: key};
  return found(url.includes('#') ? method : {
    '@context': ['https://www.w3.org/ns/did/v1', 'https://w3id.org/security/multikey/v1'], id: did,
    verificationMethod: [method], assertionMethod: [id], authentication: [id]
  });
};

const checkers = {'eddsa-rdfc-2022': () => eddsa, 'ecdsa-rdfc-2019': () => ecdsa, 'ecdsa-sd-2023': () => sd.createVerifyCryptosuite()};
const reasons = error => error ? [error.message, ...(error.errors ?? []).flatMap(reasons)] : [];

const steps = {
  async verify() {
    const suite = [...new Set([world.suite, 'eddsa-rdfc-2022'])].map(name => new DataIntegrityProof({cryptosuite: checkers[name]()}));
    const checkStatus = async () => ({verified: true}); // the status needs the published list
    const result = isPresentation ?
      await vc.verify({presentation: world.document, suite, documentLoader, checkStatus, challenge: world.challenge, domain: world.domain}) :
      await vc.verifyCredential({credential: world.document, suite, documentLoader, checkStatus});
    return {verified: result.verified, reason: reasons(result.error).join('; ')};
  },
  async sign() {
    const did = `did:key:${world.key.publicKeyMultibase}`;
    const key = await EcdsaMultikey.from({'@context': 'https://w3id.org/security/multikey/v1', type: 'Multikey',
      id: `${did}#${world.key.publicKeyMultibase}`, controller: did, ...world.key});
    const cryptosuite = world.suite === 'ecdsa-sd-2023' ? sd.createSignCryptosuite({mandatoryPointers: world.pointers}) : ecdsa;
    const suite = new DataIntegrityProof({signer: key.signer(), cryptosuite});
    const document = isPresentation ?
      await vc.signPresentation({presentation: world.document, suite, documentLoader, challenge: world.challenge, domain: world.domain}) :
      await vc.issue({credential: world.document, suite, documentLoader});
    return {verified: true, document};
  },
  async derive() {
    const suite = new DataIntegrityProof({cryptosuite: sd.createDiscloseCryptosuite({selectivePointers: world.pointers})});
    return {verified: true, document: await vc.derive({verifiableCredential: world.document, suite, documentLoader})};
  }
};

let answer;
try {
  answer = await steps[step]();
} catch (error) {
  answer = {verified: false, reason: reasons(error).join('; ')};
}
console.log(JSON.stringify(answer));
process.exitCode = answer.verified ? 0 : 1;
