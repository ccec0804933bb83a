// The page that checks a credential: a code that the camera sees is sent like a text,
// and a browser with a wallet of its own can be asked without a picture.
import { offerCamera } from './camera.js';
import { by, say } from './words.js';

offerCamera((text) => {
  by('file').value = '';
  by('text').value = text;
  by('check').requestSubmit();
});

// askBrowser asks by the Digital Credentials API. The server knows by a cookie whose
// request it is, and shows the answer like every other.
const askBrowser = async (preset) => {
  const made = await fetch('/verify/ask', { method: 'POST', body: new URLSearchParams({ preset, flow: 'browser' }) });
  if (!made.ok) throw new Error('refused');
  const request = await made.json();
  const shown = await navigator.credentials.get({ mediation: 'required', digital: { requests: [request.dc_api] } });
  await fetch('/verify/ask/answer', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ protocol: shown.protocol, data: shown.data }) });
  location.assign('/verify/ask');
};

if ('DigitalCredential' in window && by('ask-browser')) {
  by('ask-browser').hidden = false;
  by('ask-browser').addEventListener('click', async () => {
    try {
      await askBrowser(document.querySelector('[name=preset]:checked').value);
    } catch {
      say('ask.nobrowser');
    }
  });
}
