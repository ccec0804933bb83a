// Keys of the owner. They are made here and cannot be read, not even by these scripts:
// the browser only signs with them.
import { get, put, remove } from './store.js';

export const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), (c) => c.charCodeAt(0));
export const base64 = (buffer) => {
  let text = '';
  for (const b of new Uint8Array(buffer)) text += String.fromCharCode(b);
  return btoa(text);
};
const short = (buffer) => base64(buffer).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
export const utf8 = (text) => new TextEncoder().encode(text);

const kind = { name: 'ECDSA', namedCurve: 'P-256' };
const hashed = { name: 'ECDSA', hash: 'SHA-256' };

export const make = async () => {
  const pair = await crypto.subtle.generateKey(kind, false, ['sign']);
  const { crv, kty, x, y } = await crypto.subtle.exportKey('jwk', pair.publicKey);
  const name = short(await crypto.subtle.digest('SHA-256', utf8(JSON.stringify({ crv, kty, x, y })))); // RFC 7638
  const jwk = { kty, crv, x, y };
  await put('keys', name, { private: pair.privateKey, jwk });
  return { name, jwk };
};
export const makeMany = async (n) => { const all = []; while (all.length < n) all.push(await make()); return all; };
export const publicKey = async (name) => (await get('keys', name))?.jwk;
export const forget = (name) => remove('keys', name);

// sign signs what an errand asks for: { key, data } each.
export const sign = async (all) => {
  const signatures = [];
  for (const { key, data } of all || []) {
    const kept = await get('keys', key);
    if (!kept) throw new Error('nokey');
    signatures.push(base64(await crypto.subtle.sign(hashed, kept.private, bytes(data))));
  }
  return signatures;
};

// A key that goes into the sealed cards, so that another device of the owner may change them.
export const makeMovable = async () => {
  const pair = await crypto.subtle.generateKey(kind, true, ['sign']);
  return crypto.subtle.exportKey('jwk', pair.privateKey);
};
export const signWith = async (jwk, data) => base64(await crypto.subtle.sign(hashed, await crypto.subtle.importKey('jwk', jwk, kind, false, ['sign']), data));
