// <plinth-verify mode="scan|ask" preset="identity"> puts the verifier of this origin into
// web pages of the origins that PLINTH_VERIFIER_EMBED lists. It fires "ready", then
// "verdict" (detail: {verdict, reasons}) or "error". What a credential says stays between
// the frame and the origin that it comes from: the page around it is never told.
(() => {
  const home = new URL(document.currentScript.src).origin;
  class PlinthVerify extends HTMLElement {
    connectedCallback() {
      const frame = document.createElement('iframe');
      const query = new URLSearchParams({ mode: this.getAttribute('mode') || 'scan' });
      for (const name of ['preset', 'lang']) if (this.hasAttribute(name)) query.set(name, this.getAttribute(name));
      frame.src = `${home}/verify/frame?${query}`;
      frame.allow = `camera ${home}`;
      frame.title = this.getAttribute('title') || 'Plinth';
      frame.style.cssText = 'border:0;inline-size:100%;block-size:40rem;max-block-size:100%';
      this.listener = (event) => {
        // Only our frame, and only while it shows our page.
        if (event.source !== frame.contentWindow || event.origin !== home || event.data?.source !== 'plinth-verify') return;
        if (['ready', 'verdict', 'error'].includes(event.data.type)) this.dispatchEvent(new CustomEvent(event.data.type, { detail: event.data.detail }));
      };
      window.addEventListener('message', this.listener);
      frame.addEventListener('load', () => frame.contentWindow.postMessage({ source: 'plinth-verify-host' }, home));
      this.replaceChildren(frame);
    }

    disconnectedCallback() {
      window.removeEventListener('message', this.listener);
      this.replaceChildren();
    }
  }
  if (!customElements.get('plinth-verify')) customElements.define('plinth-verify', PlinthVerify);
})();
