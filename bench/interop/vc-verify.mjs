// Checks an ldp_vc with Digital Bazaar's libraries, without the network.
// Usage: node vc-verify.mjs VC.json WORLD.json, where WORLD.json holds
// {"contexts": {url: document}, "didDocument": {…}}. One line of JSON; exit 0 or 1.
import {readFileSync} from 'node:fs';
import {DataIntegrityProof} from '@digitalbazaar/data-integrity';
import {cryptosuite} from '@digitalbazaar/eddsa-rdfc-2022-cryptosuite';
import * as vc from '@digitalbazaar/vc';

const read = path => JSON.parse(readFileSync(path, 'utf8'));

function loader({contexts, didDocument}) {
  const known = new Map(Object.entries(contexts));
  known.set(didDocument.id, didDocument);
  for(const method of didDocument.verificationMethod) {
    known.set(method.id, {'@context': 'https://w3id.org/security/multikey/v1', ...method});
  }
  return async url => {
    const document = known.get(url);
    // W3C's own contexts come with the library, not from us.
    return document ? {contextUrl: null, documentUrl: url, document} : vc.defaultDocumentLoader(url);
  };
}

function reasons(error) {
  return error ? [error.message, ...(error.errors ?? []).flatMap(reasons)] : [];
}

let answer;
try {
  const [credentialFile, worldFile] = process.argv.slice(2);
  const result = await vc.verifyCredential({
    credential: read(credentialFile),
    suite: new DataIntegrityProof({cryptosuite}),
    documentLoader: loader(read(worldFile)),
    // The signature is asked about here; the status needs the published list.
    checkStatus: async () => ({verified: true})
  });
  answer = {verified: result.verified, reasons: reasons(result.error)};
} catch(error) {
  answer = {verified: false, reasons: reasons(error)};
}
console.log(JSON.stringify(answer));
process.exitCode = answer.verified ? 0 : 1;
