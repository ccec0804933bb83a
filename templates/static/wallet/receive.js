// Receiving a card: by an offer, or from an issuer's catalogue.
import { nameOf } from './cards.js';
import { run, step } from './errand.js';
import { makeMany, publicKey } from './keys.js';
import { by, el, pick, show, word } from './page.js';
import { get, put, remove } from './store.js';
import { contents, save } from './vault.js';

let offer;

export const begin = async (wish) => {
  offer = await step('offer', wish);
  await show('offer');
};

export const enterOffer = () => {
  if (!offer) return show('home');
  by('offer-issuer').textContent = pick(offer.names)?.name || new URL(offer.issuer).host;
  by('offer-host').textContent = new URL(offer.issuer).host;
  by('offer-kinds').replaceChildren(...offer.kinds.map((kind, i) => el('div', { className: 'choice' },
    el('input', { type: 'radio', name: 'kind', value: kind.id, id: `kind-${i}`, checked: i === 0, required: true }),
    el('label', { htmlFor: `kind-${i}` }, pick(kind.display)?.name || kind.id, el('span', { className: 'hint', textContent: pick(kind.display)?.description || word(`format.${kind.format}`) || kind.format })))));
  by('offer-code').hidden = !offer.tx_code;
  by('tx').required = Boolean(offer.tx_code);
  by('tx').value = '';
  by('tx').inputMode = offer.tx_code?.input_mode === 'text' ? 'text' : 'numeric';
  by('offer-login').hidden = !offer.login;
  return undefined;
};

export const accept = async (fields) => {
  const kind = offer.kinds.find((one) => one.id === fields.get('kind'));
  const keys = await makeMany(kind.keys);
  const said = await step('accept', { state: offer.state, configuration: kind.id, tx_code: fields.get('tx') || '', keys: keys.map((k) => k.jwk) });
  await finish(said, offer.issuer);
};

// finish keeps what comes, or goes to the issuer's login.
const finish = async (said, issuer) => {
  const over = await run(said, 'sign', keep);
  if (over.open) {
    await put('flows', 'login', { state: over.state, issuer });
    location.assign(over.open);
    return;
  }
  if (over.later) {
    contents.later.push({ state: over.state, since: new Date().toISOString(), issuer, interval: over.later.interval });
    await save();
    by('done-text').textContent = word('later', { name: issuer });
    by('done-on').hidden = true;
    await show('done');
    return;
  }
  await show('home');
};

const keep = async (card) => {
  const at = contents.cards.findIndex((one) => one.id === card.id);
  if (at < 0) {
    contents.cards.push(card);
  } else {
    const old = contents.cards[at];
    const kept = old.reuse?.id === 'limited_time' ? [] : old.copies.filter((copy) => !copy.used || old.reuse?.id !== 'once_only');
    contents.cards[at] = { ...card, refill: card.refill || old.refill, copies: [...card.copies, ...kept].slice(0, 30) };
  }
  note('received', { card: nameOf(card), who: card.issuer });
  await save();
};

export const note = (what, more) => { contents.history = [{ at: new Date().toISOString(), what, ...more }, ...contents.history].slice(0, 500); };

// back goes on where the issuer's login has sent the browser.
export const back = async (query) => {
  const flow = await get('flows', 'login');
  await remove('flows', 'login');
  if (!flow) throw new Error('failed');
  await finish(await step('back', { state: flow.state, query }), flow.issuer);
};

// topUp asks for what was to come later, and for more copies of cards that run out.
export const topUp = async () => {
  for (const waiting of [...contents.later]) {
    if (Date.now() - new Date(waiting.asked || waiting.since) < (waiting.interval || 5) * 1000) continue;
    waiting.asked = new Date().toISOString();
    try {
      const over = await run(await step('poll', { state: waiting.state }), 'sign', keep);
      if (over.later) waiting.state = over.state;
      else contents.later = contents.later.filter((one) => one !== waiting);
    } catch (error) {
      if (error.code === 'credential-refused' || error.code === 'step-expired') contents.later = contents.later.filter((one) => one !== waiting);
    }
    await save();
  }
  for (const card of contents.cards.filter(low)) await more(card).catch(() => {});
};

const low = (card) => {
  const unused = card.copies.filter((c) => !c.used).length;
  if (!card.refill || !card.reuse) return false;
  if (card.reuse.id === 'limited_time') return new Date(card.until) - Date.now() < Math.max(card.reuse.reissue_trigger_lifetime_left || 0, 3600) * 1000;
  return card.reuse.id !== 'rotating_batch' && unused <= Math.max(card.reuse.reissue_trigger_unused || 0, 1);
};

const more = async (card) => {
  const bound = await publicKey(card.refill.key);
  if (!bound) return;
  const keys = await makeMany(Math.max(1, Math.min(card.refill.copies || 1, 10)));
  await run(await step('more', { card: { ...card, copies: [] }, keys: [bound, ...keys.map((k) => k.jwk)] }), 'sign', keep);
};
