// The wallet: which view is shown, and what its buttons do.
import { draw, issuerOf, nameOf, rows, labelOf } from './cards.js';
import { run, step } from './errand.js';
import { forget, publicKey } from './keys.js';
import { busy, by, date, el, form, moment, onEnter, show, word } from './page.js';
import * as receive from './receive.js';
import * as vault from './vault.js';

// What is seldom needed is fetched when it is.
const login = () => import('./login.js');
const present = () => import('./present.js');
const scan = () => import('./scan.js');

// follow does what a link, or the text of a QR code, asks for.
const follow = async (text) => {
  const link = text.trim();
  if (!link) return;
  if (/[?&](client_id|request_uri|request)=/.test(link)) await (await present()).begin(link);
  else if (/\/oidc\/link\b/.test(link) || /^[a-z0-9]{4}-[a-z0-9]{4}-[a-z0-9]{4}$/i.test(link)) await (await login()).begin(link);
  else await receive.begin({ link });
};

const open = (card) => show('card', card.id);
let current;

onEnter('welcome', () => { by('make-passkey').hidden = by('open-passkey').hidden = !vault.canPasskey(); });
onEnter('home', () => {
  by('cards').replaceChildren(...vault.contents.cards.map((card) => draw(card, open)));
  by('none').hidden = vault.contents.cards.length > 0;
  by('waiting').hidden = !vault.contents.later.length;
});
onEnter('add', async () => {
  by('catalogue').replaceChildren();
  await busy(async () => {
    const offer = await step('offer', { issuer: by('catalogue').dataset.issuer });
    by('catalogue').replaceChildren(...offer.kinds.map((kind) => el('li', {}, el('button', { type: 'button', className: 'second', 'data-kind': kind.id, textContent: nameOf({ display: kind.display, configuration: kind.id }),
      onclick: () => busy(() => receive.begin({ issuer: offer.issuer, configuration: kind.id })) }), el('span', { className: 'hint', textContent: word(`format.${kind.format}`) || kind.format }))));
  });
});
onEnter('offer', receive.enterOffer);
onEnter('ask', async () => (await present()).enterAsk());
onEnter('login', async () => (await login()).enterLogin());
onEnter('card', async (id) => {
  const card = vault.contents.cards.find((one) => one.id === id);
  if (!card) return show('home', undefined, { push: false });
  current = card;
  by('card-name').textContent = nameOf(card);
  by('card-issuer').textContent = word('issued.by', { name: issuerOf(card), other: date(card.received) });
  by('card-lines').replaceChildren(rows(card.lines));
  by('card-copies').textContent = card.reuse ? word('copies', { name: card.copies.filter((c) => !c.used).length, other: card.copies.length }) : '';
  by('card-elsewhere').hidden = !card.copies[0].key || Boolean(await publicKey(card.copies[0].key));
  by('card-state').textContent = '';
  by('card-raw').textContent = JSON.stringify(card.copies[0].document, null, 1);
  by('card-code').replaceChildren(...(card.picture ? [el('img', { className: 'qr', src: card.picture, alt: nameOf(card) })] : []));
  by('card-draw').hidden = Boolean(card.picture);
  return undefined;
});
onEnter('history', () => {
  by('events').replaceChildren(...vault.contents.history.map((event) => el('li', {}, el('strong', { textContent: word(`history.${event.what}`, { name: event.card || '', other: event.who || '' }) }),
    el('span', { className: 'hint', textContent: moment(event.at) }), event.domain ? el('span', { className: 'mono', dir: 'ltr', textContent: event.domain }) : null,
    event.lines ? el('span', { dir: 'auto', textContent: event.lines.map(labelOf).join(', ') }) : event.claims ? el('span', { dir: 'auto', textContent: event.claims.map((name) => word(`claim.${name}`) || name).join(', ') }) : null)));
});
onEnter('settings', async () => {
  by('how').textContent = word(`kept.${await vault.mode()}`);
  by('bound').hidden = !vault.contents.logins.length;
  by('bind-begin').hidden = Boolean(vault.contents.logins.length);
  by('bind-end').hidden = true;
});

