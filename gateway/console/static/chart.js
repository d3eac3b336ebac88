// Charts drawn from the table beside them: a chart can show nothing that its table does not say.
//
//   <figure class="drawn" data-chart="line|bar|stacked" aria-label="..."> <div class="chart"></div>
//     <details><summary>...</summary><table> first column: names; others: one series each, numbers in data-value

await import("./vendor/echarts.common.min.js");

const colours = ["#0b7a80", "#c98a1b", "#a8443b", "#5a7fb5", "#6d8f3c", "#8a5a9e", "#7d8a90"];
// A heading may say what its series means (data-tone), so that a chart and the figures above it agree.
const tones = { good: "#2b8a57", partly: "#8fb8a0", wary: "#c98a1b", bad: "#b03a3f", quiet: "#8b98a0", missing: "#5a7fb5", rest: "#8a5a9e" };
const perLine = 3;

function read(table) {
  const heads = [...table.tHead.rows[0].cells].slice(1);
  const rows = [...table.tBodies[0].rows];
  return {
    names: rows.map((row) => row.cells[0].textContent.trim()),
    series: heads.map((head, at) => ({
      name: head.textContent.trim(),
      color: tones[head.dataset.tone],
      data: rows.map((row) => { const value = row.cells[at + 1].dataset.value; return value === undefined || value === "" ? null : Number(value); }),
    })),
  };
}

function draw(figure) {
  const { names, series } = read(figure.querySelector("table"));
  const style = getComputedStyle(document.documentElement);
  const ink = style.getPropertyValue("--ink-soft"), line = style.getPropertyValue("--line");
  const kind = figure.dataset.chart;
  const box = figure.querySelector(".chart");
  figure.dataset.drawn = "yes"; // its box is hidden until then, and a hidden one has no size
  const chart = window.echarts.getInstanceByDom(box) ?? window.echarts.init(box, null, { renderer: "svg" });
  const number = new Intl.NumberFormat(document.documentElement.lang);
  chart.setOption({
    animation: false, color: colours, aria: { enabled: true }, grid: { left: 8, right: 16, top: series.length > 1 ? 16 + 24 * Math.ceil(series.length / perLine) : 16, bottom: 8, containLabel: true },
    legend: series.length > 1 ? { top: 0, textStyle: { color: ink } } : undefined,
    tooltip: { trigger: "axis", renderMode: "richText", valueFormatter: (value) => (value === null ? "–" : number.format(value)) },
    xAxis: { type: "category", data: names, axisLabel: { color: ink }, axisLine: { lineStyle: { color: line } } },
    yAxis: { type: "value", axisLabel: { color: ink, formatter: (value) => number.format(value) }, splitLine: { lineStyle: { color: line } } },
    series: series.map((one) => ({
      ...one, type: kind === "line" ? "line" : "bar", stack: kind === "stacked" ? "all" : undefined, barMaxWidth: 42, showSymbol: names.length < 40,
    })),
  }, true);
}

const drawAll = () => document.querySelectorAll("[data-chart]").forEach(draw);
drawAll();
window.addEventListener("resize", () => document.querySelectorAll("[data-chart] .chart").forEach((box) => window.echarts.getInstanceByDom(box)?.resize()));
window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
document.addEventListener("htmx:after:swap", drawAll);
