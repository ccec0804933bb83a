// Reads what a printed QR code says: claim 169 in a CWT, folded and in base45, also in
// the dialect of Inji (hexadecimal, the claim as bytes).
import { decode, toBeSigned, Tagged } from './cbor.js';
import { Fault } from './fault.js';

const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:';
const mostText = 4296; // of the largest QR code
const mostBytes = 64 << 10;

export const base45 = (text) => {
  const digits = [...text].map((c) => alphabet.indexOf(c));
  if (!digits.length || digits.length > mostText || digits.includes(-1) || digits.length % 3 === 1) throw new Fault('malformed');
  const bytes = [];
  for (let i = 0; i < digits.length; i += 3) {
    const whole = i + 2 < digits.length;
    const n = digits[i] + 45 * digits[i + 1] + (whole ? 2025 * digits[i + 2] : 0);
    if (n > (whole ? 65535 : 255)) throw new Fault('malformed');
    if (whole) bytes.push(n >> 8);
    bytes.push(n & 255);
  }
  return new Uint8Array(bytes);
};

export const inflate = async (bytes, most = mostBytes) => {
  const reader = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate')).getReader();
  const parts = [];
  let size = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    size += value.length;
    if (size > most) { reader.cancel(); throw new Fault('malformed'); }
    parts.push(value);
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
};

const fromHex = (bytes) => {
  const text = new TextDecoder('latin1').decode(bytes);
  return text.length % 2 === 0 && /^[0-9a-fA-F]+$/.test(text) ? Uint8Array.from(text.match(/../g), (pair) => Number.parseInt(pair, 16)) : bytes;
};
const date = (text) => (/^\d{8}$/.test(text) ? `${text.slice(0, 4)}-${text.slice(4, 6)}-${text.slice(6)}` : text);
const names = { 1: 'id', 3: 'language', 4: 'fullName', 5: 'givenName', 6: 'middleName', 7: 'familyName', 8: 'birthDate', 9: 'gender', 10: 'address', 11: 'email', 12: 'phone', 13: 'nationality', 14: 'maritalStatus', 15: 'guardian', 19: 'secondFullName', 22: 'legalStatus' };
const words = { gender: { 1: 'male', 2: 'female', 3: 'other' }, maritalStatus: { 1: 'unmarried', 2: 'married', 3: 'divorced' } };

const printed = (identity) => {
  const claims = {};
  for (const [key, name] of Object.entries(names)) {
    const value = identity.get(Number(key));
    const said = words[name] ? words[name][value] : value;
    if (typeof said === 'string' && said) claims[name] = name === 'birthDate' ? date(said) : said;
  }
  return claims;
};

const isMap = (value) => value instanceof Map;

// read takes a code apart. Nothing of it may be shown before its signature holds.
export const read = async (text) => {
  try {
    let message = decode(fromHex(await inflate(base45(text.replace(/^INJIQUICKSHARE:\/\//, '')))));
    if (message instanceof Tagged && message.tag === 61) message = message.value;
    if (!(message instanceof Tagged) || message.tag !== 18 || message.value.length !== 4) throw new Fault(message instanceof Tagged && message.tag === 16 ? 'unsupported' : 'malformed');
    const [protectedHeader, open, payload, signature] = message.value;
    const header = protectedHeader.length ? decode(protectedHeader) : new Map();
    const claims = decode(payload);
    if (!isMap(header) || !isMap(open) || !isMap(claims) || header.has(2)) throw new Fault('malformed');
    let identity = claims.get(169);
    if (identity instanceof Uint8Array) identity = decode(identity);
    if (!isMap(identity)) throw new Fault('malformed');
    const kid = header.get(4) || open.get(4);
    const place = claims.get(65535)?.get('status_list');
    return {
      format: 'claim169', issuer: claims.get(1), kid: kid && new TextDecoder().decode(kid), algorithm: { '-7': 'ES256', '-9': 'ES256', '-8': 'EdDSA', '-19': 'EdDSA' }[header.get(1)],
      signed: toBeSigned(protectedHeader, payload), signature, from: claims.get(5), until: claims.get(4), status: claims.has(65535) ? { uri: place?.get('uri'), index: place?.get('idx') } : null, claims: printed(identity),
    };
  } catch (error) {
    throw error instanceof Fault ? error : new Fault('malformed');
  }
};
