// Checks an mdoc (IssuerSigned in base64url, what `plinth issue --format mso_mdoc` gives
// it) with @owf/mdoc against the certificate of its authority, and refuses a changed
// one. With the holder's key it also shows the document as OpenID4VP asks for it, and
// checks that. Usage: node mdoc.mjs ISSUED.txt ROOT.pem [HOLDER-KEY.pem [RESPONSE.cbor]].
// One line of JSON; exit 0 or 1.
import {createPrivateKey, X509Certificate} from 'node:crypto';
import {readFileSync, writeFileSync} from 'node:fs';
import {CoseKey, DeviceRequest, DeviceResponse, DocRequest, Holder, IssuerSigned, ItemsRequest, SessionTranscript} from '@owf/mdoc';
import {ctx} from './isomdl.mjs';

const refused = async (what, work) => {
  try {
    await work();
  } catch {
    return;
  }
  throw new Error(what + ' was taken');
};

let answer;
try {
  const [issuedFile, rootFile, holderFile, responseFile] = process.argv.slice(2);
  const issued = readFileSync(issuedFile, 'utf8').trim();
  const trustedCertificates = [new Uint8Array(new X509Certificate(readFileSync(rootFile)).raw)];
  const check = text => Holder.verifyIssuerSigned({issuerSigned: text, trustedCertificates}, ctx);
  await check(issued);
  const bytes = Buffer.from(issued, 'base64url');
  bytes[bytes.lastIndexOf('elementIdentifier') - 1] ^= 1; // the end of the last value
  await refused('a changed element', () => check(bytes.toString('base64url')));
  answer = {passed: true};

  if(holderFile) {
    const jwk = createPrivateKey(readFileSync(holderFile)).export({format: 'jwk'});
    const signingKey = CoseKey.fromJwk({...jwk, alg: jwk.crv === 'P-384' ? 'ES384' : 'ES256'});
    const document = IssuerSigned.decode(new Uint8Array(Buffer.from(issued, 'base64url')));
    const [namespace, items] = [...document.issuerNamespaces.issuerNamespaces][0];
    const name = items[0].elementIdentifier;
    const docType = document.issuerAuth.mobileSecurityObject.docType;
    const deviceRequest = DeviceRequest.create({docRequests: [DocRequest.create({itemsRequest: ItemsRequest.create({docType, namespaces: {[namespace]: {[name]: false}}})})]});
    const session = {clientId: 'x509_san_dns:verifier.example', nonce: 'a nonce of this request', responseUri: 'https://verifier.example/response'};
    const sessionTranscript = await SessionTranscript.forOid4Vp(session, ctx);
    const response = await Holder.createDeviceResponseForDeviceRequest({deviceRequest, sessionTranscript, issuerSigned: [document], signature: {signingKey}}, ctx);
    await DeviceResponse.decode(response.encode()).verify({deviceRequest, sessionTranscript, trustedCertificates}, ctx);
    if(responseFile) writeFileSync(responseFile, response.encode());
    answer = {...answer, presented: name, session: Buffer.from(sessionTranscript.encode()).toString('hex')};
  }
} catch(error) {
  answer = {passed: false, reason: error.message};
}
console.log(JSON.stringify(answer));
process.exitCode = answer.passed ? 0 : 1;
