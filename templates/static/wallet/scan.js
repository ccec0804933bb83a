// Reading a QR code: by the camera, or from a picture. A browser that cannot read one
// itself has us read it; pictures are not kept.
import { by } from './page.js';

const native = 'BarcodeDetector' in window ? new window.BarcodeDetector({ formats: ['qr_code'] }) : null;

const read = async (source) => {
  if (native) return (await native.detect(source))[0]?.rawValue;
  const answer = await fetch('/wallet/scan', { method: 'POST', body: source });
  return answer.ok ? (await answer.json()).text : undefined;
};

export const fromFile = async (file) => {
  const text = await read(native ? await createImageBitmap(file) : file);
  if (!text) throw new Error('nocode');
  return text;
};

let stream;
export const stop = () => {
  stream?.getTracks().forEach((track) => track.stop());
  stream = undefined;
  by('camera').hidden = true;
};

// fromCamera looks until there is a code, or until it is stopped.
export const fromCamera = async () => {
  const video = by('video');
  stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: 'environment' } });
  by('camera').hidden = false;
  video.srcObject = stream;
  await video.play();
  const canvas = document.createElement('canvas');
  while (stream) {
    canvas.width = video.videoWidth;
    canvas.height = video.videoHeight;
    canvas.getContext('2d').drawImage(video, 0, 0);
    const text = await read(native ? canvas : await new Promise((resolve) => { canvas.toBlob(resolve, 'image/jpeg', 0.8); })).catch(() => undefined);
    if (text && stream) { stop(); return text; }
    await new Promise((resolve) => { setTimeout(resolve, native ? 150 : 700); });
  }
  return undefined;
};
