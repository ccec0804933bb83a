// Opens the camera in a page and gives the text of the code that it sees.
import { Camera } from './scan.js';
import { by, say } from './words.js';

export const offerCamera = (found) => {
  if (!navigator.mediaDevices?.getUserMedia) return;
  const camera = new Camera(by('video'));
  const close = () => { camera.stop(); by('camera').hidden = true; by('scan').hidden = false; };
  by('scan-panel').hidden = false;
  by('scan').addEventListener('click', async () => {
    by('scan').hidden = true;
    by('camera').hidden = false;
    by('stop').focus();
    say('scan.looking');
    try {
      const text = await camera.look();
      close();
      if (text) { say('scan.found'); await found(text); }
    } catch {
      close();
      say('scan.nocamera');
    }
  });
  by('stop').addEventListener('click', () => { close(); say(''); by('scan').focus(); });
};
