// Logging in at a party whose page shows a picture or a code, and a number.
import { run, step } from './errand.js';
import { make, publicKey, sign } from './keys.js';
import { by, el, show, word } from './page.js';
import { note } from './receive.js';
import { contents, save } from './vault.js';

let link, binding;
const here = location.origin;
const said = (texts) => texts?.[document.documentElement.lang] || texts?.en || Object.values(texts || {})[0];

export const begin = async (text) => {
  link = await step('link', { link: text, server: here });
  if (!contents.logins.some((one) => one.server === link.issuer)) throw new Error('login.asks');
  await show('login');
};

export const enterLogin = () => {
  if (!link) return show('home');
  by('login-name').textContent = said(link.client_name) || link.client_id;
  by('login-purpose').textContent = said(link.purpose) || '';
  by('login-number').value = '';
  const choice = (name, fixed) => el('div', { className: 'choice' }, el('input', { type: 'checkbox', name: 'claim', value: name, id: `claim-${name}`, checked: fixed, disabled: fixed }), el('label', { htmlFor: `claim-${name}`, textContent: word(`claim.${name}`) || name }));
  by('login-claims').replaceChildren(...(link.essential_claims || []).map((name) => choice(name, true)), ...(link.voluntary_claims || []).map((name) => choice(name, false)));
  return undefined;
};

export const allow = async (fields, submitter) => {
  if (submitter?.value === 'refuse') return show('home');
  const own = contents.logins.find((one) => one.server === link.issuer);
  const key = await publicKey(own.key);
  if (!key) throw new Error('elsewhere');
  const allowed = [...(link.essential_claims || []), ...fields.getAll('claim')];
  await run(await step('allow', { state: link.state, keys: [key], kid: own.kid, number: fields.get('number').trim(), allowed }), 'allowed', () => {});
  note('login', { who: said(link.client_name) || link.client_id, claims: allowed });
  await save();
  by('done-text').textContent = word('login.done', { name: said(link.client_name) || link.client_id });
  by('done-on').hidden = true;
  return show('done');
};

// bind makes a key by which the owner logs in here; a code proves the owner.
export const bind = async (fields) => {
  binding = await step('bind', { server: here, number: fields.get('number').replace(/\s/g, '') });
  by('bind-begin').hidden = true;
  by('bind-end').hidden = false;
  by('bind-code').focus();
};
export const bound = async (fields) => {
  const key = await make();
  const picture = fields.get('finger');
  const finger = picture?.size ? btoa(new Uint8Array(await picture.arrayBuffer()).reduce((all, byte) => all + String.fromCharCode(byte), '')) : undefined;
  const owner = { otp: fields.get('code').trim(), pin: fields.get('pin').trim() || undefined, finger };
  const asked = await step('prove', { state: binding.state, keys: [key.jwk], owner, name: fields.get('name') });
  const { kid } = await step('bound', { state: asked.state, signatures: await sign(asked.sign) });
  contents.logins = [...contents.logins.filter((one) => one.server !== here), { server: here, kid, key: key.name }];
  await save();
  await show('settings');
};
