// Works out the challenge of the page (ALTCHA): the number whose hash with the salt is the challenge.
const work = document.getElementById('work');
const asked = JSON.parse(work.dataset.challenge);
const hex = (buffer) => [...new Uint8Array(buffer)].map((b) => b.toString(16).padStart(2, '0')).join('');
const text = new TextEncoder();
(async () => {
  for (let number = 0; number <= asked.maxnumber; number++) {
    if (hex(await crypto.subtle.digest('SHA-256', text.encode(asked.salt + number))) !== asked.challenge) continue;
    work.value = btoa(JSON.stringify({ algorithm: asked.algorithm, challenge: asked.challenge, number, salt: asked.salt, signature: asked.signature }));
    const state = document.getElementById('work-state');
    state.textContent = state.dataset.done;
    return;
  }
})();
