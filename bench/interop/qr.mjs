// Reads our QR codes with decoders that share no code with ours: zxing-wasm reads the
// pictures, @mosip/pixelpass takes the layers off, and the signature is checked here.
// Then the other way: what PixelPass packs and draws is verified by us.
// Usage: node qr.mjs demo.json plinth. One line of JSON; exit 0 or 1.
import {execFileSync} from 'node:child_process';
import {createPublicKey, verify} from 'node:crypto';
import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {from} from '@digitalbazaar/ed25519-multikey';
import {Decoder, Encoder} from 'cbor-x';
import {prepareZXingModule, readBarcodes} from 'zxing-wasm/reader';
import {must, person, report, sheet} from './person.mjs';

const require = createRequire(import.meta.url);
const pixelpass = require('@mosip/pixelpass');
const [, , , plinth] = process.argv;
const work = mkdtempSync(join(tmpdir(), 'qr-'));
const at = name => join(work, name);
const run = (...args) => execFileSync(plinth, args, {encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore']});
const get = async path => (await fetch(sheet.url + path)).json();

// The decoder comes with the package; by itself it would be fetched.
prepareZXingModule({overrides: {wasmBinary: readFileSync(require.resolve('zxing-wasm/reader/zxing_reader.wasm')).buffer}});

async function read(image) {
  const [found] = await readBarcodes(image, {formats: ['QRCode']});
  must(found, 'zxing finds no code');
  return found;
}

// drawn is a picture of our SVG, whose path is of runs of modules, one unit high.
function drawn(svg, scale = 4) {
  const side = Number(/viewBox="0 0 (\d+)/.exec(svg)[1]) * scale;
  const data = new Uint8ClampedArray(side * side * 4).fill(255);
  for(const [, x, y, width] of svg.matchAll(/M(\d+) (\d+)h(\d+)v1h/g)) {
    for(let row = y * scale; row < (+y + 1) * scale; row++) {
      for(let column = x * scale; column < (+x + +width) * scale; column++) {
        data.fill(0, (row * side + column) * 4, (row * side + column) * 4 + 3);
      }
    }
  }
  return {data, width: side, height: side, colorSpace: 'srgb'};
}

// checked verifies a COSE_Sign1 in CWT by a key of our DID and gives its claims.
async function checked(text) {
  const {tag, value: {tag: inner, value: [head, , payload, signature]}} = JSON.parse(pixelpass.decode(text));
  must(tag === 61 && inner === 18, `tags ${tag} and ${inner}`);
  const bytes = ({data}) => Uint8Array.from(data);
  const signed = new Encoder({useRecords: false, tagUint8Array: false}).encode(['Signature1', bytes(head), new Uint8Array(0), bytes(payload)]);
  const keys = (await get('/.well-known/did.json')).verificationMethod.filter(m => m.publicKeyMultibase.startsWith('z6Mk'));
  const good = await Promise.all(keys.map(async method => {
    const {publicKey} = await from({'@context': 'https://w3id.org/security/multikey/v1', ...method});
    const key = createPublicKey({key: {kty: 'OKP', crv: 'Ed25519', x: Buffer.from(publicKey).toString('base64url')}, format: 'jwk'});
    return verify(null, signed, key, bytes(signature));
  }));
  must(good.includes(true), 'the signature does not hold');
  return new Decoder({mapsAsObjects: false, useRecords: false}).decode(bytes(payload));
}

await report(async () => {
  run('issue', '--uin', person.uin, '--format', 'claim169', '-o', at('card.png'));
  const card = await read(new Uint8Array(readFileSync(at('card.png'))));
  const claims = await checked(card.text);
  must(claims.get(1) === sheet.url, `the issuer is ${claims.get(1)}`);
  must(claims.get(169).get(4) === person.name, `the name is ${claims.get(169).get(4)}`);
  must(claims.get(169).get(8) === person.birthdate.replaceAll(/\D/g, ''), `the birthdate is ${claims.get(169).get(8)}`);
  must(claims.get(65535).status_list?.uri ?? claims.get(65535).get('status_list').get('uri'), 'there is no status');

  const offer = JSON.parse(run('offer', '--uin', person.uin, '--qr', at('offer.svg')));
  const shown = await read(drawn(readFileSync(at('offer.svg'), 'utf8')));
  must(shown.text === offer.link, `the code of an offer says ${shown.text}`);

  const asked = await (await fetch(sheet.url + '/vp/requests', {
    method: 'POST', headers: {'content-type': 'application/json'}, body: JSON.stringify({preset: 'identity'})
  })).json();
  const request = await read(new Uint8Array(Buffer.from(asked.qr.split(',')[1], 'base64')));
  must(request.text === asked.link, `the code of a request says ${request.text}`);

  // A credential as wallets of Inji show it: PixelPass over JSON.
  run('issue', '--uin', person.uin, '--format', 'ldp_vc', '-o', at('card.json'));
  const json = readFileSync(at('card.json'), 'utf8');
  writeFileSync(at('pixelpass.txt'), pixelpass.generateQRData(json));
  writeFileSync(at('pixelpass.png'), Buffer.from((await pixelpass.generateQRCode(json)).split(',')[1], 'base64'));
  for(const file of ['pixelpass.txt', 'pixelpass.png']) {
    const {verdict} = JSON.parse(run('verify', at(file)));
    must(verdict === 'valid', `${file}: ${verdict}`);
  }
  return {version: Number(card.version), characters: card.text.length, offer: Number(shown.version), request: Number(request.version)};
}).finally(() => rmSync(work, {recursive: true}));
