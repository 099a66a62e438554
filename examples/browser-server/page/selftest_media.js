// Synthetic media for the self-test, which needs no camera or microphone, and what is seen and heard of it at the other
// end.

const LOUD = 0.01; // root mean square; the tones have 0.2

/** Makes pictures and tones, and looks at and listens to those of others. What it shows goes into a strip of the page. */
export class Studio {
  #strip;
  #sound = new AudioContext(); // begun in a click, because browsers start none by themselves
  #ends = []; // what ends each thing that was made
  #viewers = new Map(); // RemoteTrack → its <video>
  #canvas = Object.assign(document.createElement('canvas'), { width: 8, height: 8 });

  constructor(strip) {
    this.#strip = strip;
    this.#sound.resume();
  }

  /** What the browser says of its sound: running, or suspended if it allows none. */
  get sound() { return this.#sound.state; }

  /** A track of one colour, such as [200, 0, 0], with something that moves in a corner. */
  picture(colour) {
    const canvas = Object.assign(document.createElement('canvas'), { width: 160, height: 120 });
    const context = canvas.getContext('2d');
    let n = 0;
    const draw = () => {
      context.fillStyle = `rgb(${colour})`;
      context.fillRect(0, 0, 160, 120);
      context.fillStyle = n++ % 2 ? 'white' : 'black';
      context.fillRect(0, 0, 10, 10);
    };
    draw();
    const drawing = setInterval(draw, 60);
    this.#strip.append(canvas); // some browsers capture only what is in the page
    const [track] = canvas.captureStream(15).getVideoTracks();
    this.#ends.push(() => {
      clearInterval(drawing);
      track.stop();
      canvas.remove();
    });
    return track;
  }

  /** A track of tones: one for each channel, in Hz. */
  tone(...frequencies) {
    const merger = new ChannelMergerNode(this.#sound, { numberOfInputs: frequencies.length });
    const out = new MediaStreamAudioDestinationNode(this.#sound, { channelCount: frequencies.length });
    const oscillators = frequencies.map((frequency, i) => {
      const oscillator = new OscillatorNode(this.#sound, { frequency });
      oscillator.connect(new GainNode(this.#sound, { gain: 0.3 })).connect(merger, 0, i);
      oscillator.start();
      return oscillator;
    });
    merger.connect(out);
    const [track] = out.stream.getAudioTracks();
    this.#ends.push(() => {
      for (const oscillator of oscillators) oscillator.stop();
      track.stop();
    });
    return track;
  }

  /** The <video> that shows a remote track, made when it is first asked for. */
  viewer(track) {
    if (!this.#viewers.has(track)) {
      const video = Object.assign(document.createElement('video'), { muted: true, playsInline: true, autoplay: true });
      this.#strip.append(video);
      track.attach(video);
      this.#viewers.set(track, video);
    }
    return this.#viewers.get(track);
  }

  /** Whether a remote track shows a colour now. */
  sees(track, colour) {
    const video = track ? this.viewer(track) : null;
    if (!video?.videoWidth || video.paused) return false;
    const context = this.#canvas.getContext('2d', { willReadFrequently: true });
    context.drawImage(video, 0, 0, 8, 8);
    const got = context.getImageData(4, 5, 1, 1).data;
    return colour.every((value, i) => Math.abs(value - got[i]) < 40);
  }

  /** Begins to time the pictures of a remote track. Returns what gives the longest time between two, in ms. */
  longestGap(track) {
    const video = this.viewer(track);
    let [longest, last, over] = [0, performance.now(), false];
    const shown = () => {
      longest = Math.max(longest, performance.now() - last);
      last = performance.now();
      if (!over) video.requestVideoFrameCallback(shown);
    };
    video.requestVideoFrameCallback(shown);
    return () => {
      over = true;
      return Math.round(Math.max(longest, performance.now() - last));
    };
  }

  /** What a remote track sounds like now, left and right: the loudest frequency in Hz, 0 for silence. */
  async hears(track) {
    if (!track?.track) return [0, 0];
    const stream = new MediaStream([track.track]);
    const player = Object.assign(new Audio(), { srcObject: stream, muted: true }); // without it Chromium gives no sound
    player.play().catch(() => {});
    const source = this.#sound.createMediaStreamSource(stream);
    const two = new GainNode(this.#sound, { channelCount: 2, channelCountMode: 'explicit' });
    const splitter = new ChannelSplitterNode(this.#sound, { numberOfOutputs: 2 });
    source.connect(two).connect(splitter);
    const sides = [0, 1].map((i) => {
      const side = new AnalyserNode(this.#sound, { fftSize: 8192 });
      splitter.connect(side, i);
      return side;
    });
    await new Promise((resolve) => { setTimeout(resolve, 300); });
    const heard = sides.map((side) => pitch(side, this.#sound.sampleRate));
    source.disconnect();
    player.srcObject = null;
    return heard;
  }

  /** Plays a remote track aloud, as a call does. Returns what ends it. */
  play(track) {
    const player = Object.assign(new Audio(), { autoplay: true });
    track.attach(player);
    return () => track.detach(player);
  }

  /** Ends everything. */
  close() {
    for (const end of this.#ends.splice(0)) end();
    for (const [track, video] of this.#viewers) {
      track.detach(video);
      video.remove();
    }
    this.#viewers.clear();
    this.#sound.close();
  }
}

function pitch(analyser, sampleRate) {
  const samples = new Float32Array(analyser.fftSize);
  analyser.getFloatTimeDomainData(samples);
  const level = Math.sqrt(samples.reduce((sum, v) => sum + v * v, 0) / samples.length);
  if (level < LOUD) return 0;
  const spectrum = new Float32Array(analyser.frequencyBinCount);
  analyser.getFloatFrequencyData(spectrum);
  return Math.round((spectrum.indexOf(Math.max(...spectrum)) * sampleRate) / analyser.fftSize);
}
