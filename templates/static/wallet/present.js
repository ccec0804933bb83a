// Showing cards to somebody who asks for them.
import { nameOf, rows } from './cards.js';
import { run, step } from './errand.js';
import { publicKey } from './keys.js';
import { by, el, show, word } from './page.js';
import { note, topUp } from './receive.js';
import { contents, save } from './vault.js';

let asked, choices;

const fits = (card, want) => {
  const format = card.format === 'vc+sd-jwt' ? 'dc+sd-jwt' : card.format;
  return format === want.format && (!want.types || want.types.some((all) => all.every((type) => card.types.includes(type))));
};

export const begin = async (link) => {
  asked = await step('ask', { link });
  if (contents.once.includes(asked.once)) throw new Error('answered');
  // Only cards of a kind that is asked for leave this browser to be matched, without what they are refilled by.
  const cards = contents.cards.filter((card) => asked.wants.some((want) => fits(card, want))).map(({ refill, notice, ...card }) => card);
  choices = await step('match', { state: asked.state, cards });
  await show('ask');
};

const way = (query, card, w, at, only) => {
  const id = `way-${query}-${card.card}-${at}`;
  const held = contents.cards.find((one) => one.id === card.card);
  return el('div', { className: 'way' }, el('div', { className: 'choice' },
    el('input', { type: 'radio', name: `q-${query}`, id, value: `${at} ${card.card}`, checked: only }), el('label', { htmlFor: id }, word(at ? 'instead' : 'shows', { name: nameOf(held) }))), rows(w.lines));
};

const question = (q, optional) => {
  const ways = q.cards.flatMap((card) => card.ways.map((w, at) => ({ card, w, at })).filter(({ w }) => w.lines));
  const set = el('fieldset', { className: 'panel' }, el('legend', { textContent: word(optional ? 'optional' : 'purpose') }),
    ...ways.map(({ card, w, at }, i) => way(q.id, card, w, at, i === 0 && !optional)));
  if (optional) set.append(el('div', { className: 'choice' }, el('input', { type: 'radio', name: `q-${q.id}`, id: `none-${q.id}`, value: '', checked: true }), el('label', { htmlFor: `none-${q.id}`, textContent: word('no') })));
  set.dataset.query = q.id;
  return set;
};

export const enterAsk = () => {
  if (!choices) return show('home');
  const { who } = asked;
  by('ask-name').textContent = who.name || who.domain;
  by('ask-domain').textContent = who.domain;
  by('ask-id').textContent = who.id;
  by('ask-mark').textContent = word(`mark.${who.mark}`);
  by('ask-mark').className = `verdict ${{ vouched: 'valid', proven: 'unknown', unproven: 'invalid' }[who.mark]}`;
  by('ask-purpose').textContent = asked.purpose || '';
  by('ask-purpose').hidden = !asked.purpose;
  by('ask-transactions').replaceChildren(...(asked.transactions || []).map((t) => el('div', { className: 'panel' }, el('h2', { textContent: word('authorizes') }),
    rows(Object.entries(t).filter(([name]) => !/^credential_ids$|_alg$/.test(name)).map(([name, value]) => ({ path: [name], value }))))));
  const optional = new Set((choices.sets || []).filter((s) => s.optional).flatMap((s) => s.options.flat()));
  const needed = new Set((choices.sets || []).filter((s) => !s.optional).flatMap((s) => s.options[0]));
  by('ask-queries').replaceChildren(...choices.queries.filter((q) => q.cards.length).map((q) => question(q, choices.sets?.length && (optional.has(q.id) || !needed.has(q.id)))));
  return undefined;
};

export const share = async (fields, submitter) => {
  if (submitter?.value === 'refuse') {
    await step('refuse', { state: asked.state });
    return done(word('declined', { name: asked.who.domain }));
  }
  const chosen = choices.queries.map((q) => [q.id, fields.get(`q-${q.id}`)]).filter(([, value]) => value)
    .map(([query, value]) => { const at = value.indexOf(' '); return { query, way: Number(value.slice(0, at)), card: value.slice(at + 1) }; });
  const names = new Set(chosen.flatMap((c) => contents.cards.find((one) => one.id === c.card).copies.map((copy) => copy.key)).filter(Boolean));
  const keys = [];
  for (const name of names) { const key = await publicKey(name); if (key) keys.push(key); }
  if (names.size && !keys.length) throw new Error('elsewhere');
  const over = await run(await step('choose', { state: choices.state, choices: chosen, keys }), 'answer', () => {});
  contents.once = [...contents.once, asked.once].slice(-500);
  for (const said of over.said || []) {
    const card = contents.cards.find((one) => one.id === said.card);
    const copy = card.copies[said.copy];
    copy.used = (copy.used || 0) + 1;
    copy.shown = [...(copy.shown || []), asked.who.id].slice(-50);
    note('shown', { card: nameOf(card), who: asked.who.name || asked.who.domain, domain: asked.who.domain, lines: said.lines.map(({ path, labels }) => ({ path, labels })) });
  }
  await save();
  topUp().catch(() => {});
  return done(word(over.sent?.redirect ? 'shared.back' : 'shared', { name: asked.who.name || asked.who.domain }), over.sent?.redirect);
};

const done = (text, on) => {
  choices = undefined;
  by('done-text').textContent = text;
  by('done-on').hidden = !on;
  if (on) by('done-on').href = on;
  return show('done');
};
