// Graphs that answer the pointer, in place of the drawings that the page came with. They live in a shadow tree, so that
// a page whose middle is exchanged keeps them; where this does not run, or the figures do not come, the drawing stays.
"use strict";
(() => {
const EVERY = 10000;
const loads = new Map();

// Once for all graphs of a page.
function figures(src) {
  const known = loads.get(src);
  if (known && performance.now() - known.at < EVERY / 2) return known.data;
  const data = fetch(src).then(r => (r.status === 200 ? r.json() : null)).catch(() => null);
  loads.set(src, { at: performance.now(), data });
  return data;
}

function words(number, unit) {
  if (number == null) return "—";
  const [n, prefix] = number >= 1e9 ? [number / 1e9, "G"] : number >= 1e6 ? [number / 1e6, "M"] : number >= 1e3 ? [number / 1e3, "k"] : [number, ""];
  return `${n >= 100 || n === 0 ? n.toFixed(0) : n.toPrecision(3)} ${prefix}${unit}`;
}

// Drops may have more kinds than a graph has colours: the same ones come again, dashed.
const COLOURS = { from: ["--accent"], to: ["--good-line"], dropped: ["--bad-line", "--wait-line", "--gone-line"] };

class TrafficGraph extends HTMLElement {
  static observedAttributes = ["src"];

  connectedCallback() {
    this.timer = setInterval(() => this.draw(), EVERY);
    this.sizes = new ResizeObserver(() => this.plot?.setSize(this.size()));
    this.sizes.observe(this);
    this.scheme = matchMedia("(prefers-color-scheme: dark)");
    this.anew = () => { this.forget(); this.draw(); };
    this.scheme.addEventListener("change", this.anew);
    this.draw();
  }

  disconnectedCallback() {
    clearInterval(this.timer);
    this.sizes.disconnect();
    this.scheme.removeEventListener("change", this.anew);
    this.forget();
  }

  attributeChangedCallback() {
    if (this.isConnected && this.timer) this.draw();
  }

  forget() {
    this.plot?.destroy();
    this.plot = this.made = null;
  }

  size() {
    return { width: Math.max(200, this.clientWidth), height: 160 };
  }

  async draw() {
    const data = await figures(this.getAttribute("src"));
    const chart = data?.charts[this.getAttribute("kind")];
    if (!chart || !this.isConnected) return;
    const columns = [data.at, ...chart.series.map(s => s.values)];
    const made = chart.series.map(s => s.name).join();
    if (this.plot && this.made === made) return this.plot.setData(columns);
    this.forget();
    this.make(chart, columns);
    this.made = made;
  }

  make(chart, columns) {
    const root = this.shadowRoot ?? this.attachShadow({ mode: "open" });
    const box = document.createElement("div");
    box.className = "graph";
    box.setAttribute("role", "group");
    box.setAttribute("aria-label", this.getAttribute("label"));
    const sheet = document.createElement("link");
    sheet.rel = "stylesheet";
    sheet.href = new URL("uplot.css", TrafficGraph.assets).href;
    root.replaceChildren(sheet, box);
    const style = getComputedStyle(document.documentElement);
    const colour = name => style.getPropertyValue(name).trim();
    const axis = { stroke: colour("--soft"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line"), width: 1 } };
    const series = chart.series.map((s, n) => {
      const colours = COLOURS[s.class];
      return { label: s.name, stroke: colour(colours[n % colours.length] ?? colours[0]), width: 1.6,
        dash: n >= colours.length && s.class === "dropped" ? [6, 4] : undefined, value: (_, v) => words(v, chart.unit) };
    });
    this.plot = new uPlot({
      ...this.size(),
      cursor: { sync: { key: "traffic" } },
      scales: { y: { range: (_, __, max) => [0, max > 0 ? max * 1.05 : 1] } },
      series: [{}, ...series],
      axes: [axis, { ...axis, size: 64, values: (_, ticks) => ticks.map(t => words(t, "")) }],
    }, columns, box);
  }
}
TrafficGraph.assets = document.currentScript.src;
customElements.define("traffic-graph", TrafficGraph);
})();
