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

// Each question has one answer: a card, in one of the ways with which the verifier is content.
const way = (group, query, { card, w, at }, only) => {
  const id = `way-${group}-${query}-${card.card}-${at}`;
  const held = contents.cards.find((one) => one.id === card.card);
  return el('div', { className: 'way' }, el('div', { className: 'choice' },
    el('input', { type: 'radio', name: `g-${group}`, id, value: JSON.stringify({ query, way: at, card: card.card }), checked: only }), el('label', { htmlFor: id }, word(at ? 'instead' : 'shows', { name: nameOf(held) }))), rows(w.lines));
};

const question = ({ queries, optional }, group) => {
  const ways = queries.flatMap((q) => q.cards.flatMap((card) => card.ways.map((w, at) => ({ query: q.id, card, w, at })).filter(({ w }) => w.lines)));
  const set = el('fieldset', { className: 'panel' }, el('legend', { textContent: word(optional ? 'optional' : 'purpose') }), ...ways.map((one, i) => way(group, one.query, one, i === 0 && !optional)));
  if (optional) set.append(el('div', { className: 'choice' }, el('input', { type: 'radio', name: `g-${group}`, id: `none-${group}`, value: '', checked: true }), el('label', { htmlFor: `none-${group}`, textContent: word('no') })));
  return set;
};

// groups are the questions: where one of several cards is asked for, that is one question.
const groups = () => {
  const by = Object.fromEntries(choices.queries.filter((q) => q.cards.length).map((q) => [q.id, q]));
  if (!choices.sets?.length) return Object.values(by).map((q) => ({ queries: [q] }));
  return choices.sets.flatMap(({ options, optional }) => (options.every((ids) => ids.length === 1)
    ? [{ queries: options.map(([id]) => by[id]), optional }] : options[0].map((id) => ({ queries: [by[id]], optional }))));
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
  by('ask-queries').replaceChildren(...groups().map(question));
  return undefined;
};

export const share = async (fields, submitter) => {
  if (submitter?.value === 'refuse') {
    await step('refuse', { state: asked.state });
    return done(word('declined', { name: asked.who.domain }));
  }
  const chosen = groups().map((_, group) => fields.get(`g-${group}`)).filter(Boolean).map((value) => JSON.parse(value));
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
