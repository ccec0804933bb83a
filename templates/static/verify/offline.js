// The page that works without a network. What it needs to know is kept on the device
// and renewed whenever there is a network.
import { offerCamera } from './camera.js';
import { fromPicture } from './scan.js';
import { accept, judge } from './judge.js';
import { by, say, show, time, word } from './words.js';

const name = 'plinth-offline';
const keep = (kept) => localStorage.setItem(name, JSON.stringify(kept));
const load = () => {
  try { return JSON.parse(localStorage.getItem(name)); } catch { return null; }
};
let kept = load();

const tell = () => {
  const now = Date.now() / 1000;
  let key = 'offline.none';
  if (kept) key = kept.exp <= now ? 'offline.old' : 'offline.ready';
  by('known').textContent = word(key, { time: kept ? time(kept.iat) : '' });
};

const renew = async () => {
  try {
    const answer = await fetch('/verify/offline.json', { cache: 'no-store' });
    if (!answer.ok) throw new Error('refused');
    const { edition, keys } = await answer.json();
    kept = await accept(edition, keys, kept);
    keep(kept);
  } catch { /* without a network the edition of before serves */ }
  tell();
};

const check = async (text) => {
  if (!kept) return say('offline.none');
  say('');
  show(await judge(text, kept));
  by('result').focus();
  return undefined;
};

by('check').addEventListener('submit', async (event) => {
  event.preventDefault();
  const [file] = by('file').files;
  if (!file) return check(by('text').value);
  const text = await fromPicture(file).catch(() => undefined);
  return text ? check(text) : say('scan.nocode');
});
by('renew').addEventListener('click', renew);
by('page').hidden = false;
offerCamera(check);
tell();
await renew();
if ('serviceWorker' in navigator) {
  await navigator.serviceWorker.register('/verify/worker.js', { scope: '/verify/' });
  await navigator.serviceWorker.ready;
  document.documentElement.dataset.ready = 'true'; // it works without a network from now on
}
