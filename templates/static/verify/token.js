// Reads SD-JWT VCs (RFC 9901): the issuer's signature is over digests, and what was
// disclosed must be behind one of them, once.
import { Fault } from './fault.js';

const registered = ['iss', 'iat', 'nbf', 'exp', 'vct', 'vct#integrity', 'aka_vcts', 'cnf', 'status', 'jti', 'sub', '_sd_alg'];
const hashes = { 'sha-256': 'SHA-256', 'sha-384': 'SHA-384', 'sha-512': 'SHA-512' };
const most = 256 << 10;

export const bytesOf = (text) => {
  if (!/^[A-Za-z0-9_-]*$/.test(text)) throw new Fault('malformed');
  return Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), (c) => c.charCodeAt(0));
};
const textOf = (bytes) => new TextDecoder('utf-8', { fatal: true }).decode(bytes);
const encode = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, '-').replace(/\//g, '_').replace(/=/g, '');

// jws takes a compact token apart.
export const jws = (token) => {
  const parts = token.split('.');
  if (parts.length !== 3 || token.length > most << 2) throw new Fault('malformed');
  const header = JSON.parse(textOf(bytesOf(parts[0])));
  return { header, claims: JSON.parse(textOf(bytesOf(parts[1]))), signed: new TextEncoder().encode(`${parts[0]}.${parts[1]}`), signature: bytesOf(parts[2]) };
};

// weave puts what was disclosed where its digest stands.
const weave = (value, behind, used) => {
  if (Array.isArray(value)) {
    return value.flatMap((item) => {
      const digest = item && typeof item === 'object' ? item['...'] : undefined;
      if (digest === undefined) return [weave(item, behind, used)];
      const found = behind.get(digest);
      if (!found) return [];
      if (found.length !== 2 || used.has(digest)) throw new Fault('malformed');
      used.add(digest);
      return [weave(found[1], behind, used)];
    });
  }
  if (!value || typeof value !== 'object') return value;
  const object = Object.create(null);
  for (const [name, inner] of Object.entries(value)) if (name !== '_sd') object[name] = weave(inner, behind, used);
  for (const digest of value._sd || []) {
    const found = behind.get(digest);
    if (!found) continue;
    const [, name, inner] = found;
    if (found.length !== 3 || used.has(digest) || name === '_sd' || name === '...' || name in object) throw new Fault('malformed');
    used.add(digest);
    object[name] = weave(inner, behind, used);
  }
  return object;
};

export const read = async (text) => {
  try {
    if (text.length > most) throw new Fault('malformed');
    const [token, ...rest] = text.split('~');
    rest.pop(); // the holder's proof, which is for one verifier, or nothing
    const t = jws(token);
    if (!['dc+sd-jwt', 'vc+sd-jwt'].includes(t.header.typ) || t.header.crit) throw new Fault('malformed');
    const hash = hashes[t.claims._sd_alg || 'sha-256'];
    if (!hash) throw new Fault('unsupported');
    const behind = new Map();
    for (const disclosure of rest) {
      const digest = encode(await crypto.subtle.digest(hash, new TextEncoder().encode(disclosure)));
      if (behind.has(digest)) throw new Fault('malformed');
      behind.set(digest, JSON.parse(textOf(bytesOf(disclosure))));
    }
    const used = new Set();
    const claims = weave(t.claims, behind, used);
    if (used.size !== behind.size) throw new Fault('signature_bad');
    const place = claims.status && claims.status.status_list;
    return {
      format: 'dc+sd-jwt', issuer: claims.iss, kid: t.header.kid, algorithm: t.header.alg, signed: t.signed, signature: t.signature, from: claims.nbf, until: claims.exp,
      status: claims.status ? { uri: place?.uri, index: place?.idx } : null, claims: Object.fromEntries(Object.entries(claims).filter(([name]) => !registered.includes(name))),
    };
  } catch (error) {
    throw error instanceof Fault ? error : new Fault('malformed');
  }
};