// begin opens the wallet, and does what the address asks for.
const begin = async () => {
  const query = new URLSearchParams(location.search);
  const path = location.pathname;
  await show('home', undefined, { push: path !== '/wallet' || location.search !== '' });
  if (navigator.onLine) receive.topUp().then(() => { if (!by('view-home').hidden) return show('home', undefined, { push: false }); return undefined; }).catch(() => {});
  if (path === '/wallet/back') await busy(() => receive.back(query.toString()));
  else if (path === '/wallet/receive') await busy(() => follow(query.get('link') || `openid-credential-offer://?${query}`));
  else if (path === '/wallet/present') await busy(async () => (await present()).begin(`openid4vp://?${query}`));
  else if (query.get('link')) await busy(() => follow(query.get('link')));
};

const start = async () => {
  const mode = await vault.mode();
  if (!mode) return show('welcome', undefined, { push: false });
  if (mode === 'passkey') return show('locked', undefined, { push: false });
  await vault.openOnDevice();
  return begin();
};

const click = (id, act) => by(id).addEventListener('click', () => busy(act));
click('make-passkey', async () => { await vault.createWithPasskey(document.title); await begin(); });
click('make-device', async () => { await vault.createOnDevice(); await begin(); });
click('open-passkey', async () => { await vault.openWithPasskey(); await begin(); });
click('unlock', async () => { await vault.openWithPasskey(); await begin(); });
for (const button of document.querySelectorAll('[data-view]')) button.addEventListener('click', () => show(button.dataset.view));
form('follow', async (fields) => { await follow(fields.get('link')); by('link').value = ''; });
click('scan', async () => { const text = await (await scan()).fromCamera(); if (text) await follow(text); });
click('stop', async () => (await scan()).stop());
by('picture').addEventListener('change', (event) => busy(async () => { const [file] = event.target.files; event.target.value = ''; if (file) await follow(await (await scan()).fromFile(file)); }));
form('offer-form', receive.accept);
form('ask-form', async (...all) => (await present()).share(...all));
form('login-form', async (...all) => (await login()).allow(...all));
form('bind-begin', async (...all) => (await login()).bind(...all));
form('bind-end', async (...all) => (await login()).bound(...all));
click('card-check', async () => {
  const [copy] = current.copies;
  const { state } = await step('status', { issuer: current.issuer, status: copy.status || [] });
  by('card-state').textContent = word(`state.${state}`);
});
click('card-draw', async () => {
  const [{ document: held }] = current.copies;
  current.picture = (await step('picture', current.format === 'claim169' ? { text: held } : { document: held })).picture;
  await vault.save();
  await show('card', current.id, { push: false });
});
click('card-delete', async () => {
  if (!by('card-sure').checked) { by('card-sure').focus(); throw new Error('stay'); }
  const card = current;
  if (card.notice) {
    const key = card.notice.key && await publicKey(card.notice.key);
    await step('forget', { notice: card.notice, keys: key ? [key] : [] }).then((said) => run(said, 'sign', () => {})).catch(() => {}); // the issuer's token may be long over
  }
  for (const copy of card.copies) if (copy.key) await forget(copy.key);
  vault.contents.cards = vault.contents.cards.filter((one) => one.id !== card.id);
  vault.contents.gone.push(card.id);
  receive.note('deleted', { card: nameOf(card) });
  await vault.save();
  by('card-sure').checked = false;
  await show('home');
});
click('destroy', async () => {
  if (!by('destroy-sure').checked) { by('destroy-sure').focus(); throw new Error('stay'); }
  await vault.destroy();
  location.assign('/wallet');
});
addEventListener('popstate', (event) => { if (vault.contents) show(event.state?.name || 'home', event.state?.detail, { push: false }); });
if ('serviceWorker' in navigator) navigator.serviceWorker.register('/wallet/worker.js', { scope: '/wallet' }).catch(() => {});
busy(start);
