// The microphone of the streaming tab: its sound goes to the page's own server, in order and all of it.
(() => {
  const EVERY = 250;      // ms between two pieces
  const MOST = 1000000;   // samples of a piece at most
  // Hundreds of blocks a second arrive there: they are put together before the page is told.
  const worklet = `registerProcessor("wq-capture", class extends AudioWorkletProcessor {
    constructor() {
      super();
      this.begin(0);
      this.port.onmessage = () => { this.post(); this.port.postMessage(null); };
    }
    begin(channels) {
      this.channels = channels;
      this.samples = new Int16Array(8192 * channels);
      this.count = 0;
    }
    post() {
      if (this.count) this.port.postMessage({ channels: this.channels, samples: this.samples.slice(0, this.count) });
      this.count = 0;
    }
    process([input]) {
      if (!input.length) return true;
      if (input.length !== this.channels) { this.post(); this.begin(input.length); }
      if (this.count + input.length * input[0].length > this.samples.length) this.post();
      for (let index = 0; index < input[0].length; index++)
        for (const channel of input)
          this.samples[this.count++] = Math.max(-32768, Math.min(32767, Math.round(channel[index] * 32767)));
      return true;
    }
  });`;
  let session = null;

  const element = (id) => document.getElementById(id);
  const say = (text) => { element("wq-state").textContent = text; };

  async function ask(path, body) {
    const answer = await fetch(`/whisperq/streams${path}`, { method: body === undefined ? "GET" : "POST", body });
    const said = await answer.json();
    if (!answer.ok) throw new Error(said.error);
    return said;
  }

  function show(said) {
    const live = element("wq-live");
    live.innerHTML = said.html;  // the server has escaped all that is not markup
    live.classList.toggle("wq-with-naive", element("wq-naive").checked);
  }

  async function send(one) {
    while (one.blocks.length) {
      const channels = one.blocks[0].channels;
      const samples = [];
      let size = 0;
      while (one.blocks.length && one.blocks[0].channels === channels && size < MOST) {
        size += one.blocks[0].samples.length;
        samples.push(one.blocks.shift().samples);
      }
      const said = await ask(`/${one.id}?rate=${one.context.sampleRate}&channels=${channels}`, new Blob(samples));
      show(said);
      if (said.stopped) one.isStopped = true;
    }
  }

  async function run(one) {
    while (!one.isStopped) {
      await new Promise((resolve) => setTimeout(resolve, EVERY));
      await send(one);
    }
    await new Promise((resolve) => {  // what the microphone gave until now has arrived then
      one.ended = resolve;
      one.node.port.postMessage(null);
    });
    await release(one);
    await send(one);
    let said = await ask(`/${one.id}/stop`, "");
    while (!said.over) {
      show(said);
      await new Promise((resolve) => setTimeout(resolve, EVERY));
      said = await ask(`/${one.id}`);
    }
    show(said);
  }

  async function release(one) {
    if (one.media) one.media.getTracks().forEach((track) => track.stop());
    if (one.context && one.context.state !== "closed") await one.context.close();
  }

  async function begin(button) {
    const one = { blocks: [], isStopped: false };
    session = one;
    button.setAttribute("aria-pressed", "true");
    button.textContent = "Stop";
    element("wq-live").innerHTML = "";
    say("waiting for the microphone");
    try {
      one.media = await navigator.mediaDevices.getUserMedia({
        audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false },
      });
      one.context = new AudioContext();
      const url = URL.createObjectURL(new Blob([worklet], { type: "text/javascript" }));
      await one.context.audioWorklet.addModule(url);
      URL.revokeObjectURL(url);
      const language = encodeURIComponent(element("wq-language").value);
      one.id = (await ask(`?language=${language}`, "")).id;
      one.node = new AudioWorkletNode(one.context, "wq-capture", { numberOfOutputs: 0 });
      one.node.port.onmessage = ({ data }) => (data ? one.blocks.push(data) : one.ended());
      one.context.createMediaStreamSource(one.media).connect(one.node);
      say(`listening at ${one.context.sampleRate} Hz`);
      await run(one);
      say("stopped");
    } catch (error) {
      say(`${error.message || error}`);
      await release(one);
    }
    session = null;
    button.disabled = false;
    button.setAttribute("aria-pressed", "false");
    button.textContent = "Start";
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("#wq-record");
    if (!button) return;
    if (!session) begin(button);
    else {
      session.isStopped = true;
      button.disabled = true;
      say("hearing the rest");
    }
  });
  document.addEventListener("change", (event) => {
    if (event.target.id === "wq-naive") element("wq-live").classList.toggle("wq-with-naive", event.target.checked);
  });
})();
