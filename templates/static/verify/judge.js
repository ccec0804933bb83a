// Judges a code or an SD-JWT VC by what this device keeps: whom to believe, and what
// was revoked when that was fetched. Nothing leaves the device.
import * as code from './code.js';
import * as token from './token.js';
import { Fault } from './fault.js';

const kinds = {
  ES256: [{ name: 'ECDSA', namedCurve: 'P-256' }, { name: 'ECDSA', hash: 'SHA-256' }], ES384: [{ name: 'ECDSA', namedCurve: 'P-384' }, { name: 'ECDSA', hash: 'SHA-384' }],
  EdDSA: [{ name: 'Ed25519' }, { name: 'Ed25519' }], Ed25519: [{ name: 'Ed25519' }, { name: 'Ed25519' }],
};
const curves = { ES256: 'P-256', ES384: 'P-384', EdDSA: 'Ed25519', Ed25519: 'Ed25519' };

// signedBy tells whether a signature is by a key.
export const signedBy = async (jwk, algorithm, signed, signature) => {
  if (!kinds[algorithm] || jwk.crv !== curves[algorithm]) return false;
  const [kind, how] = kinds[algorithm];
  let key;
  try {
    key = await crypto.subtle.importKey('jwk', jwk, kind, false, ['verify']);
  } catch {
    throw new Fault('unsupported'); // a browser that does not know Ed25519
  }
  return crypto.subtle.verify(how, key, signature, signed);
};

// didWeb is what an issuer with this address is called as a DID.
const didWeb = (address) => {
  try {
    const url = new URL(address);
    const path = url.pathname.split('/').filter(Boolean).map((part) => `:${part}`).join('');
    return `did:web:${url.hostname}${url.port ? `%3A${url.port}` : ''}${path}`;
  } catch {
    return '';
  }
};

const keyOf = (kept, shown) => {
  const issuer = kept.issuers.find(({ id }) => id === shown.issuer || id === didWeb(shown.issuer));
  if (!issuer) return null;
  const name = Object.keys(issuer.keys).find((id) => id === shown.kid || id === `${issuer.id}#${shown.kid}`);
  return name ? { issuer, jwk: issuer.keys[name] } : null;
};

// statusOf looks a place up: two bits each, the least significant first. What a list
// that is over says of a revocation still holds; that there was none does not.
const statusOf = async (kept, issuer, place, now) => {
  const list = kept.lists[place.uri];
  if (!list || list.issuer !== issuer.id) return ['undetermined', 'status_unchecked'];
  const values = await code.inflate(token.bytesOf(list.values), 4 << 20);
  if (!Number.isInteger(place.index) || place.index < 0 || place.index >= values.length * 4) return ['fail', 'status_out_of_range'];
  const value = (values[place.index >> 2] >> (place.index % 4 * 2)) & 3;
  if (value === 0 && (over(kept, now) || over(list, now))) return ['undetermined', 'status_old'];
  return [['pass', 'not_revoked'], ['fail', 'revoked'], ['fail', 'suspended'], ['fail', 'revoked']][value];
};

// over tells whether the time is past until which an edition or a list is good.
const over = ({ exp }, now) => exp !== undefined && !(now < exp);

const open = async (text) => {
  const trimmed = text.trim();
  return trimmed.startsWith('ey') && trimmed.includes('~') ? token.read(trimmed) : code.read(text.replace(/[\r\n\t]+$/, ''));
};

// judge gives a verdict with every reason; whatever could not be determined makes it
// unknown. It shows claims only once the signature holds: what an attacker wrote is
// never shown.
export const judge = async (text, kept, now = Date.now() / 1000) => {
  const verdict = { verdict: 'valid', reasons: [] };
  const add = (name, result, why) => verdict.reasons.push({ name, result, code: why });
  const done = () => {
    if (verdict.reasons.some(({ result }) => result === 'fail')) verdict.verdict = 'invalid';
    else if (verdict.reasons.some(({ result }) => result === 'undetermined')) verdict.verdict = 'unknown';
    return verdict;
  };
  try {
    const shown = await open(text);
    verdict.format = shown.format;
    if ([shown.from, shown.until].some((time) => time !== undefined && typeof time !== 'number')) throw new Fault('malformed');
    add('format', 'pass', 'well_formed');
    const found = keyOf(kept, shown);
    if (!found) { add('issuer', 'undetermined', 'issuer_untrusted'); return done(); }
    if (!await signedBy(found.jwk, shown.algorithm, shown.signed, shown.signature)) { add('signature', 'fail', 'signature_bad'); return done(); }
    // The key may have been taken off the list since: what it signed is not shown.
    const old = over(kept, now);
    add('issuer', ...old ? ['undetermined', 'trust_expired'] : ['pass', 'issuer_trusted']);
    add('signature', 'pass', 'signature_good');
    Object.assign(verdict, { issuer: found.issuer.name || found.issuer.id, validUntil: shown.until }, old ? {} : { claims: shown.claims });
    if (shown.from > now) add('period', 'fail', 'not_yet_valid');
    else if (shown.until <= now) add('period', 'fail', 'expired');
    else add('period', 'pass', 'in_period');
    if (!shown.status) { add('status', 'pass', 'status_none'); return done(); }
    add('status', ...await statusOf(kept, found.issuer, shown.status, now));
    verdict.statusAt = kept.lists[shown.status.uri]?.at;
  } catch (error) {
    const why = error instanceof Fault ? error.code : 'malformed';
    delete verdict.claims;
    verdict.reasons = [];
    if (why === 'unsupported') add('format', 'undetermined', why);
    else if (why === 'signature_bad') add('signature', 'fail', why);
    else add('format', 'fail', 'malformed');
  }
  return done();
};

// accept reads an edition of what a device keeps. It must be signed by a key that is
// known, once one is, and not be older than what is kept.
export const accept = async (signed, keys, before, now = Date.now() / 1000) => {
  const t = token.jws(signed);
  if (t.header.typ !== 'plinth-offline+jwt') throw new Fault('malformed');
  const known = before ? before.keys : keys;
  const good = await Promise.all(known.map((jwk) => signedBy(jwk, t.header.alg, t.signed, t.signature)));
  if (!good.includes(true)) throw new Fault('signature_bad');
  if (t.claims.exp <= now || (before && t.claims.sequence < before.sequence)) throw new Fault('expired');
  return t.claims;
};
