
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const ROW = 24, BAR = 18, MOST_LISTED = 1000, SHORTEST = 1000;
  const element = (id) => document.getElementById(id);
  const rowsBox = element("rows"), space = element("space"), picture = element("picture"), axis = element("axis");
  const tip = element("tip"), detail = element("detail");
  const states = Object.fromEntries(data.states.map((state) => [state.code, state]));
  const reduced = matchMedia("(prefers-reduced-motion: reduce)");
  let theme = {}, patterns = {}, moving = 0;

  // -- words ------------------------------------------------------------------------------------
  const duration = (ns) => ns < 0.9995e6 ? `${+(ns / 1e3).toFixed(ns < 1e4 ? 1 : 0)} µs`
    : ns < 0.9995e9 ? `${+(ns / 1e6).toFixed(ns < 1e7 ? 2 : 0)} ms` : `${(ns / 1e9).toFixed(2)} s`;
  const at = (ns) => `${(ns / 1e9).toFixed(6)} s`;
  const basename = (file) => file.split(/[\\/]/).pop();
  const where = (index) => {
    if (index < 0) return "";
    const [file, line, name, calls] = data.places[index];
    return `${basename(file)}:${line}${name ? ` in ${name}` : ""}${calls ? ` (${calls})` : ""}`;
  };
  const make = (tag, text, options = {}) => {
    const made = document.createElement(tag);
    if (text !== undefined) made.textContent = text;
    for (const [name, value] of Object.entries(options)) {
      if (name === "class") made.className = value; else made.setAttribute(name, value);
    }
    return made;
  };

  // -- rows: each is {kind, name, parts}; a part is [start, end, code, faint, request, worker, place] -----
  const requests = new Map(data.requests.map((request) => [request.id, request]));
  const rows = [];
  rows.push({ kind: "loop", name: "LOOP", parts: data.loop.map(([state, start, end, request, place]) =>
    [start, end, data.states[state].code, 0, request, -1, place]) });
  if (data.tokens.length) rows.push({ kind: "tokens", name: "THREADS in use", parts: [] });
  for (const lane of data.lanes) {
    rows.push({ kind: "worker", name: ` ${lane.name}`, parts: lane.spans.map(([start, end, request, place]) =>
      [start, end, lane.code, 0, request, -1, place]) });
  }
  for (const request of data.requests) {
    const end = request.done === null ? data.end : request.done;
    rows.push({ kind: "request", request, failed: request.failed, latency: end - request.start,
      name: `#${request.id} ${request.name}`,
      says: `${duration(end - request.start)}${request.status ? ` ${request.status}` : ""}`,
      parts: request.segments.map(([state, start, stop, worker, place, after, awaits]) =>
        [start, stop, data.states[state].code, after, request.id, worker, place, awaits]) });
  }
  const sums = (row) => {
    const total = new Map();
    for (const [start, end, code, after] of row.parts) {
      if (!after) total.set(code, (total.get(code) || 0) + end - start);
    }
    return [...total].sort((a, b) => b[1] - a[1]).map(([code, ns]) => `${states[code].name} ${duration(ns)}`);
  };
  const describe = (row) => {
    if (row.kind === "request") {
      const { request } = row;
      const end = request.error ? `, ${request.error}` : request.done === null ? ", not answered" : "";
      return `${row.name}, ${request.status || "no status"}${end}, ${duration(row.latency)}: ${sums(row).join(", ")}`;
    }
    if (row.kind === "tokens") return "Worker threads in use";
    const busy = row.parts.reduce((sum, part) => sum + part[1] - part[0], 0);
    return `${row.name.trim()}: ${row.parts.length} stretches, busy for ${duration(busy)}`;
  };
  const first = (parts, t) => {  // the first part that ends after t
    let low = 0, high = parts.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (parts[middle][1] > t) high = middle; else low = middle + 1;
    }
    return low;
  };

  // -- the view -----------------------------------------------------------------------------------
  const from = Math.min(0, ...data.blocks.slice(0, 1).map((block) => block[0]));
  const whole = [from, Math.max(data.end, from + 1e6)];
  let view = data.window ? [...data.window] : [...whole];
  let selected = -1;
  let plot = 0, left = 280;  // measured when the size changes: asking for it in every step of a frame is slow
  const width = () => plot || measure();
  function measure() {  // on a phone the names and what is after the plot take less room
    const all = rowsBox.clientWidth;
    left = all < 700 ? Math.max(90, Math.round(all * 0.3)) : 280;
    rowsBox.style.setProperty("--names", `${left}px`);
    plot = Math.max(60, all - left - (all < 700 ? 84 : 96));
    return plot;
  }
  const x = (t) => { const w = width(); return left + (t - view[0]) * w / (view[1] - view[0]); };
  const time = (px) => { const w = width(); return view[0] + (px - left) * (view[1] - view[0]) / w; };

  function look(start, end) {
    const span = whole[1] - whole[0];
    const length = Math.min(Math.max(end - start, SHORTEST), span * 1.1);
    const centre = (start + end) / 2;
    start = Math.min(Math.max(centre - length / 2, whole[0] - span * 0.05), whole[1] + span * 0.05 - length);
    view = [start, start + length];
    element("view").textContent = `${at(view[0])} to ${at(view[1])}`;
    schedule();
  }
  function glide(start, end) {  // a short animation, unless reduced motion is preferred
    cancelAnimationFrame(moving);
    if (reduced.matches || document.hidden) return look(start, end);
    const [a, b] = view, begun = performance.now();
    const frame = (now) => {
      const part = Math.min(1, Math.max(0, (now - begun) / 120)), eased = part * (2 - part);
      look(a + (start - a) * eased, b + (end - b) * eased);
      if (part < 1) moving = requestAnimationFrame(frame);
    };
    moving = requestAnimationFrame(frame);
  }
  const zoomed = (factor, centre = (view[0] + view[1]) / 2) =>
    [centre - (centre - view[0]) * factor, centre + (view[1] - centre) * factor];
  const moved = (part) => {
    const by = part * (view[1] - view[0]);
    return [view[0] + by, view[1] + by];
  };
  const actions = {
    in: () => glide(...zoomed(1 / 1.6)), out: () => glide(...zoomed(1.6)),
    here: () => {  // the first request that is concurrent with the window
      const index = rows.findIndex((row) => row.kind === "request" && row.parts.length
        && row.parts[0][0] < view[1] && row.parts[row.parts.length - 1][1] > view[0]);
      if (index >= 0) { rowsBox.scrollTop = index * ROW; select(index); }
    },
    left: () => glide(...moved(-0.2)), right: () => glide(...moved(0.2)), fit: () => glide(...whole),
  };

  // -- drawing ------------------------------------------------------------------------------------
  function dress() {
    const style = getComputedStyle(document.documentElement);
    for (const name of ["lane", "dim", "line", "accent", "alarm", "thread", "caption", "outline"]) {
      theme[name] = style.getPropertyValue(`--${name}`).trim();
    }
    const ratio = devicePixelRatio || 1;
    patterns = {};
    const scheme = matchMedia("(prefers-color-scheme: light)").matches ? "light" : "dark";
    for (const state of data.states) {
      const tile = document.createElement("canvas");
      tile.width = tile.height = Math.round(8 * ratio);
      const c = tile.getContext("2d");
      c.scale(tile.width / 8, tile.width / 8);
      c.fillStyle = state[scheme].fill;
      c.fillRect(0, 0, 8, 8);
      c.fillStyle = c.strokeStyle = state[scheme].ink;
      c.lineWidth = state.stroke || 1;
      const texture = new Path2D(state.tile);
      if (state.stroke) c.stroke(texture); else c.fill(texture);
      patterns[state.code] = c.createPattern(tile, "repeat");
      patterns[state.code].setTransform(new DOMMatrix().scale(8 / tile.width));
    }
    for (const swatch of document.querySelectorAll("#legend canvas")) {
      const c = sized(swatch, 28, 16);
      c.fillStyle = patterns[swatch.dataset.code];
      c.fillRect(0, 0, 28, 16);
    }
  }
  function sized(canvas, w, h) {
    const ratio = devicePixelRatio || 1;
    const c = canvas.getContext("2d");
    if (canvas.width !== Math.round(w * ratio) || canvas.height !== Math.round(h * ratio)) {
      canvas.width = Math.round(w * ratio);
      canvas.height = Math.round(h * ratio);
      canvas.style.height = `${h}px`;
    }
    c.setTransform(ratio, 0, 0, ratio, 0, 0);
    c.clearRect(0, 0, w, h);
    return c;
  }
  let scheduled = false;
  function schedule() {
    if (scheduled) return;
    scheduled = true;
    requestAnimationFrame(() => { scheduled = false; draw(); });
  }
  function marks() {
    const length = view[1] - view[0];
    let step = 1;
    while (step * Math.max(2, width() / 130) < length) step *= String(step)[0] === "2" ? 2.5 : 2;
    const made = [];
    for (let t = Math.ceil(view[0] / step) * step; t <= view[1]; t += step) made.push(t);
    return [step, made];
  }
  function draw() {
    const w = rowsBox.clientWidth, h = rowsBox.clientHeight, top = rowsBox.scrollTop;
    const c = sized(picture, w, h), a = sized(axis, axis.clientWidth || w, 24);
    const [step, ticks] = marks();
    a.font = c.font = "12px ui-monospace, monospace";
    a.textAlign = "center";
    a.fillStyle = theme.dim;
    c.fillStyle = theme.line;
    const digits = Math.max(0, 9 - Math.floor(Math.log10(step)));
    for (const t of ticks) {
      c.fillRect(x(t), 0, 1, h);
      a.fillText(step >= 1e6 ? `${(t / 1e9).toFixed(digits)} s` : `${(t / 1e6).toFixed(Math.max(0, digits - 3))} ms`, x(t), 16);
    }
    const start = Math.max(0, Math.floor(top / ROW)), stop = Math.min(rows.length, Math.ceil((top + h) / ROW));
    for (let index = start; index < stop; index++) drawRow(c, rows[index], index * ROW - top, index === selected);
    label(start, stop);
  }
  function drawRow(c, row, y, chosen) {
    const w = width(), edge = left + w;
    c.save();
    c.beginPath();
    c.rect(left, y, w, ROW);
    c.clip();
    if (row.kind !== "request") {
      c.fillStyle = theme.lane;
      c.fillRect(left, y + 2, w, ROW - 4);
    }
    if (row.kind === "tokens") drawTokens(c, y);
    let drawn = -1;
    for (let index = first(row.parts, view[0]); index < row.parts.length; index++) {
      if (drawn >= 0 && x(row.parts[index][1]) - drawn < 0.5) {  // it would be too small to see, and so would the next ones
        index = Math.max(index, first(row.parts, time(drawn + 0.5)));
        if (index >= row.parts.length) break;
      }
      const [start, end, code, faint] = row.parts[index];
      if (start >= view[1]) break;
      const begin = Math.max(left, x(start)), right = Math.min(edge, x(end));
      c.globalAlpha = faint ? 0.5 : 1;
      c.fillStyle = patterns[code];
      c.fillRect(begin, y + 3, Math.max(0.5, right - begin), BAR);
      drawn = right;
      if (code === data.block) caption(c, row, row.parts[index], begin, right, y);
    }
    c.restore();
    if (chosen) {
      c.strokeStyle = theme.accent;
      c.lineWidth = 2;
      c.strokeRect(left + 1, y + 1, w - 2, ROW - 2);
    }
    c.fillStyle = row.failed ? theme.alarm : theme.dim;
    c.fillText(row.says || "", edge + 6, y + 16);
  }
  function caption(c, row, part, left, right, y) {
    const place = part[6] < 0 ? "" : `${basename(data.places[part[6]][0])}:${data.places[part[6]][1]}`;
    const owner = row.kind === "loop" ? (part[4] ? `#${part[4]} `
      : data.blocks.some((one) => one[0] === part[0] && one[3] === "waiting_for_gil") ? "GIL " : "callback ") : "";
    const words = owner + place;
    if (!words || c.measureText(words).width > right - left - 8) return;
    c.font = "bold 12px ui-monospace, monospace";
    c.lineWidth = 3;
    c.strokeStyle = theme.outline;
    c.strokeText(words, left + 4, y + 16);
    c.fillStyle = theme.caption;
    c.fillText(words, left + 4, y + 16);
    c.font = "12px ui-monospace, monospace";
  }
  function drawTokens(c, y) {
    let reached = -1;
    data.tokens.forEach(([t, total, taken, waiting], index) => {
      const until = index + 1 < data.tokens.length ? data.tokens[index + 1][0] : data.end;
      const right = x(until);
      if (until <= view[0] || t >= view[1] || right - reached < 0.5) return;
      reached = right;
      const high = waiting ? BAR : total > 0 ? BAR * Math.min(1, taken / total) : 0;
      c.fillStyle = waiting ? patterns[data.waiting] : theme.thread;
      if (high) c.fillRect(x(t), y + 3 + BAR - Math.max(2, high), right - x(t), Math.max(2, high));
    });
  }
  const labels = new Map();
  function label(start, stop) {
    const wanted = new Set();
    for (let index = start; index < stop; index++) wanted.add(index);
    if (selected >= 0) wanted.add(selected);
    for (const [index, made] of labels) {
      if (!wanted.has(index)) { made.remove(); labels.delete(index); }
    }
    for (const index of wanted) {
      let made = labels.get(index);
      if (!made) {
        const row = rows[index];
        made = make("div", row.name, { role: "option", id: `row-${index}`, "aria-label": describe(row),
          "aria-setsize": rows.length, "aria-posinset": index + 1,
          class: `row${row.failed ? " failed" : ""}${row.kind === "loop" || row.kind === "tokens" ? " head" : ""}` });
        made.style.top = `${index * ROW}px`;
        made.addEventListener("click", () => { select(index); open(index); });
        labels.set(index, made);
        space.append(made);
      }
      made.setAttribute("aria-selected", String(index === selected));
    }
    if (selected >= 0) rowsBox.setAttribute("aria-activedescendant", `row-${selected}`);
  }

  // -- rows by keyboard, and what is in one ---------------------------------------------------------
  function select(index) {
    selected = Math.min(Math.max(index, 0), rows.length - 1);
    const top = selected * ROW;
    if (top < rowsBox.scrollTop) rowsBox.scrollTop = top;
    if (top + ROW > rowsBox.scrollTop + rowsBox.clientHeight) rowsBox.scrollTop = top + ROW - rowsBox.clientHeight;
    draw();
  }
  function table(target, caption, columns, lines) {
    target.replaceChildren(make("caption", caption));
    const head = make("thead"), body = make("tbody"), line = make("tr");
    for (const [name, number] of columns) line.append(make("th", name, { scope: "col", class: number ? "number" : "" }));
    head.append(line);
    for (const cells of lines) {
      const made = make("tr");
      cells.forEach((cell, index) => made.append(index === 0 ? make("th", cell, { scope: "row" })
        : make("td", cell, { class: columns[index][1] ? "number" : "" })));
      body.append(made);
    }
    target.append(head, body);
  }
  function open(index) {
    const row = rows[index];
    if (!row) return;
    element("detail-title").textContent = row.name.trim();
    element("detail-sum").textContent = describe(row);
    const parts = row.parts.slice(0, MOST_LISTED);
    const note = parts.length < row.parts.length ? `the first ${parts.length} of ${row.parts.length}` : `${parts.length}`;
    const last = row.kind === "request" ? "by" : "for";
    table(element("segments"), `Segments: ${note}`,
      [["state", 0], ["from", 1], ["to", 1], ["duration", 1], ["where", 0], [last, 0]],
      parts.map(([start, end, code, after, request, worker, place]) => [
        states[code].name + (after ? " (after the response)" : ""), at(start), at(end), duration(end - start),
        where(place), row.kind === "request" ? (worker < 0 ? "" : data.lanes[worker].name) : request ? `#${request}` : ""]));
    detail.hidden = false;
    detail.focus();
  }
  function close() {
    if (detail.hidden) return;
    detail.hidden = true;
    rowsBox.focus();
  }

  // -- events -------------------------------------------------------------------------------------
  function page() { return Math.max(1, Math.floor(rowsBox.clientHeight / ROW) - 1); }
  const keys = {
    "+": actions.in, "=": actions.in, "-": actions.out, "_": actions.out, "0": actions.fit, r: actions.here,
    ArrowLeft: actions.left, ArrowRight: actions.right,
    ArrowUp: () => select(selected - 1), ArrowDown: () => select(selected + 1),
    PageUp: () => select(selected - page()), PageDown: () => select(selected + page()),
    Home: () => select(0), End: () => select(rows.length - 1),
    Enter: () => open(Math.max(0, selected)), " ": () => open(Math.max(0, selected)),
  };
  rowsBox.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const act = keys[event.key];
    if (act) { event.preventDefault(); hide(); act(); }
  });
  rowsBox.addEventListener("focus", () => { if (selected < 0) select(0); });
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") { hide(); close(); } });
  element("close").addEventListener("click", close);
  element("tools").addEventListener("click", (event) => {
    const act = actions[event.target.dataset && event.target.dataset.do];
    if (act) act();
  });
  rowsBox.addEventListener("scroll", () => { hide(); draw(); });
  const inside = (event) => event.clientX - rowsBox.getBoundingClientRect().left;
  picture.addEventListener("wheel", (event) => {
    if (inside(event) < left) return;  // over the names it scrolls
    event.preventDefault();
    cancelAnimationFrame(moving);
    const sideways = event.shiftKey ? event.deltaY || event.deltaX : Math.abs(event.deltaX) > Math.abs(event.deltaY) ? event.deltaX : 0;
    if (sideways) look(...moved(sideways / width()));
    else look(...zoomed(Math.exp(Math.max(-1, Math.min(1, event.deltaY / 400))), time(inside(event))));
  }, { passive: false });
  let grip = null;
  picture.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || inside(event) < left) return;
    cancelAnimationFrame(moving);
    grip = { x: event.clientX, view: [...view], moved: false };
    picture.setPointerCapture(event.pointerId);
  });
  picture.addEventListener("pointermove", (event) => {
    if (!grip) return hover(event);
    const by = (grip.x - event.clientX) * (grip.view[1] - grip.view[0]) / width();
    if (Math.abs(grip.x - event.clientX) > 3) grip.moved = true;
    if (grip.moved) { hide(); look(grip.view[0] + by, grip.view[1] + by); }
  });
  picture.addEventListener("pointerup", (event) => {
    if (grip && !grip.moved) select(rowAt(event));
    grip = null;
  });
  picture.addEventListener("pointercancel", () => { grip = null; });
  picture.addEventListener("pointerleave", hide);
  const rowAt = (event) => Math.floor((event.clientY - rowsBox.getBoundingClientRect().top + rowsBox.scrollTop - 1) / ROW);
  function hide() { tip.hidden = true; }
  function hover(event) {
    const row = rows[rowAt(event)], t = time(inside(event));
    if (!row || inside(event) < left) return hide();
    let words = "";
    if (row.kind === "tokens") {
      const known = data.tokens.filter((entry) => entry[0] <= t).pop();
      if (known) words = `${known[1] < 0 ? known[2] : `${known[2]} of ${known[1]}`} threads in use\n${known[3]} waiting\n${at(t)}`;
    } else {
      const near = 1.5 * (view[1] - view[0]) / width();
      let part = row.parts[first(row.parts, t)];
      if (!part || part[0] > t + near) part = null;
      if (part) {
        const [start, end, code, after, request, worker, place, awaits] = part;
        const lines = [row.kind === "request" ? row.name : `${row.name.trim()}${request ? ` for #${request}` : ""}`,
          `${states[code].name}${after ? " (after the response)" : ""} ${duration(end - start)}`,
          `${at(start)} to ${at(end)}`];
        if (place >= 0) lines.push(`at ${where(place)}`);
        if (awaits) lines.push(`awaits ${awaits}`);
        if (worker >= 0) lines.push(`by ${data.lanes[worker].name}`);
        const block = code === data.block && data.blocks.find((one) => one[0] < end && one[1] > start);
        if (block && block[3]) lines.push(block[6].includes(",") ? block[6] : { sleeping: "it only waits",
          computing: "it computes", waiting_for_gil: "it waits for the GIL" }[block[3]]);
        if (block && block[3] === "waiting_for_gil" && block[7]) lines.push(`#${block[7]} has it`);
        if (block && block[5].length) lines.push(`delays ${block[5].slice(0, 12).map((id) => `#${id}`).join(" ")}${block[5].length > 12 ? " …" : ""}`);
        words = lines.join("\n");
      }
    }
    if (!words) return hide();
    tip.textContent = words;
    tip.hidden = false;
    tip.style.left = `${Math.max(4, Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8))}px`;
    tip.style.top = `${Math.max(4, Math.min(event.clientY + 16, innerHeight - tip.offsetHeight - 8))}px`;
  }

  // -- the page -----------------------------------------------------------------------------------
  element("title").textContent = data.name;
  const count = (number, what) => `${number} ${what}${number === 1 ? "" : "s"}`;
  const facts = [count(data.requests.length, "request"), count(data.blocks.length, "block"), duration(data.end)];
  if (data.limit) facts.push(`thread limit ${data.limit}`);
  if (data.dropped) facts.push(`${count(data.dropped, "event")} lost`);
  const known = data.environment;
  if (known.python) facts.push(`Python ${known.python}`);
  if (known.gil) facts.push(`GIL ${known.gil === "True" ? "on" : "off"}`);
  if (known.event_loop) facts.push(known.event_loop);
  for (const [what, why] of data.blind) facts.push(`not seen: ${what} (${why})`);
  element("facts").textContent = facts.join(" · ");
  for (const state of data.states) {
    const item = make("li");
    item.append(make("canvas", undefined, { "aria-hidden": "true", "data-code": state.code }),
      make("span", state.name));
    element("legend").append(item);
  }
  if (data.findings.length) {
    element("findings-section").hidden = false;
    for (const finding of data.findings) {
      const part = make("div");
      part.append(make("h3", `${finding.title} (${finding.severity}${finding.likely ? ", likely" : ""})`));
      for (const sentence of finding.said) part.append(make("p", sentence));
      const code = [...finding.before.map((line) => `- ${line}`), ...finding.after.map((line) => `+ ${line}`)];
      if (code.length) part.append(make("pre", code.join("\n")));
      element("findings").append(part);
    }
  }
  if (data.blocks.length) {
    element("blocks-section").hidden = false;
    const blocks = data.blocks.slice(0, MOST_LISTED);
    table(element("blocks"), `${blocks.length} of ${data.blocks.length}`,
      [["request", 0], ["from", 1], ["duration", 1], ["kind", 0], ["where", 0], ["delayed requests", 0]],
      blocks.map(([start, end, , , place, victims, kind, request]) => [request ? `#${request}`
        : kind === "waiting for the GIL" ? "" : "a callback", at(start),
        duration(end - start), kind, where(place),
        victims.slice(0, 20).map((id) => `#${id}`).join(" ") + (victims.length > 20 ? ` and ${victims.length - 20} more` : "")]));
  }
  const listed = rows.filter((row) => row.kind === "request").slice(0, MOST_LISTED);
  table(element("requests"), listed.length < data.requests.length
    ? `The first ${listed.length} of ${data.requests.length}` : `All ${listed.length}`,
    [["request", 0], ["sent", 1], ["status", 1], ["latency", 1], ["error", 0], ["where its time went", 0]],
    listed.map((row) => [row.name, at(row.request.start), row.request.status === null ? "" : String(row.request.status),
      row.request.done === null ? "not answered" : duration(row.latency), row.request.error, sums(row).join(", ")]));
  space.style.height = `${rows.length * ROW}px`;
  rowsBox.style.height = `min(62vh, ${rows.length * ROW + 2}px)`;
  new ResizeObserver(() => { plot = 0; schedule(); }).observe(rowsBox);
  const redress = () => { dress(); draw(); };
  matchMedia("(prefers-color-scheme: light)").addEventListener("change", redress);
  dress();
  look(...view);
  draw();
})();
