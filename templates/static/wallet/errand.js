// Errands: the server builds what must be signed and speaks to issuers and verifiers;
// the signatures are made here.
import { sign } from './keys.js';
import { word } from './page.js';

export const step = async (name, body) => {
  let answer;
  try {
    answer = await fetch(`/wallet/errand/${name}`, { method: 'POST', headers: { 'Content-Type': 'application/json', Accept: 'application/json' }, body: JSON.stringify(body) });
  } catch {
    throw new Error('network');
  }
  const said = await answer.json().catch(() => ({}));
  if (answer.ok) return said;
  const code = (said.type || '').split('/').pop();
  throw Object.assign(new Error('failed'), { code, sentence: word(`fault.${code}`) || said.detail });
};

// run goes on until the errand is over, or waits for somebody else.
export const run = async (said, next, kept) => {
  for (;;) {
    if (said.card) await kept(said.card);
    if (said.done || said.later || said.open || !said.sign) return said;
    said = await step(next, { state: said.state, signatures: await sign(said.sign) });
  }
};
