// What @owf/mdoc leaves to the platform: hashes, signatures and certificates, by Node.
import {createHash, createPrivateKey, createPublicKey, randomBytes, sign, verify, X509Certificate} from 'node:crypto';
import {CoseKey} from '@owf/mdoc';

const der = key => ({key: createPublicKey({format: 'jwk', key: key.jwk}), dsaEncoding: 'ieee-p1363'});
const hash = key => key.jwk.crv === 'P-384' ? 'sha384' : 'sha256';
const certificate = raw => new X509Certificate(raw);
export const ctx = {
  crypto: {
    random: n => new Uint8Array(randomBytes(n)),
    digest: ({digestAlgorithm, bytes}) => new Uint8Array(createHash(digestAlgorithm.replace('-', '')).update(bytes).digest()),
  },
  cose: {sign1: {
    sign: ({toBeSigned, key}) => new Uint8Array(sign(hash(key), toBeSigned, {key: createPrivateKey({format: 'jwk', key: key.jwk}), dsaEncoding: 'ieee-p1363'})),
    verify: ({key, sign1}) => verify(hash(key), sign1.toBeSigned, der(key), sign1.signature),
  }},
  x509: {
    getIssuerNameField: ({certificate: raw, field}) => certificate(raw).issuer.split('\n').filter(l => l.startsWith(field + '=')).map(l => l.slice(field.length + 1)),
    getPublicKey: ({certificate: raw}) => CoseKey.fromJwk(certificate(raw).publicKey.export({format: 'jwk'})),
    verifyCertificateChain: ({trustedCertificates, x5chain}) => {
      if(!trustedCertificates.some(root => certificate(x5chain[0]).verify(certificate(root).publicKey))) throw new Error('another issuer');
    },
    getCertificateData: ({certificate: raw}) => {
      const c = certificate(raw);
      return {issuerName: c.issuer, subjectName: c.subject, serialNumber: c.serialNumber, thumbprint: c.fingerprint, notBefore: new Date(c.validFrom), notAfter: new Date(c.validTo), pem: c.toString()};
    },
  },
};
