// A client of the Bio SDK that shares no code with ours drives a running plinth sdk as
// MOSIP's does: bytes as signed numbers, JSON in base64 in an envelope. Usage: node
// sdk.mjs ../../plinth. One line of JSON; exit 0 or 1.
import {execFileSync, spawn} from 'node:child_process';
import {mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';

const plinth = process.argv[2];
const work = mkdtempSync(join(tmpdir(), 'sdk-'));
const assert = (holds, what) => { if (!holds) throw new Error(what); };
const secret = 'a secret of this interop run';
let service, running;

const start = () => new Promise((resolve, reject) => {
  running = spawn(plinth, ['sdk', '--listen', '127.0.0.1:0'], {env: {...process.env, PLINTH_SDK_SECRET: secret}});
  let said = '';
  running.stdout.on('data', d => { said += d; if (said.includes('\n')) resolve(JSON.parse(said).service); });
  running.on('exit', () => reject(new Error('the service has ended')));
});

const post = async (what, body, headers = {Authorization: 'Bearer ' + secret}) => {
  const answer = await fetch(`${service}/${what}`, {method: 'POST', headers: {'Content-Type': 'application/json', ...headers}, body});
  return {status: answer.status, text: await answer.text()};
};
const ask = async (what, request, version = '1.0') => {
  const {status, text} = await post(what, JSON.stringify({version, request: Buffer.from(JSON.stringify(request)).toString('base64')}));
  assert(status === 200, `${what}: status ${status}`);
  return JSON.parse(text);
};

// A finger image record of ISO/IEC 19794-4:2011 around a PNG of 500 ppi.
const record = (png, position) => {
  const [width, height] = [png.readUInt32BE(16), png.readUInt32BE(20)];
  const n16 = v => [v >> 8, v & 255];
  const representation = Buffer.concat([Buffer.alloc(9, 255), Buffer.from([0, 0, 0, 0, 0, 0, position, 1, 1, ...n16(500), ...n16(500), ...n16(500), ...n16(500), 8, 6, 0, ...n16(width), ...n16(height)]), Buffer.alloc(4), png]);
  representation.writeUInt32BE(png.length, representation.length - png.length - 4);
  const out = Buffer.concat([Buffer.from('FIR\x00020\x00', 'latin1'), Buffer.alloc(4), Buffer.from([0, 1, 0, 1]), Buffer.alloc(4), representation]);
  out.writeUInt32BE(out.length, 8);
  out.writeUInt32BE(representation.length + 4, 16);
  return out;
};
const bir = (bytes, subtype = ['Left', 'IndexFinger']) => ({version: {major: 1, minor: 1}, cbeffversion: {major: 1, minor: 1}, birInfo: {integrity: false},
  bdbInfo: {format: {organization: 'Mosip', type: '7'}, creationDate: {date: {year: 2026, month: 1, day: 2}, time: {hour: 3, minute: 4, second: 5, nano: 0}},
    type: ['FINGER'], subtype, level: 'RAW', purpose: 'VERIFY', quality: {algorithm: {organization: 'HMAC', type: 'SHA-256'}, score: 80}},
  bdb: [...new Int8Array(bytes)], sb: null, sbInfo: null, others: {}});
const person = (...segments) => ({version: null, cbeffversion: null, birInfo: null, segments, others: {}});

const run = async () => {
  service = await start();
  assert((await (await fetch(service + '/')).text()).startsWith('Service is running'), 'no sign of life');
  execFileSync(plinth, ['biometrics', 'synth', '--seed', '71', '--count', '2', '--level', '1', '-o', join(work, 'prints')]);
  const print = (finger, impression, subtype) => bir(record(readFileSync(join(work, 'prints', `f${finger}_${impression}.png`)), 7), subtype);

  const info = (await ask('init', {initParams: {}})).response;
  assert(info.apiVersion === '0.9' && info.supportedMethods.MATCH.includes('FINGER') && info.productOwner.organization, 'init says too little');

  const quality = (await ask('check-quality', {sample: person(print(71, 1)), modalitiesToCheck: ['FINGER'], flags: {}})).response;
  const score = quality.response.scores.FINGER.score;
  assert(quality.statusCode === 200 && score > 20 && score <= 100, `a quality of ${score}`);

  const match = async (sample, gallery) => (await ask('match', {sample, gallery, modalitiesToMatch: ['FINGER'], flags: {}})).response;
  const decided = await match(person(print(71, 1)), [person(print(71, 0)), person(print(72, 0)), person(bir(Buffer.from('no record'))), person()]);
  const verdicts = decided.response.map(d => d.decisions.FINGER.match);
  assert(verdicts.join() === 'MATCHED,NOT_MATCHED,ERROR,NOT_MATCHED' && decided.response.every((d, i) => d.galleryIndex === i), `decided ${verdicts}`);
  const scores = decided.response.slice(0, 2).map(d => d.decisions.FINGER.analyticsInfo.score);
  assert(scores.every(s => typeof s === 'string') && Number(scores[0]) >= 4 && Number(scores[1]) < 4, `scores ${scores}`);
  const any = await match(person(print(71, 1, ['UNKNOWN'])), [person(print(72, 0, ['Right', 'Thumb']), print(71, 0))]);
  assert(any.response[0].decisions.FINGER.match === 'MATCHED', 'an unnamed finger is not found');

  const made = (await ask('extract-template', {sample: person(print(71, 1)), modalitiesToExtract: ['FINGER'], flags: {}})).response;
  const template = made.response.segments[0];
  assert(Buffer.from(template.bdb).toString('latin1', 0, 8) === 'FMR\0 20\0' && template.bdbInfo.format.type === '2' && template.bdbInfo.level === 'PROCESSED', 'no minutiae');
  const again = await match(person(print(71, 0)), [made.response]);
  assert(again.response[0].decisions.FINGER.match === 'MATCHED', 'a template does not match');

  const jpeg = (await ask('convert-format', {sample: person(print(71, 1)), sourceFormat: 'ISO19794_4_2011', targetFormat: 'IMAGE/JPEG', sourceParams: {}, targetParams: {}, modalitiesToConvert: ['FINGER']})).response;
  assert(Buffer.from(jpeg.response.segments[0].bdb).toString('hex', 0, 3) === 'ffd8ff', 'no JPEG');
  const whole = (await ask('segment', {sample: person(print(71, 1)), modalitiesToSegment: ['FINGER'], flags: {}})).response;
  assert(whole.statusCode === 200 && whole.response.segments.length === 1, 'a single finger was taken apart');

  for (const [what, request, code] of [['match', {gallery: []}, 402], ['check-quality', {sample: person(bir(Buffer.from('no record')))}, 401],
    ['check-quality', {sample: person(print(71, 1)), modalitiesToCheck: ['IRIS']}, 404], ['convert-format', {sample: person(print(71, 1)), sourceFormat: 'X', targetFormat: 'Y'}, 401]]) {
    const {response, errors} = await ask(what, request);
    assert(response.statusCode === code && response.response === null && errors.length === 0, `${what}: ${response.statusCode} instead of ${code}`);
  }
  assert((await ask('init', {}, '9.9')).errors[0].code === 'BIO_SDK_001', 'any version is served');
  const bad = await post('match', 'no JSON');
  assert(bad.status === 200 && JSON.parse(bad.text).errors.length === 1, 'bad JSON is no error');
  assert((await post('init', '{}', {})).status === 401, 'no secret is asked for');
};

let failed;
await run().catch(e => { failed = e; });
running?.removeAllListeners('exit');
running?.kill();
rmSync(work, {recursive: true});
console.log(JSON.stringify(failed ? {verified: false, reason: failed.message} : {verified: true}));
process.exit(failed ? 1 : 0);
