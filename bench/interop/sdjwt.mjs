// Issues, presents and verifies SD-JWT VCs with @sd-jwt/sd-jwt-vc, without the network.
// Usage: node sdjwt.mjs issue|present|verify WORLD.json, where WORLD.json holds
// {"issuer": JWK, "holder": JWK, "claims": {…}, "frame": {…}, "show": {…}, "token": "…",
// "aud": "…", "nonce": "…", "iat": 0}. One line of JSON; exit 0 or 1.
import {createHash, createPrivateKey, createPublicKey, randomBytes, sign, verify} from 'node:crypto';
import {readFileSync} from 'node:fs';
import {SDJwtVcInstance} from '@sd-jwt/sd-jwt-vc';

const [step, file] = process.argv.slice(2);
const world = JSON.parse(readFileSync(file, 'utf8'));
const options = {dsaEncoding: 'ieee-p1363'};
const signer = jwk => async data => sign('sha256', Buffer.from(data), {key: createPrivateKey({key: jwk, format: 'jwk'}), ...options}).toString('base64url');
const verifier = jwk => async (data, signature) =>
  verify('sha256', Buffer.from(data), {key: createPublicKey({key: jwk, format: 'jwk'}), ...options}, Buffer.from(signature, 'base64url'));
const half = ({d, ...rest}) => rest; // the public one

const instance = new SDJwtVcInstance({
  signer: world.issuer.d && signer(world.issuer),
  verifier: verifier(half(world.issuer)),
  signAlg: 'ES256',
  hasher: (data, alg) => createHash(alg.replace('-', '')).update(data).digest(),
  hashAlg: 'sha-256',
  saltGenerator: () => randomBytes(16).toString('base64url'),
  kbSigner: world.holder?.d && signer(world.holder),
  kbSignAlg: 'ES256',
  kbVerifier: async (data, signature, payload) => verifier(payload.cnf.jwk)(data, signature)
});

const steps = {
  issue: async () => ({token: await instance.issue({...world.claims, cnf: {jwk: half(world.holder)}}, world.frame, {header: {kid: '1'}})}),
  present: async () => ({
    token: await instance.present(world.token, world.show, {kb: {payload: {iat: world.iat, aud: world.aud, nonce: world.nonce}}})
  }),
  verify: async () => {
    const {payload, kb} = await instance.verify(world.token, world.nonce ? {keyBindingNonce: world.nonce} : undefined);
    if (world.aud && kb?.payload.aud !== world.aud) throw new Error('another audience');
    return {verified: true, claims: payload};
  }
};

try {
  console.log(JSON.stringify(await steps[step]()));
} catch (error) {
  console.log(JSON.stringify({verified: false, reason: error.message}));
  process.exitCode = 1;
}
