// Reads QR codes from the camera and from pictures, on this device: by the browser
// where it can, and else by a reader that is fetched when it is first needed.
const native = async () => {
  if (!('BarcodeDetector' in window)) return null;
  const formats = await window.BarcodeDetector.getSupportedFormats().catch(() => []);
  return formats.includes('qr_code') ? new window.BarcodeDetector({ formats: ['qr_code'] }) : null;
};

const here = new URL('./', import.meta.url);
const fetched = () => new Promise((resolve, reject) => {
  const script = document.createElement('script');
  script.src = new URL('zxing.js', here);
  script.onload = () => {
    window.ZXingWASM.prepareZXingModule({ overrides: { locateFile: () => new URL('zxing.wasm', here).href } });
    resolve(window.ZXingWASM);
  };
  script.onerror = () => reject(new Error('the reader could not be fetched'));
  document.head.append(script);
});

let reader;
const prepared = () => {
  reader ||= (async () => {
    const detector = await native();
    if (detector) return async (source) => (await detector.detect(source))[0]?.rawValue;
    const zxing = await fetched();
    return async (source) => (await zxing.readBarcodes(source, { formats: ['QRCode'], tryHarder: true, maxNumberOfSymbols: 1 }))[0]?.text;
  })();
  reader.catch(() => { reader = undefined; });
  return reader;
};

const drawn = (source, width, height) => {
  const canvas = document.createElement('canvas');
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext('2d', { willReadFrequently: true });
  context.drawImage(source, 0, 0, width, height);
  return context.getImageData(0, 0, width, height);
};

// fromPicture gives the text of the code in a picture; undefined: there is none.
export const fromPicture = async (file) => {
  const read = await prepared();
  const picture = await createImageBitmap(file);
  const scale = Math.min(1, 4000 / Math.max(picture.width, picture.height));
  return read(drawn(picture, Math.round(picture.width * scale), Math.round(picture.height * scale)));
};

// Camera shows what it sees in a video and gives the first code.
export class Camera {
  constructor(video) { this.video = video; }

  async look() {
    this.stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: 'environment', width: { ideal: 1920 }, height: { ideal: 1080 } } });
    const { video } = this;
    video.srcObject = this.stream;
    await video.play();
    const read = await prepared();
    while (this.stream) {
      if (video.videoWidth) {
        const text = await read(drawn(video, video.videoWidth, video.videoHeight)).catch(() => undefined);
        if (text && this.stream) { this.stop(); return text; }
      }
      await new Promise((resolve) => { setTimeout(resolve, 120); });
    }
    return undefined;
  }

  stop() {
    this.stream?.getTracks().forEach((track) => track.stop());
    this.stream = undefined;
    this.video.srcObject = null;
  }
}
