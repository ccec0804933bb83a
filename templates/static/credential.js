// Where the browser itself can ask wallets (Digital Credentials API), a button does
// so: the answer is bound to this page, and nothing has to be scanned or compared.
const asking = document.getElementById('credential');
const offer = document.getElementById('credential-browser');
if (offer && 'DigitalCredential' in window) {
  offer.hidden = false;
  offer.querySelector('button').addEventListener('click', async () => {
    try {
      const asked = await fetch('/oidc/login/credential/browser', { method: 'POST', body: new URLSearchParams(new FormData(asking)), headers: { Accept: 'application/json' } });
      const { request, answer_uri: answer } = await asked.json();
      const given = await navigator.credentials.get(request);
      await fetch(answer, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ protocol: given.protocol, data: given.data }) });
      asking.requestSubmit();
    } catch { location.reload(); /* declined, or no wallet: the picture is made anew */ }
  });
}
