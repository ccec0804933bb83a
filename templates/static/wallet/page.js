// Small helpers for the page: its words, its views, and what goes wrong.
export const by = (id) => document.getElementById(id);
const words = by('words').content;
export const word = (key, fill = {}) => {
  const found = words.querySelector(`[data-word="${key}"]`);
  return found ? found.textContent.replace(/\{(name|other)\}/g, (_, name) => fill[name] ?? '') : '';
};

export const el = (tag, props = {}, ...children) => {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name in made && name !== 'list') made[name] = value; else made.setAttribute(name, value);
  }
  made.append(...children.filter((c) => c !== undefined && c !== null));
  return made;
};

// pick chooses a text in the reader's language.
export const pick = (all) => {
  const tongue = document.documentElement.lang;
  const of = (one) => (one.locale || '').slice(0, 2);
  return all?.find((one) => of(one) === tongue) || all?.find((one) => of(one) === 'en') || all?.[0];
};
export const date = (text) => (text ? new Date(text).toLocaleDateString(document.documentElement.lang, { dateStyle: 'medium' }) : '');
export const moment = (text) => new Date(text).toLocaleString(document.documentElement.lang, { dateStyle: 'medium', timeStyle: 'short' });

const entering = {};
export const onEnter = (name, act) => { entering[name] = act; };

// show brings a view to the front, and the reader to its beginning.
export const show = async (name, detail, { push = true } = {}) => {
  if (push) history.pushState({ name, detail }, '', '/wallet');
  by('trouble').hidden = true;
  for (const view of document.querySelectorAll('.view')) view.hidden = view.id !== `view-${name}`;
  await entering[name]?.(detail);
  const title = document.querySelector(`#view-${name} h1`);
  title?.setAttribute('tabindex', '-1');
  title?.focus({ preventScroll: true });
  scrollTo(0, 0);
};

export const trouble = (text) => {
  by('trouble').hidden = false;
  by('trouble-text').textContent = text;
  by('trouble').scrollIntoView({ block: 'nearest' });
};

// busy does something that takes a while, and says when it goes wrong.
export const busy = async (act) => {
  const state = by('state');
  by('trouble').hidden = true;
  state.textContent = word('working');
  document.body.setAttribute('aria-busy', 'true');
  try {
    return await act();
  } catch (error) {
    trouble(error.sentence || word(error.message) || word('failed'));
    return undefined;
  } finally {
    state.textContent = '';
    document.body.removeAttribute('aria-busy');
  }
};

// form runs an act with the fields of a form.
export const form = (id, act) => by(id).addEventListener('submit', (event) => {
  event.preventDefault();
  busy(() => act(new FormData(event.target), event.submitter));
});
