// The cards, sealed: under a key that only the owner's passkey yields (WebAuthn PRF), or
// under one that this browser keeps and gives to nobody. What leaves is ciphertext.
import { bytes, base64, makeMovable, signWith, utf8 } from './keys.js';
import { clear, get, put } from './store.js';

const salt = utf8('plinth wallet, first edition');
const ad = utf8('plinth wallet');
let box, key, id; // what is kept here; what opens it; by what the server knows it

export let contents;
export const mode = async () => { box = await get('vault', 'box'); return box?.mode; };
const empty = () => ({ cards: [], history: [], once: [], later: [], logins: [], gone: [] });

// --- the key ---
const prf = { eval: { first: salt } };
const ask = async (rawId) => {
  const got = await navigator.credentials.get({ publicKey: { challenge: crypto.getRandomValues(new Uint8Array(32)), userVerification: 'required',
    allowCredentials: rawId ? [{ type: 'public-key', id: bytes(rawId) }] : [], extensions: { prf } } });
  const secret = got.getClientExtensionResults().prf?.results?.first;
  if (!secret) throw new Error('noprf');
  return { secret, rawId: base64(got.rawId) };
};
const derive = async (secret) => {
  const root = await crypto.subtle.importKey('raw', secret, 'HKDF', false, ['deriveKey', 'deriveBits']);
  const from = (info) => ({ name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(32), info: utf8(info) });
  key = await crypto.subtle.deriveKey(from('cards'), root, { name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt']);
  id = base64(await crypto.subtle.deriveBits(from('name'), root, 256));
};

export const canPasskey = () => Boolean(window.PublicKeyCredential) && isSecureContext;

// createWithPasskey makes a passkey that opens this wallet, here and on other devices.
export const createWithPasskey = async (title) => {
  const made = await navigator.credentials.create({ publicKey: { challenge: crypto.getRandomValues(new Uint8Array(32)), rp: { name: title },
    user: { id: crypto.getRandomValues(new Uint8Array(16)), name: title, displayName: title }, pubKeyCredParams: [{ type: 'public-key', alg: -7 }, { type: 'public-key', alg: -8 }, { type: 'public-key', alg: -257 }],
    authenticatorSelection: { residentKey: 'required', userVerification: 'required' }, extensions: { prf } } });
  const rawId = base64(made.rawId);
  const secret = made.getClientExtensionResults().prf?.results?.first || (await ask(rawId)).secret;
  await derive(secret);
  box = { mode: 'passkey', passkey: rawId, edition: 0 };
  contents = { ...empty(), auth: await makeMovable() };
  await save();
};

export const createOnDevice = async () => {
  key = await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt']);
  await put('vault', 'key', key);
  box = { mode: 'device' };
  contents = empty();
  await save();
};

// openWithPasskey opens the wallet of a passkey: what is here, or what another device has left.
export const openWithPasskey = async () => {
  const { secret, rawId } = await ask(box?.passkey);
  await derive(secret);
  if (box?.sealed) contents = await unseal(box.sealed);
  try { await pull(); } catch { if (!contents) throw new Error('noblob'); } // without a network, what is here will do
  box = { ...box, mode: 'passkey', passkey: rawId };
  await put('vault', 'box', box);
};

export const openOnDevice = async () => { key = await get('vault', 'key'); contents = await unseal(box.sealed); };

// --- sealing ---
const seal = async () => {
  const iv = crypto.getRandomValues(new Uint8Array(12));
  const text = utf8(JSON.stringify(contents));
  const plain = new Uint8Array(Math.ceil(text.length / 4096) * 4096).fill(32); // how much there is, is nobody's business
  plain.set(text);
  const sealed = new Uint8Array(await crypto.subtle.encrypt({ name: 'AES-GCM', iv, additionalData: ad }, key, plain));
  const whole = new Uint8Array(12 + sealed.length);
  whole.set(iv);
  whole.set(sealed, 12);
  return whole;
};
const unseal = async (whole) => JSON.parse(new TextDecoder().decode(await crypto.subtle.decrypt({ name: 'AES-GCM', iv: whole.slice(0, 12), additionalData: ad }, key, whole.slice(12))));

export const save = async () => {
  box.sealed = await seal();
  await put('vault', 'box', box);
  if (box.mode === 'passkey') await push().catch(() => {}); // it goes again with the next change
};

// --- the ciphertext on the server ---
const blob = async (body) => {
  const answer = await fetch('/wallet/blob', { method: 'POST', headers: { 'Content-Type': 'application/json', Accept: 'application/json' }, body: JSON.stringify({ id, ...body }) });
  if (!answer.ok) throw new Error(String(answer.status));
  return answer.json();
};
const hex = (buffer) => [...new Uint8Array(buffer)].map((b) => b.toString(16).padStart(2, '0')).join('');
const change = async (what, sealed) => {
  const { challenge } = await blob({ do: 'challenge' });
  const { kty, crv, x, y } = contents.auth;
  const edition = box.edition || 0;
  const digest = hex(await crypto.subtle.digest('SHA-256', sealed));
  return blob({ do: what, challenge, edition, key: { kty, crv, x, y }, sealed: base64(sealed),
    signature: await signWith(contents.auth, utf8(`plinth wallet\n${what}\n${edition}\n${digest}\n${challenge}`)) });
};
const push = async () => {
  try {
    ({ edition: box.edition } = await change('put', box.sealed));
  } catch (error) {
    if (error.message !== '409') throw error;
    try { await pull(); } catch (none) { if (none.message !== '404') throw none; box.edition = 0; } // it was forgotten there
    box.sealed = await seal();
    ({ edition: box.edition } = await change('put', box.sealed));
  }
  await put('vault', 'box', box);
};

// pull takes over what another device has changed.
const pull = async () => {
  const { sealed, edition } = await blob({ do: 'get' });
  if (box && edition === box.edition && contents) return;
  const theirs = await unseal(bytes(sealed));
  contents = contents ? merge(theirs, contents) : theirs;
  box = { ...box, edition, sealed: await seal() };
};
const merge = (theirs, ours) => {
  const gone = [...new Set([...theirs.gone, ...ours.gone])];
  const both = (name, mark) => [...new Map([...theirs[name], ...ours[name]].map((one) => [mark(one), one])).values()];
  return { ...theirs, gone, cards: both('cards', (c) => c.id).filter((c) => !gone.includes(c.id)), later: both('later', (l) => l.state), logins: both('logins', (l) => l.kid),
    history: both('history', (h) => h.at + h.what).sort((a, b) => (a.at < b.at ? 1 : -1)), once: [...new Set([...theirs.once, ...ours.once])] };
};

// destroy forgets everything, here and on the server.
export const destroy = async () => {
  if (box?.mode === 'passkey' && contents) await change('delete', new Uint8Array()).catch(() => {});
  await clear();
};
