// Finds the capture devices of this computer (Secure Biometric Interface 0.9.5), has one
// capture what the page asks for, and sends what it answers with the form.
const by = (id) => document.getElementById(id);
const form = by('device-form');
const asked = JSON.parse(form.dataset.request);
const wanted = asked.bio[0];
const list = by('device-list');
let found = [];

const ask = async (base, verb, path, body, patience) => {
  const answer = await fetch(base + path, { method: verb, body: body && JSON.stringify(body), headers: body ? { 'Content-Type': 'application/json' } : {},
    credentials: 'omit', cache: 'no-store', redirect: 'error', signal: AbortSignal.timeout(patience) });
  return answer.json();
};
const read = (text) => JSON.parse(new TextDecoder().decode(Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), (c) => c.charCodeAt(0))));

const search = async () => {
  const ports = Array.from({ length: 100 }, (_, i) => `http://127.0.0.1:${4501 + i}`);
  const answers = await Promise.all(ports.map((base) => ask(base, 'MOSIPDISC', '/device', { type: wanted.type }, 3000)
    .then((all) => all.map((device) => ({ ...device, base }))).catch(() => [])));
  return answers.flat().filter((d) => {
    try { d.identity = read(d.digitalId); } catch { return false; }
    return d.deviceId && d.purpose === 'Auth' && d.deviceStatus === 'Ready' && d.identity.type === wanted.type;
  });
};

// environment is what the device says that it is registered in; the server checks it.
const environment = async (device) => {
  const all = await ask(device.base, 'MOSIPDINFO', '/info', undefined, 5000);
  for (const { deviceInfo } of all) {
    const info = read(deviceInfo.split('.')[1] || deviceInfo);
    if (info.deviceId === device.deviceId) return info.env;
  }
  throw new Error('the device does not know itself');
};

// part is the piece of a device that takes a position: 0 is the whole device.
const part = (device, position) => {
  const parts = (device.deviceSubId || []).map(String);
  if (parts.includes('0') || !parts.length) return '0';
  if (/Thumb/.test(position)) return '3';
  return /^Left/.test(position) ? '1' : '2';
};

const capture = async (device) => {
  const chosen = by('device-position');
  const position = chosen ? chosen.selectedOptions[0].dataset.device : '';
  const bio = { ...wanted, deviceId: device.deviceId, deviceSubId: part(device, position), bioSubType: position ? [position] : [] };
  const request = { ...asked, env: await environment(device), captureTime: new Date().toISOString().slice(0, 19) + 'Z', bio: [bio] };
  return ask(device.base, 'CAPTURE', '/capture', request, Number(asked.timeout) + 10000);
};

const show = (id, shown) => { by(id).hidden = !shown; };
const say = (what) => { by('device-state').textContent = what || ''; };

form.addEventListener('submit', async (event) => {
  const said = by('device-answer');
  if (said.value) return;
  event.preventDefault();
  const button = by('device');
  button.disabled = true;
  show('device-none', false);
  show('device-failed', false);
  try {
    if (!found.length) {
      say(by('device-state').dataset.search);
      found = await search();
      list.replaceChildren(...found.map((d, i) => new Option([d.identity.make, d.identity.model, d.identity.serialNo].join(' '), String(i))));
      if (found.length > 1) {
        show('device-choice', true);
        list.focus();
        return;
      }
      if (!found.length) return show('device-none', true);
    }
    say(by('device-state').dataset.capture);
    const answer = await capture(found[Number(list.value)]);
    if (!answer.biometrics.some((b) => b.data)) return show('device-failed', true);
    said.value = JSON.stringify(answer);
    form.requestSubmit();
  } catch {
    found = [];
    show('device-choice', false);
    show('device-failed', true);
  } finally {
    say('');
    button.disabled = false;
  }
});
