// A client of the Secure Biometric Interface that shares no code with ours drives
// our simulated devices: jose verifies what they sign, Node's own crypto opens what
// they seal and follows the chain of hashes. Usage: node sbi.mjs
// ../../plinth. One line of JSON; exit 0 or 1.
import {execFileSync, spawn} from 'node:child_process';
import {constants, createDecipheriv, createHash, privateDecrypt, X509Certificate} from 'node:crypto';
import {copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {compactVerify, importX509} from 'jose';

const plinth = process.argv[2];
const work = mkdtempSync(join(tmpdir(), 'sbi-'));
const devices = [];
const assert = (holds, what) => { if (!holds) throw new Error(what); };
const sha = (...parts) => parts.reduce((h, p) => h.update(p), createHash('sha256')).digest();

const start = (...args) => new Promise((resolve, reject) => {
  const device = spawn(plinth, ['device', join(work, 'pictures'), '--modality', 'finger', ...args]);
  devices.push(device);
  let said = '';
  device.stdout.on('data', d => { said += d; if (said.includes('\n')) resolve(JSON.parse(said)); });
  device.on('exit', () => reject(new Error('the device has ended')));
});

const ask = async (service, method, path, body) => (await fetch(service + path, {method, body: JSON.stringify(body)})).json();

// verified checks a JWS with the first certificate of its header, and that
// certificate with the one that is trusted.
const verified = async (jws, trusted) => {
  const {x5c} = JSON.parse(Buffer.from(jws.split('.')[0], 'base64url'));
  const certificate = new X509Certificate(Buffer.from(x5c[0], 'base64'));
  assert(certificate.verify(new X509Certificate(readFileSync(trusted)).publicKey), 'another issuer');
  const {payload, protectedHeader} = await compactVerify(jws, await importX509(certificate.toString(), 'RS256'), {algorithms: ['RS256']});
  assert(protectedHeader.typ === 'JWT', 'no type');
  return JSON.parse(Buffer.from(payload));
};

const request = (purpose, transactionId, bio) => ({env: 'Developer', purpose, specVersion: '0.9.5', timeout: '20000', domainUri: 'https://id.example',
  captureTime: new Date().toISOString().slice(0, 19) + 'Z', transactionId, bio: [{type: 'Finger', deviceId: '1', requestedScore: '40', previousHash: '', ...bio}], customOpts: null});

// opened opens a sealed record: timestamp XOR transaction, aligned at their ends, of
// which the last 16 bytes are authenticated and the last 12 are the nonce.
const opened = (biometric, data, key) => {
  const n = Math.max(data.timestamp.length, data.transactionId.length);
  const [a, b] = [data.timestamp, data.transactionId].map(t => Buffer.concat([Buffer.alloc(n - t.length), Buffer.from(t)]));
  const mixed = a.map((v, i) => v ^ b[i]);
  const session = privateDecrypt({key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256'}, Buffer.from(biometric.sessionKey, 'base64url'));
  const value = Buffer.from(data.bioValue, 'base64url');
  const cipher = createDecipheriv('aes-256-gcm', session, mixed.subarray(n - 12));
  cipher.setAAD(mixed.subarray(n - 16));
  cipher.setAuthTag(value.subarray(value.length - 16));
  return Buffer.concat([cipher.update(value.subarray(0, value.length - 16)), cipher.final()]);
};

// chained follows the hashes and gives the last.
const chained = (previous, record, hash) => {
  const next = sha(previous, sha(record));
  assert(next.toString('hex').toUpperCase() === hash, 'the chain of hashes is broken');
  assert(record.subarray(0, 8).toString('latin1') === 'FIR\x00020\x00' && record.readUInt32BE(8) === record.length, 'no finger record');
  return next;
};

const run = async () => {
  execFileSync(plinth, ['biometrics', 'synth', '--seed', '31', '--count', '4', '--impressions', '1', '--level', '1', '-o', join(work, 'prints')]);
  mkdirSync(join(work, 'pictures'));
  const prints = readdirSync(join(work, 'prints')).filter(f => f.endsWith('.png'));
  ['leftIndex', 'leftMiddle', 'leftRing', 'leftLittle'].forEach((p, i) => copyFileSync(join(work, 'prints', prints[i]), join(work, 'pictures', p + '.png')));
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', join(work, 'key.pem'), '-out', join(work, 'server.pem'), '-subj', '/CN=server', '-days', '2'], {stdio: 'ignore'});

  const registers = await start('--listen', '127.0.0.1:18101', '--level', 'L1');
  const [info] = await ask(registers.service, 'MOSIPDINFO', '/info', {});
  const about = await verified(info.deviceInfo, registers.provider_ca);
  const id = await verified(about.digitalId, registers.chip_ca);
  assert(about.certification === 'L1' && id.serialNo === about.deviceCode && id.deviceProvider === 'PLINTH-SIMULATOR', 'another device');
  let previous = sha('');
  const slap = await ask(registers.service, 'RCAPTURE', '/capture', request('Registration', 'interop-1', {count: '4', bioSubType: [], exception: [], deviceSubId: '1'}));
  assert(slap.biometrics.length === 4, 'not four fingers');
  for (const b of slap.biometrics) {
    const data = await verified(b.data, registers.provider_ca);
    previous = chained(previous, Buffer.from(data.bioValue, 'base64url'), b.hash);
  }

  const seals = await start('--listen', '127.0.0.1:18102', '--purpose', 'Auth', '--server-certificate', join(work, 'server.pem'));
  const sealed = await ask(seals.service, 'CAPTURE', '/capture', request('Auth', 'interop-transaction-of-some-length', {count: '2', bioSubType: ['Left IndexFinger', 'UNKNOWN'], deviceSubId: '0'}));
  assert(sealed.biometrics.length === 2, 'not two fingers');
  const thumbprint = sha(new X509Certificate(readFileSync(join(work, 'server.pem'))).raw).toString('hex').toUpperCase();
  previous = sha('');
  for (const b of sealed.biometrics) {
    const data = await verified(b.data, seals.provider_ca);
    assert(b.thumbprint === thumbprint && data.domainUri === 'https://id.example', 'sealed to another');
    await verified(data.digitalId, seals.chip_ca);
    previous = chained(previous, opened(b, data, readFileSync(join(work, 'key.pem'))), b.hash);
  }
};

let failed;
await run().catch(e => { failed = e; });
devices.forEach(d => { d.removeAllListeners('exit'); d.kill(); });
rmSync(work, {recursive: true});
console.log(JSON.stringify(failed ? {verified: false, reason: failed.message} : {verified: true}));
process.exit(failed ? 1 : 0);
