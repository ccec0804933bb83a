// Looks whether the wallet has answered, and shows it once it has.
import { by } from './words.js';

const form = by('asked');
const look = async () => {
  try {
    const answer = await fetch('/verify/ask/state', { headers: { Accept: 'application/json' } });
    const { state } = await answer.json();
    if (state !== 'asked' && state !== 'opened') return location.assign('/verify/ask');
    by('opened').hidden = state !== 'opened';
  } catch { /* the line is poor: look again */ }
  return setTimeout(look, 2000);
};
if (form.dataset.poll === 'true') setTimeout(look, 2000);
