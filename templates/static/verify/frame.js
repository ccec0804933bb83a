// The verifier within a page of a registered origin. It tells that page, once greeted,
// and nobody else, what the verdict is and why; what a credential says it never tells.
import { offerCamera } from './camera.js';
import { by, say, show } from './words.js';

const asked = new URLSearchParams(location.search);
let host;
const hosts = [location.origin, ...by('page').dataset.hosts.split(' ').filter(Boolean)];
const tell = (message) => { if (host) window.parent.postMessage({ source: 'plinth-verify', ...message }, host); };
window.addEventListener('message', (event) => {
  // The first greeting of the page around us decides whom we tell.
  if (host || event.source !== window.parent || !hosts.includes(event.origin) || event.data?.source !== 'plinth-verify-host') return;
  host = event.origin;
  tell({ type: 'ready' });
  if (asked.get('mode') === 'ask') askWallet(asked.get('preset') || '');
});

const finish = (verdict) => {
  show({ ...verdict, issuer: verdict.issuer, validUntil: verdict.valid_until && Date.parse(verdict.valid_until) / 1000, statusAt: verdict.status_at && Date.parse(verdict.status_at) / 1000 });
  tell({ type: 'verdict', detail: { verdict: verdict.verdict, reasons: verdict.reasons } });
};

const check = async (body) => {
  const answer = await fetch('/verify/check', { method: 'POST', headers: { 'Content-Type': 'application/octet-stream' }, body });
  const verdict = await answer.json();
  if (!answer.ok) {
    say('scan.nocode');
    return tell({ type: 'error', detail: { code: verdict.type } });
  }
  return finish(verdict);
};

const askWallet = async (preset) => {
  const made = await fetch('/vp/requests', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ preset }) });
  if (!made.ok) return say('ask.nobrowser');
  const request = await made.json();
  by('picture').src = request.qr;
  by('open').href = request.link;
  by('asked').hidden = false;
  for (;;) {
    const answer = await fetch(`/vp/requests/${request.id}`, { headers: { Authorization: `Bearer ${request.secret}` } });
    const result = await answer.json();
    if (!answer.ok || !['asked', 'opened'].includes(result.state)) {
      by('asked').hidden = true;
      const [shown] = result.credentials || [];
      if (result.state === 'answered' && shown) return finish({ ...shown, verdict: result.verdict });
      say(`answer.${result.state === 'refused' || result.state === 'expired' ? result.state : 'failed'}`);
      return tell({ type: 'error', detail: { code: result.state } });
    }
    await new Promise((resolve) => { setTimeout(resolve, 2000); });
  }
};

for (const around of ['.top', '.bottom']) document.querySelector(around).hidden = true; // of a page of our own
by('page').hidden = false;
if (asked.get('mode') === 'ask') {
  by('ways').hidden = true;
  if (window.parent === window) askWallet(asked.get('preset') || '');
} else {
  offerCamera((text) => check(text));
  by('check').addEventListener('submit', (event) => {
    event.preventDefault();
    check(by('file').files[0] || by('text').value);
  });
}
