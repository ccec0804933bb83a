// The sentences of the page, in the reader's language, and verdicts in words.
export const by = (id) => document.getElementById(id);
export const word = (key, holes = {}) => {
  const found = by('words').content.querySelector(`[data-word="${key}"]`);
  return found ? found.textContent.replace(/\{(\w+)\}/g, (hole, name) => holes[name] ?? hole) : key;
};
export const say = (key, holes) => { by('state').textContent = key ? word(key, holes) : ''; };
export const time = (seconds) => new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: 'medium', timeStyle: 'short' }).format(new Date(seconds * 1000));

const labels = { given_name: 'givenName', middle_name: 'middleName', family_name: 'familyName', name: 'fullName', birthdate: 'birthDate', birth_date: 'birthDate', place_of_birth: 'birthPlace', sex: 'gender', phone_number: 'phone' };
const order = ['fullName', 'secondFullName', 'givenName', 'middleName', 'familyName', 'birthDate', 'birthPlace', 'gender', 'nationality', 'address', 'email', 'phone'];
const plain = (value) => {
  if (Array.isArray(value)) return value.map(plain).join(' · ');
  if (value && typeof value === 'object') return Object.entries(value).map(([name, inner]) => `${name}: ${plain(inner)}`).join(', ');
  return String(value);
};
const row = (list, term, text, strong) => {
  const dt = document.createElement('dt');
  const dd = document.createElement('dd');
  dt.textContent = term;
  dd.dir = 'auto';
  if (strong) {
    const mark = document.createElement('strong');
    mark.textContent = strong;
    dd.append(mark, ' · ');
  }
  dd.append(text);
  list.append(dt, dd);
};

// show writes a verdict into the page: what it is first, so that it is read out first.
export const show = (verdict) => {
  const claims = by('claims');
  const checks = by('checks');
  claims.replaceChildren();
  checks.replaceChildren();
  const rank = ([name]) => { const at = order.indexOf(labels[name] || name); return at < 0 ? order.length : at; };
  for (const [name, value] of Object.entries(verdict.claims || {}).sort((a, b) => rank(a) - rank(b))) {
    if (['portrait', 'picture'].includes(name)) continue;
    const key = `claim.${labels[name] || name}`;
    const label = word(key);
    row(claims, label === key ? name : label, plain(value));
  }
  for (const reason of verdict.reasons) row(checks, word(`check.${reason.name}`), word(`code.${reason.code}`), word(`result.${reason.result}`));
  if (verdict.issuer) row(checks, word('issuer'), verdict.issuer);
  if (verdict.validUntil) row(checks, word('expires'), time(verdict.validUntil));
  if (verdict.statusAt) row(checks, word('check.status'), word('status.asof', { time: time(verdict.statusAt) }));
  by('says').hidden = !claims.children.length;
  by('verdict-title').textContent = word(`verdict.${verdict.verdict}`);
  by('verdict-meaning').textContent = word(`meaning.${verdict.verdict}`);
  by('verdict').className = `verdict ${verdict.verdict}`;
  by('result').hidden = false;
};
