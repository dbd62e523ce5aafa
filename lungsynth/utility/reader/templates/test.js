// The blind test: a name, the orientation, the questions, the end. All of it by keys; progress stays in this browser.
(() => {
  "use strict";
  const byId = (id) => document.getElementById(id);
  const test = JSON.parse(byId("test").textContent);
  const { orientation, questions } = test;
  const STORE = `lungsynth.reader.${test.id}`;
  const ZOOMS = [1, 1.5, 2, 3, 4, 6, 8];

  // What is kept: every reader of this test on this computer, and who is at it.
  let kept = true;
  let state = { current: null, readers: [] };
  const load = () => {
    let text = null;
    try { text = localStorage.getItem(STORE); } catch { kept = false; }
    try {
      const found = JSON.parse(text);
      if (found && Array.isArray(found.readers)) state = found;
    } catch { /* what cannot be read is begun anew */ }
  };
  const save = () => {
    try { localStorage.setItem(STORE, JSON.stringify(state)); } catch { kept = false; }
    byId("unkept").hidden = kept;
  };
  const reader = () => state.readers.find((one) => one.name === state.current) || null;
  const answerOf = (index) => reader().answers[questions[index].id] || null;
  const open = () => questions.findIndex((_, index) => !answerOf(index)?.answer);
  const say = (words) => { byId("said").textContent = words; };

  // The picture: grey levels through the window, then zoomed and moved.
  const canvas = byId("picture"), film = canvas.parentElement;
  const source = document.createElement("canvas");
  let pixels = null, zoom = 0, moved = [0, 0], shown = null;
  let preset = 0, window_hu = test.window ? [...test.window.presets_hu[0]] : null;

  const loaded = new Map();
  const picture = (src) => {
    if (!loaded.has(src)) {
      const image = new Image();
      image.src = src;
      loaded.set(src, image.decode().then(() => image));
      if (loaded.size > 6) loaded.delete(loaded.keys().next().value);
    }
    return loaded.get(src);
  };
  const show = async (src, next) => {
    shown = src;
    pixels = null;
    draw();
    const image = await picture(src);
    if (shown !== src) return;
    source.width = image.naturalWidth;
    source.height = image.naturalHeight;
    const pen = source.getContext("2d", { willReadFrequently: true });
    pen.drawImage(image, 0, 0);
    pixels = pen.getImageData(0, 0, source.width, source.height);
    grey();
    if (next) picture(next);
  };
  const grey = () => {
    if (!pixels) return;
    const pen = source.getContext("2d");
    if (window_hu) {
      const [from, to] = test.window.range_hu, [low, high] = window_hu;
      const levels = Uint8ClampedArray.from({ length: 256 }, (_, value) => {
        const hu = from + (value * (to - from)) / 255;
        return Math.round((255 * (hu - low)) / (high - low));
      });
      const seen = new ImageData(source.width, source.height);
      for (let k = 0; k < seen.data.length; k += 4) {
        seen.data[k] = seen.data[k + 1] = seen.data[k + 2] = levels[pixels.data[k]];
        seen.data[k + 3] = 255;
      }
      pen.putImageData(seen, 0, 0);
      const [level, width] = [Math.round((low + high) / 2), Math.round(high - low)];
      byId("grey").textContent = `level ${String(level).replace("-", "−")}, width ${width} HU`;
    }
    draw();
  };
  const draw = () => {
    const dots = window.devicePixelRatio || 1;
    canvas.width = Math.max(1, Math.round(film.clientWidth * dots));
    canvas.height = Math.max(1, Math.round(film.clientHeight * dots));
    byId("zoom").textContent = zoom ? `× ${ZOOMS[zoom]}` : "fit";
    canvas.classList.toggle("moved", zoom > 0);
    if (!pixels) return;
    const scale = Math.min(canvas.width / source.width, canvas.height / source.height) * ZOOMS[zoom];
    const size = [source.width * scale, source.height * scale];
    const room = [canvas.width, canvas.height];
    moved = moved.map((value, axis) => {
      const most = Math.max(0, (size[axis] - room[axis]) / 2);
      return Math.max(-most, Math.min(most, value));
    });
    const pen = canvas.getContext("2d");
    pen.imageSmoothingQuality = "high";
    pen.drawImage(source, (room[0] - size[0]) / 2 + moved[0], (room[1] - size[1]) / 2 + moved[1], size[0], size[1]);
  };
  const zoomBy = (steps) => {
    const before = ZOOMS[zoom];
    zoom = Math.max(0, Math.min(ZOOMS.length - 1, zoom + steps));
    moved = moved.map((value) => (value * ZOOMS[zoom]) / before);
    draw();
    say(zoom ? `zoom ${ZOOMS[zoom]}` : "whole picture");
  };
  const moveBy = (x, y) => { moved = [moved[0] + x, moved[1] + y]; draw(); };
  const windowTo = (low, high) => {
    if (!window_hu) return;
    const width = Math.max(50, Math.min(3000, high - low)), level = Math.max(-1000, Math.min(1000, (low + high) / 2));
    window_hu = [level - width / 2, level + width / 2];
    grey();
    say(byId("grey").textContent);
  };
  const nextWindow = () => {
    if (!window_hu) return;
    preset = (preset + 1) % test.window.presets_hu.length;
    windowTo(...test.window.presets_hu[preset]);
  };

  // Seconds that a question was looked at, all visits together; a hidden page does not count.
  let since = null;
  const stopClock = () => {
    if (since === null || reader()?.view !== "question") { since = null; return; }
    const one = noted(reader().at);
    one.seconds = Math.round(10 * (one.seconds + (performance.now() - since) / 1000)) / 10;
    since = null;
  };
  const startClock = () => { since = document.hidden ? null : performance.now(); };
  const noted = (index) => {
    const { answers } = reader(), { id } = questions[index];
    answers[id] ??= { answer: null, confidence: null, seconds: 0 };
    return answers[id];
  };

  // Views.
  const SECTIONS = { name: "name", orientation: "look", ready: "ready", question: "look", end: "end" };
  const go = (view, at = 0) => {
    stopClock();
    if (reader()) Object.assign(reader(), { view, at });
    save();
    render();
  };
  const render = () => {
    const view = reader()?.view || "name", section = SECTIONS[view];
    for (const id of new Set(Object.values(SECTIONS))) byId(id).hidden = id !== section;
    zoom = 0;
    moved = [0, 0];
    ({ name: nameView, orientation: orientationView, ready: readyView, question: questionView, end: endView })[view]();
    progress(view);
    window.scrollTo(0, 0);
    if (view === "name") byId("reader").focus();
    else byId(section).querySelector("h1").focus({ preventScroll: true });
  };
  const progress = (view) => {
    const [done, all] = view === "orientation" ? [reader().at + 1, orientation.length]
      : view === "question" ? [reader().at + 1, questions.length] : [view === "end" ? 1 : 0, 1];
    const bar = byId("progress");
    bar.setAttribute("aria-valuemax", all);
    bar.setAttribute("aria-valuenow", done);
    bar.querySelector("i").style.width = `${(100 * done) / all}%`;
    byId("where").textContent = view === "orientation" ? `orientation ${done} of ${all}`
      : view === "question" ? `picture ${done} of ${all}` : "";
  };
  const nameView = () => {
    const first = orientation.length ? `First ${orientation.length} pictures with the truth beside them, then ` : "";
    byId("plan").textContent = `${first}${questions.length} without: say of each whether a scanner or camera took it or a `
      + "program made it. Take the time you want; you can stop and come back on this computer.";
    byId("reader").value = "";
    byId("known").hidden = !state.readers.length;
    byId("readers").replaceChildren(...state.readers.map((one) => {
      const item = document.createElement("li");
      const done = questions.filter(({ id }) => one.answers[id]?.answer).length;
      item.textContent = `${one.name}: ${done} of ${questions.length} answered`;
      return item;
    }));
  };
  const orientationView = () => {
    const { at } = reader(), { src, truth } = orientation[at];
    byId("asked").textContent = `This one is ${truth}`;
    byId("hint").textContent = "Orientation: look at it as long as you like.";
    byId("truth").textContent = truth;
    byId("truth").className = `badge ${truth}`;
    byId("truth").hidden = false;
    byId("choice").hidden = byId("sure").hidden = true;
    byId("back").disabled = at === 0;
    canvas.setAttribute("aria-label", `Orientation ${at + 1} of ${orientation.length}: ${truth}`);
    show(src, orientation[at + 1]?.src || questions[0].src);
  };
  const readyView = () => {
    byId("ahead").textContent = `${questions.length} pictures follow. ` + (test.confidence
      ? "R or G answers, a number from 1 to 5 says how sure you are and goes on."
      : "R or G answers and goes on.") + " You can go back and change every answer.";
    byId("review").hidden = !orientation.length;
  };
  const questionView = () => {
    const { at } = reader();
    byId("asked").textContent = `Picture ${at + 1} of ${questions.length}`;
    byId("truth").hidden = true;
    byId("choice").hidden = false;
    byId("sure").hidden = !test.confidence;
    byId("back").disabled = at === 0 && !orientation.length;
    canvas.setAttribute("aria-label", `Picture ${at + 1} of ${questions.length}`);
    pressed();
    show(questions[at].src, questions[at + 1]?.src);
    startClock();
  };
  const pressed = () => {
    const one = answerOf(reader().at);
    for (const button of document.querySelectorAll("[data-answer]")) {
      button.setAttribute("aria-pressed", String(button.dataset.answer === one?.answer));
    }
    for (const button of document.querySelectorAll("[data-sure]")) {
      button.setAttribute("aria-pressed", String(Number(button.dataset.sure) === one?.confidence));
    }
    byId("sure").disabled = !one?.answer;
    byId("hint").textContent = one?.answer ? `Your answer: ${one.answer}` : "Real or generated?";
  };
  const endView = () => {
    const left = questions.filter((_, index) => !answerOf(index)?.answer).length;
    byId("sum").textContent = left
      ? `${reader().name}, ${left} of ${questions.length} pictures are still open.`
      : `${reader().name}, all ${questions.length} pictures are answered.`;
    byId("open").hidden = !left;
    byId("saved").textContent = "";
    byId("text").value = csv();
  };

  // What a reader does.
  const begin = (name) => {
    state.current = name;
    if (!reader()) state.readers.push({ name, view: orientation.length ? "orientation" : "ready", at: 0, answers: {} });
    save();
    render();
  };
  const next = () => {
    const { view, at } = reader();
    if (view === "orientation") at + 1 < orientation.length ? go(view, at + 1) : go("ready");
    else if (view === "ready") go("question", Math.max(0, open()));
    else if (view === "question") at + 1 < questions.length ? go(view, at + 1) : go("end");
  };
  const back = () => {
    const { view, at } = reader();
    if (view === "end") go("question", questions.length - 1);
    else if (view === "ready" && orientation.length) go("orientation", orientation.length - 1);
    else if (view === "question" && at === 0) { if (orientation.length) go("ready"); }
    else if (at > 0) go(view, at - 1);
  };
  const answer = (value) => {
    const one = noted(reader().at);
    if (one.answer !== value) one.confidence = null;
    one.answer = value;
    save();
    if (!test.confidence) { next(); return; }
    pressed();
    say(`${value}. How sure are you, 1 to 5?`);
  };
  const sure = (value) => {
    const one = answerOf(reader().at);
    if (!one?.answer) { say("First R or G"); return; }
    one.confidence = value;
    next();
  };
  const cell = (value) => (/[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value);
  const csv = () => ["test,id,answer,confidence,seconds,reader", ...questions.map(({ id }) => {
    const one = reader().answers[id] || {};
    return [test.id, id, one.answer || "", one.confidence || "", one.seconds ?? "", cell(reader().name)].join(",");
  })].join("\n") + "\n";
  const download = () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([csv()], { type: "text/csv" }));
    link.download = `answers-${test.id}-${reader().name.replace(/[^\p{L}\p{N}]+/gu, "_")}.csv`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
    byId("saved").textContent = `Saved as ${link.download}, where this browser keeps its downloads.`;
  };
  const other = () => { state.current = null; save(); render(); };
  const theme = () => {
    const root = document.documentElement, dark = matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = (root.dataset.theme || (dark ? "dark" : "light")) === "dark" ? "light" : "dark";
  };

  // Keys: what holds in every view of a picture, then what a view adds.
  const step = () => 40 * (window.devicePixelRatio || 1);
  const LOOKING = {
    "+": () => zoomBy(1), "=": () => zoomBy(1), "-": () => zoomBy(-1), "_": () => zoomBy(-1), "0": () => zoomBy(-ZOOMS.length),
    w: nextWindow,
    "[": () => windowTo(window_hu[0] + 50, window_hu[1] - 50), "]": () => windowTo(window_hu[0] - 50, window_hu[1] + 50),
    ",": () => windowTo(window_hu[0] - 50, window_hu[1] - 50), ".": () => windowTo(window_hu[0] + 50, window_hu[1] + 50),
    ArrowRight: next, Enter: next, " ": next, ArrowLeft: back, Backspace: back,
  };
  const MOVING = {
    ArrowLeft: () => moveBy(step(), 0), ArrowRight: () => moveBy(-step(), 0),
    ArrowUp: () => moveBy(0, step()), ArrowDown: () => moveBy(0, -step()),
  };
  const ASKED = { r: () => answer("real"), g: () => answer("generated"), s: () => answer("generated") };
  if (test.confidence) for (const value of [1, 2, 3, 4, 5]) ASKED[value] = () => sure(value);
  const toOpen = () => { if (open() >= 0) go("question", open()); };
  const KEYS = {
    name: {},
    orientation: LOOKING,
    ready: { Enter: next, " ": next, ArrowRight: next, ArrowLeft: back, Backspace: back },
    question: { ...LOOKING, ...ASKED },
    end: { d: download, Enter: download, u: toOpen, n: other, ArrowLeft: back, Backspace: back },
  };
  const HELD = new Set(["[", "]", ",", ".", "+", "=", "-", "_"]);
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const view = reader()?.view || "name";
    const { target } = event;
    if (target.matches("input, textarea") || (target.matches("button, summary") && [" ", "Enter"].includes(event.key))) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const looking = SECTIONS[view] === "look";
    const moving = event.shiftKey && looking ? MOVING[key] : null;
    const action = moving || (key === "t" ? theme : KEYS[view][key]);
    if (!action || (event.repeat && !moving && !HELD.has(key))) return;
    if (!window_hu && ["[", "]", ",", ".", "w"].includes(key)) return;
    event.preventDefault();
    action();
  });

  // The mouse does the same.
  const click = (id, action) => byId(id).addEventListener("click", action);
  for (const [id, action] of Object.entries({
    theme, next, back, review: back, go: next, save: download, open: toOpen, again: back, other,
    in: () => zoomBy(1), out: () => zoomBy(-1), window: nextWindow,
  })) click(id, action);
  for (const button of document.querySelectorAll("[data-answer]")) {
    button.addEventListener("click", () => answer(button.dataset.answer));
  }
  for (const button of document.querySelectorAll("[data-sure]")) {
    button.addEventListener("click", () => sure(Number(button.dataset.sure)));
  }
  byId("start").addEventListener("submit", (event) => {
    event.preventDefault();
    const name = byId("reader").value.trim().replace(/\s+/g, " ");
    if (name) begin(name); else byId("reader").focus();
  });
  film.addEventListener("wheel", (event) => { event.preventDefault(); zoomBy(event.deltaY < 0 ? 1 : -1); }, { passive: false });
  let held = null;
  canvas.addEventListener("pointerdown", (event) => { held = [event.clientX, event.clientY]; canvas.setPointerCapture(event.pointerId); });
  canvas.addEventListener("pointermove", (event) => {
    if (!held) return;
    const dots = window.devicePixelRatio || 1;
    moveBy((event.clientX - held[0]) * dots, (event.clientY - held[1]) * dots);
    held = [event.clientX, event.clientY];
  });
  for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => { held = null; });

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) { stopClock(); save(); } else if (reader()?.view === "question") startClock();
  });
  window.addEventListener("pagehide", () => { stopClock(); if (reader()) save(); });
  window.addEventListener("beforeunload", (event) => { if (!kept && reader()) event.preventDefault(); });
  window.addEventListener("resize", draw);
  byId("window").hidden = !test.window;
  load();
  save();
  render();
})();
