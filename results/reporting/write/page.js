"use strict";
(() => {
  const data = JSON.parse(document.getElementById("page-data").textContent);
  const root = document.documentElement;
  const fine = matchMedia("(pointer: fine)").matches;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const dashes = [null, "6 3", "2 3", "6 3 2 3", "10 4", "10 4 2 4", null];

  const element = (tag, attributes = {}, text) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    if (text !== undefined) made.textContent = text;
    return made;
  };
  const colour = (name) => getComputedStyle(root).getPropertyValue(`--${name}`).trim();

  // ---- colours -------------------------------------------------------------------------------------------------
  const painted = (value, colours) => {
    if (typeof value === "string") return value[0] === "@" && colours[value.slice(1)] || value;
    if (Array.isArray(value)) {
      return value.length && value.every((one) => typeof one === "number") ? value : value.map((one) => painted(one, colours));
    }
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, painted(one, colours)]));
    }
    return value;
  };
  const tones = ["page", "surface", "line", "grid", "muted", "ink", "accent", "soft", "faint", "baseline", "good", "bad"];
  let printing = false;
  // The styles for paper apply only after the charts have been drawn for it.
  const palette = () => printing ? data.light : Object.fromEntries(tones.map((name) => [name, colour(name)]));

  // ---- charts --------------------------------------------------------------------------------------------------
  // Marks of a logarithmic axis: as many as there is room for, powers of ten before 2 and 5.
  const sparse = (marks, most) => {
    if (marks.length <= most) return marks;
    const powers = marks.filter((mark) => Math.abs(Math.log10(mark) - Math.round(Math.log10(mark))) < 1e-9);
    const found = powers.length > 1 ? powers : [marks[0], marks[marks.length - 1]];
    return found.filter((_, i) => i % Math.ceil(found.length / most) === 0);
  };
  const layoutOf = (figure, colours, width) => {
    const axis = (own) => ({
      automargin: true, gridcolor: colours.grid, linecolor: colours.line, zeroline: false, ticks: "", fixedrange: !fine,
      tickfont: { size: 12, color: colours.muted }, ...own,
      ...(own.tickvals ? { tickvals: sparse(own.tickvals, Math.max(2, Math.floor(width / 62))) } : {}),
      title: { ...own.title, font: { size: 12.5, color: colours.muted }, standoff: 8 },
    });
    return {
      ...figure.layout, ...(printing ? { width } : { autosize: true }),
      xaxis: axis(figure.layout.xaxis), yaxis: axis(figure.layout.yaxis),
      margin: { l: 8, r: 18, t: 8, b: 8, pad: 2 }, showlegend: false, dragmode: fine ? "zoom" : false,
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", hovermode: "closest",
      font: { family: getComputedStyle(document.body).fontFamily, size: 12.5, color: colours.ink },
      hoverlabel: { bgcolor: colours.surface, bordercolor: colours.line, font: { size: 12.5, color: colours.ink }, align: "left" },
    };
  };
  const config = {
    displaylogo: false, responsive: true, displayModeBar: fine ? "hover" : false,
    modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d", "zoomIn2d", "zoomOut2d", "pan2d"],
  };
  const charts = [];

  // Every view keeps its own plots: taking plots away while Plotly still settles their margins is an error.
  class Chart {
    constructor(figure) {
      this.views = data.charts[figure.dataset.chart];
      this.legend = figure.querySelector(".legend");
      this.hidden = new Set();
      this.view = 0;
      this.boxes = this.views.map((view, i) => this.box(view, i, figure.querySelector(".views")));
      for (const button of figure.querySelectorAll(".switch button")) {
        button.addEventListener("click", () => {
          for (const other of button.parentElement.children) other.setAttribute("aria-pressed", String(other === button));
          this.view = Number(button.dataset.view);
          this.draw();
        });
      }
    }
    box(view, i, parent) {
      const box = element("div", { class: view.columns > 2 ? "panels small" : "panels" });
      box.style.gridTemplateColumns = `repeat(${view.columns}, minmax(0, 1fr))`;
      if (view.width) box.style.maxWidth = `${view.width}px`;
      box.hidden = i !== this.view;
      for (const panel of view.panels) {
        const one = element("div", { class: "panel" });
        if (panel.title) one.append(element("h4", {}, panel.title));
        one.append(element("div", { class: "plot" }));
        box.append(one);
      }
      parent.append(box);
      return box;
    }
    draw() {
      const view = this.views[this.view];
      const colours = palette();
      this.boxes.forEach((box, i) => { box.hidden = i !== this.view; });
      this.boxes[this.view].querySelectorAll(".plot").forEach((plot, i) => {
        const panel = view.panels[i];
        const traces = painted(panel.data, colours).map((trace, k) => ({
          ...trace, visible: !this.hidden.has(panel.names[k]),
          ...(trace.type === "bar" ? { outsidetextfont: { color: colours.ink }, textfont: { size: 12.5 } } : {}),
        }));
        Plotly.react(plot, traces, painted(layoutOf(panel, colours, plot.clientWidth), colours), config);
      });
      this.legend.replaceChildren(...view.legend.map((entry) => this.entry(entry, colours)));
    }
    entry(entry, colours) {
      const button = element("button", { type: "button", "aria-pressed": String(!this.hidden.has(entry.name)) });
      button.append(sign(entry, colours), element("span", {}, entry.name));
      button.addEventListener("click", () => {
        if (!this.hidden.delete(entry.name)) this.hidden.add(entry.name);
        this.draw();
      });
      return button;
    }
  }

  const sign = (entry, colours) => {
    const space = "http://www.w3.org/2000/svg";
    const picture = document.createElementNS(space, "svg");
    picture.setAttribute("width", entry.sign === "line" ? "26" : "12");
    picture.setAttribute("height", "12");
    picture.setAttribute("aria-hidden", "true");
    const add = (tag, attributes) => {
      const made = document.createElementNS(space, tag);
      for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
      picture.append(made);
    };
    const paint = colours[entry.tone];
    if (entry.sign === "line") {
      add("line", { x1: 0, x2: 26, y1: 6, y2: 6, stroke: paint, "stroke-width": 2.4, "stroke-dasharray": dashes[entry.dash] || "none" });
    } else if (entry.sign === "bar") add("rect", { x: 1, y: 1, width: 10, height: 10, fill: paint });
    else if (entry.sign === "ring") add("circle", { cx: 6, cy: 6, r: 4, fill: "none", stroke: paint, "stroke-width": 2 });
    else if (entry.sign === "cross") add("path", { d: "M2 2L10 10M10 2L2 10", stroke: paint, "stroke-width": 2 });
    else if (entry.sign === "diamond") add("path", { d: "M6 0L12 6L6 12L0 6Z", fill: paint });
    else if (entry.sign === "star") add("path", { d: "M6 0L7.5 4.2L12 4.4L8.4 7L9.7 11.5L6 8.9L2.3 11.5L3.6 7L0 4.4L4.5 4.2Z", fill: paint });
    else add("circle", { cx: 6, cy: 6, r: 4.5, fill: paint });
    return picture;
  };

  // ---- the ranked table ----------------------------------------------------------------------------------------
  class Ranked {
    constructor(box) {
      const { columns, scores, rows } = data.tables[box.dataset.table];
      this.columns = columns;
      this.scores = new Set(scores);
      this.rows = rows;
      this.numeric = columns.map((_, i) => rows.every((row) => row[i + 1] === null || typeof row[i + 1] === "number"));
      this.order = null;
      this.kept = null;
      this.limit = 20;
      this.head = box.querySelector("thead");
      this.body = box.querySelector("tbody");
      this.input = box.querySelector("input");
      this.found = box.querySelector(".found");
      this.more = box.querySelector(".more");
      this.input.addEventListener("input", () => this.draw());
      this.more.addEventListener("click", () => { this.limit += 500; this.draw(); });
      const line = element("tr");
      this.headings = columns.map((name, i) => {
        const heading = element("th", { scope: "col", ...(this.numeric[i] ? { class: "n" } : {}) });
        const button = element("button", { type: "button" }, name);
        button.addEventListener("click", () => this.sortBy(i));
        heading.append(button);
        line.append(heading);
        return heading;
      });
      this.head.append(line);
      this.draw();
    }
    sortBy(i) {
      const better = this.scores.has(this.columns[i]);
      const direction = this.order && this.order.column === i ? -this.order.direction : better ? -1 : 1;
      this.order = { column: i, direction };
      this.headings.forEach((heading, k) => {
        if (k === i) heading.setAttribute("aria-sort", direction > 0 ? "ascending" : "descending");
        else heading.removeAttribute("aria-sort");
      });
      this.draw();
    }
    keep(names) { this.kept = names; this.draw(); }
    tests() {
      const operators = {
        ">=": (a, b) => a >= b, "<=": (a, b) => a <= b, "!=": (a, b) => a !== b, ">": (a, b) => a > b,
        "<": (a, b) => a < b, "=": (a, b) => a === b,
      };
      return this.input.value.trim().split(/\s+/).filter(Boolean).map((word) => {
        const parts = /^([^<>=!]+)(>=|<=|!=|==|=|>|<)(.+)$/.exec(word);
        const column = parts ? this.columns.indexOf(parts[1]) : -1;
        if (column < 0) {
          const lower = word.toLowerCase();
          return (row) => row.some((cell) => String(cell ?? "").toLowerCase().includes(lower));
        }
        const test = operators[parts[2] === "==" ? "=" : parts[2]];
        const wanted = parts[3].toLowerCase();
        return (row) => {
          const cell = row[column + 1];
          if (cell === null) return false;
          const number = typeof cell === "number" ? Number(wanted) : NaN;
          return Number.isNaN(number) ? test(String(cell).toLowerCase(), wanted) : test(cell, number);
        };
      });
    }
    text(cell, i) {
      if (cell === null) return "";
      if (typeof cell !== "number") return String(cell);
      if (this.scores.has(this.columns[i]) && Math.abs(cell) < 1e6 && (cell === 0 || Math.abs(cell) >= 1e-3)) {
        return cell.toFixed(Math.max(0, 5 - String(Math.trunc(Math.abs(cell))).length));
      }
      if (Number.isInteger(cell)) return cell.toLocaleString("en");
      return String(Number(cell.toPrecision(this.scores.has(this.columns[i]) ? 3 : 4)));
    }
    draw() {
      const tests = this.tests();
      const name = this.columns.indexOf("name") + 1;
      let shown = this.rows.filter((row) => tests.every((test) => test(row)) && (!this.kept || this.kept.has(row[name])));
      if (this.order) {
        const { column, direction } = this.order;
        const compare = (a, b) => typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));
        shown = shown.slice().sort((a, b) => {
          const [x, y] = [a[column + 1], b[column + 1]];
          return x === null || y === null ? (x === null) - (y === null) : direction * compare(x, y);
        });
      }
      this.body.replaceChildren(...shown.slice(0, this.limit).map((row) => {
        const line = element("tr", row[0] ? { class: row[0] } : {});
        this.columns.forEach((_, i) => {
          const text = this.text(row[i + 1], i);
          line.append(element("td", { ...(this.numeric[i] ? { class: "n" } : {}), ...(text.length > 30 ? { title: text } : {}) }, text));
        });
        return line;
      }));
      const all = this.rows.length;
      this.found.textContent = shown.length === all ? `${all.toLocaleString("en")} rows` : `${shown.length.toLocaleString("en")} of ${all.toLocaleString("en")} rows`;
      this.more.hidden = shown.length <= this.limit;
      this.more.textContent = `Show ${Math.min(500, shown.length - this.limit)} more`;
    }
  }

  // ---- parallel coordinates ------------------------------------------------------------------------------------
  class Parallel {
    constructor(figure, onChange) {
      this.lines = data.parallel[figure.dataset.parallel];
      this.canvas = figure.querySelector("canvas");
      this.clear = figure.querySelector(".clear");
      this.brushes = new Map();
      this.onChange = onChange;
      this.order = this.lines.quality.map((_, i) => i).sort((a, b) => this.lines.quality[a] - this.lines.quality[b]);
      this.clear.addEventListener("click", () => { this.brushes.clear(); this.changed(); });
      this.canvas.addEventListener("pointerdown", (event) => this.start(event));
      this.canvas.addEventListener("pointermove", (event) => this.move(event));
      this.canvas.addEventListener("pointerup", (event) => this.end(event));
    }
    place() {
      const count = this.lines.axes.length;
      const room = this.canvas.parentElement.clientWidth;
      this.width = printing ? room : Math.max(room, 92 * count + 40);
      this.height = 400;
      this.box = { left: 14, right: 112, top: 34, bottom: 20 };
      const ratio = window.devicePixelRatio || 1;
      this.canvas.width = this.width * ratio;
      this.canvas.height = this.height * ratio;
      this.canvas.style.width = `${this.width}px`;
      this.canvas.style.height = `${this.height}px`;
      this.pen = this.canvas.getContext("2d");
      this.pen.setTransform(ratio, 0, 0, ratio, 0, 0);
      this.gap = count > 1 ? (this.width - this.box.left - this.box.right) / (count - 1) : 0;
    }
    x(axis) { return this.box.left + axis * this.gap; }
    // Inactive hyperparameters lie below 0, on a ground line of their own.
    y(position) { return this.height - this.box.bottom - ((position + 0.12) / 1.12) * (this.height - this.box.top - this.box.bottom); }
    position(y) { return ((this.height - this.box.bottom - y) / (this.height - this.box.top - this.box.bottom)) * 1.12 - 0.12; }
    kept(i) {
      for (const [axis, [low, high]] of this.brushes) {
        const at = this.lines.positions[i][axis];
        if (at < low || at > high) return false;
      }
      return true;
    }
    draw() {
      this.place();
      const colours = palette();
      const pen = this.pen;
      pen.clearRect(0, 0, this.width, this.height);
      const many = this.order.length > 400;
      for (const inside of [false, true]) {
        for (const i of this.order) {
          if (this.kept(i) !== inside || (!inside && many && i % 4)) continue;
          const quality = this.lines.quality[i];
          const best = i < this.lines.best;
          pen.strokeStyle = !inside ? colours.faint : best ? colours.accent : colours.soft;
          pen.globalAlpha = !inside ? 0.3 : best ? 0.9 : many ? 0.18 : 0.22 + 0.4 * quality;
          pen.lineWidth = inside && best ? 1.6 : 1;
          pen.beginPath();
          this.lines.positions[i].forEach((at, axis) => {
            if (axis) pen.lineTo(this.x(axis), this.y(at));
            else pen.moveTo(this.x(axis), this.y(at));
          });
          pen.stroke();
        }
      }
      pen.globalAlpha = 1;
      const family = getComputedStyle(document.body).fontFamily;
      this.lines.axes.forEach((axis, k) => {
        pen.strokeStyle = colours.muted;
        pen.lineWidth = 1;
        pen.beginPath();
        pen.moveTo(this.x(k), this.y(1));
        pen.lineTo(this.x(k), this.y(-0.12));
        pen.stroke();
        const brush = this.brushes.get(k);
        if (brush) {
          pen.fillStyle = colours.accent;
          pen.globalAlpha = 0.35;
          pen.fillRect(this.x(k) - 6, this.y(brush[1]), 12, this.y(brush[0]) - this.y(brush[1]));
          pen.globalAlpha = 1;
        }
        pen.textAlign = "left";
        pen.font = `600 12.5px ${family}`;
        pen.fillStyle = colours.ink;
        const last = k === this.lines.axes.length - 1;
        const room = (last ? this.box.right : this.gap) - 6;
        for (let size = 12.5; size > 9.5 && pen.measureText(axis.name).width > room; size -= 0.5) {
          pen.font = `600 ${size}px ${family}`;
        }
        pen.fillText(fitted(pen, axis.name, room), this.x(k) - 4, 16);
        pen.font = `11.5px ${family}`;
        for (const [at, text] of axis.ticks) {
          const words = fitted(pen, text, last ? this.box.right - 10 : this.gap - 14);
          pen.lineWidth = 4;
          pen.strokeStyle = colours.page;
          pen.lineJoin = "round";
          pen.strokeText(words, this.x(k) + 6, this.y(at) + 4);
          pen.fillStyle = colours.ink;
          pen.fillText(words, this.x(k) + 6, this.y(at) + 4);
        }
      });
      this.canvas.dataset.drawn = String(this.order.length);
    }
    at(event) {
      const box = this.canvas.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    }
    start(event) {
      const [x, y] = this.at(event);
      const axis = Math.round((x - this.box.left) / (this.gap || 1));
      if (axis < 0 || axis >= this.lines.axes.length || Math.abs(this.x(axis) - x) > 16) return;
      this.drag = { axis, from: this.position(y) };
      this.canvas.setPointerCapture(event.pointerId);
      event.preventDefault();
    }
    move(event) {
      const [x, y] = this.at(event);
      if (!this.drag) {
        const axis = Math.round((x - this.box.left) / (this.gap || 1));
        this.canvas.style.cursor = Math.abs(this.x(axis) - x) <= 16 ? "ns-resize" : "";
        return;
      }
      const to = this.position(y);
      this.brushes.set(this.drag.axis, [Math.min(this.drag.from, to), Math.max(this.drag.from, to)]);
      this.draw();
    }
    end() {
      if (!this.drag) return;
      const brush = this.brushes.get(this.drag.axis);
      if (!brush || brush[1] - brush[0] < 0.01) this.brushes.delete(this.drag.axis);
      this.drag = null;
      this.changed();
    }
    changed() {
      this.clear.hidden = !this.brushes.size;
      this.draw();
      this.onChange(this.brushes.size ? new Set(this.lines.names.filter((_, i) => this.kept(i))) : null);
    }
  }
  const fitted = (pen, text, room) => {
    if (pen.measureText(text).width <= room) return text;
    let end = text.length;
    while (end > 1 && pen.measureText(`${text.slice(0, end)}…`).width > room) end -= 1;
    return `${text.slice(0, end)}…`;
  };

  // ---- the page ------------------------------------------------------------------------------------------------
  const stored = (() => {
    try { return localStorage.getItem("nightshift-theme"); } catch { return null; }
  })();
  const names = ["auto", "light", "dark"];
  const setTheme = (name) => {
    if (name === "auto") delete root.dataset.theme;
    else root.dataset.theme = name;
    document.getElementById("theme-name").textContent = name;
    try { localStorage.setItem("nightshift-theme", name); } catch { /* A page from disk may have no storage. */ }
  };
  setTheme(names.includes(stored) ? stored : "auto");
  const redraw = () => { for (const chart of charts) chart.draw(); };
  document.getElementById("theme").addEventListener("click", () => {
    setTheme(names[(names.indexOf(root.dataset.theme || "auto") + 1) % names.length]);
    redraw();
  });
  dark.addEventListener("change", redraw);
  const paper = (now) => () => {
    printing = now;
    root.classList.toggle("paper", now);
    redraw();
  };
  addEventListener("beforeprint", paper(true));
  addEventListener("afterprint", paper(false));
  let width = innerWidth;
  addEventListener("resize", () => {
    if (innerWidth === width) return;
    width = innerWidth;
    for (const chart of charts) if (chart instanceof Parallel) chart.draw();
  });

  const tables = [...document.querySelectorAll("[data-table]")].map((box) => new Ranked(box));
  for (const figure of document.querySelectorAll("[data-chart], [data-parallel]")) {
    charts.push(figure.dataset.chart ? new Chart(figure) : new Parallel(figure, (kept) => tables.forEach((table) => table.keep(kept))));
  }
  // One chart at a time, so that the page can be read while the rest is drawn.
  const next = (i) => {
    if (i === charts.length) { root.dataset.ready = "yes"; return; }
    charts[i].draw();
    setTimeout(next, 0, i + 1);
  };
  next(0);

  const links = new Map([...document.querySelectorAll(".top nav a")].map((link) => [link.hash.slice(1), link]));
  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      for (const link of links.values()) link.classList.remove("here");
      links.get(entry.target.id)?.classList.add("here");
    }
  }, { rootMargin: "-20% 0px -70% 0px" });
  for (const section of document.querySelectorAll("main > section")) watcher.observe(section);
})();
