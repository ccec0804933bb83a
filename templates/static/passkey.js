// Asks the browser for a passkey, and sends what it says with the form.
const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), (c) => c.charCodeAt(0));
const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');

const form = document.getElementById('passkey-form');
form.addEventListener('submit', async (event) => {
  const said = document.getElementById('passkey-said');
  if (said.value) return;
  event.preventDefault();
  const none = document.getElementById('passkey-none');
  none.hidden = true;
  try {
    const options = JSON.parse(form.dataset.options).publicKey;
    options.challenge = bytes(options.challenge);
    for (const list of [options.allowCredentials, options.excludeCredentials]) for (const one of list || []) one.id = bytes(one.id);
    const making = Boolean(options.user);
    if (making) options.user.id = bytes(options.user.id);
    const made = making ? await navigator.credentials.create({ publicKey: options }) : await navigator.credentials.get({ publicKey: options });
    const response = {};
    for (const name of ['clientDataJSON', 'authenticatorData', 'signature', 'userHandle', 'attestationObject'])
      if (made.response[name]) response[name] = text(made.response[name]);
    said.value = JSON.stringify({ id: made.id, rawId: text(made.rawId), type: made.type, response, clientExtensionResults: made.getClientExtensionResults() });
    form.requestSubmit();
  } catch {
    none.hidden = false;
    none.scrollIntoView({ block: 'nearest' });
  }
});
