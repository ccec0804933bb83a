// Cards as they are drawn and read.
import { date, el, pick, word } from './page.js';

export const nameOf = (card) => pick(card.display)?.name || card.configuration || word('unnamed');
export const issuerOf = (card) => pick(card.issuers)?.name || new URL(card.issuer).host;

const colour = /^#[0-9a-f]{6}$/i;
const light = (hex) => {
  const [r, g, b] = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16) / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};

// paint wears the issuer's colour, with letters that can be read on it.
const paint = (node, { background_color: ground }) => {
  if (!colour.test(ground || '')) return;
  node.style.setProperty('--card', ground);
  node.style.setProperty('--card-ink', light(ground) > 0.18 ? '#000000' : '#ffffff');
};

export const draw = (card, open) => {
  const look = pick(card.display) || {};
  const over = card.until && new Date(card.until) < new Date();
  const logo = look.logo?.uri ? el('img', { src: look.logo.uri, alt: '', width: 40, height: 40 }) : null;
  const node = el('button', { type: 'button', className: 'idcard', onclick: () => open(card) }, logo, el('span', { className: 'idcard-name', dir: 'auto', textContent: nameOf(card) }),
    el('span', { dir: 'auto', textContent: issuerOf(card) }),
    el('span', { textContent: over ? word('expired') : card.until ? word('until', { name: date(card.until) }) : '' }));
  paint(node, look);
  return el('li', {}, node);
};

const plain = (name) => String(name).replace(/([a-z])([A-Z])/g, '$1 $2').replace(/_/g, ' ');
export const labelOf = (line) => pick(line.labels)?.name || line.path.filter((step) => typeof step === 'string').slice(-1).map(plain)[0] || '';

const picture = /^data:image\/(png|jpeg|webp);base64,/;
export const valueOf = (value, label) => {
  if (value === true || value === false) return word(value ? 'yes' : 'no');
  if (Array.isArray(value)) {
    const said = value.filter((one) => one && typeof one === 'object' && '@value' in one);
    if (said.length) return String(pick(said.map((one) => ({ ...one, locale: one['@language'] })))['@value']);
    return value.map((one) => (typeof one === 'object' ? JSON.stringify(one) : one)).join(', ');
  }
  if (value && typeof value === 'object') return '@value' in value ? String(value['@value']) : JSON.stringify(value);
  const text = String(value ?? '');
  if (picture.test(text)) return el('img', { src: text, alt: label, className: 'portrait' });
  return text;
};

// rows are what a card says, or what of it would leave.
export const rows = (lines) => el('dl', { className: 'rows panel' }, ...(lines || []).flatMap((line) => {
  const label = labelOf(line);
  return [el('dt', { dir: 'auto', textContent: label }), el('dd', { dir: 'auto' }, valueOf(line.value, label))];
}));
