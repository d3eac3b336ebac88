// Maps drawn from the table beside them: a map can show nothing that its table does not say.
//
//   <div data-map data-areas="/admin/v1/maps/areas?..." data-table="ID" hidden> <div class="map" role="region" aria-label="...">
//   rows: <tr data-code="35.78" data-shade="0|..|few|none">; the colours are those of the legend's swatches.

import { Map as Drawn, NavigationControl, setWorkerUrl } from "./vendor/maplibre-gl.mjs";

setWorkerUrl(new URL("./vendor/maplibre-gl-worker.mjs", import.meta.url).href);

// What MapLibre needs of styles comes with it, so that a page is small before its map.
function styled() {
  const sheet = document.createElement("link");
  sheet.rel = "stylesheet";
  sheet.href = new URL("./vendor/maplibre-gl.css", import.meta.url).href;
  return new Promise((resolve, reject) => {
    sheet.addEventListener("load", resolve);
    sheet.addEventListener("error", reject);
    document.head.append(sheet);
  });
}

function colours() {
  const found = {};
  for (const one of document.querySelectorAll(".legend [data-shade]")) found[one.dataset.shade] = getComputedStyle(one).fill;
  return found;
}

function read(table) {
  const rows = new Map();
  for (const row of table.querySelectorAll("tr[data-code]")) rows.set(row.dataset.code, row);
  return rows;
}

// The colour of each region: one question of the style, which MapLibre answers for every feature.
function fill(rows) {
  const known = colours();
  const pairs = [...rows].flatMap(([code, row]) => [code, known[row.dataset.shade] ?? known.none]);
  return pairs.length ? ["match", ["get", "code"], ...pairs, known.none] : known.none;
}

function extent(collection) {
  let [west, south, east, north] = [180, 90, -180, -90];
  const walk = (place) => {
    if (typeof place[0] !== "number") return place.forEach(walk);
    west = Math.min(west, place[0]); east = Math.max(east, place[0]);
    south = Math.min(south, place[1]); north = Math.max(north, place[1]);
  };
  collection.features.forEach((one) => walk(one.geometry.coordinates));
  return [[west, south], [east, north]];
}

// What a row says, as one sentence: its cells, with what each column is called.
function sentence(row) {
  const heads = [...row.closest("table").tHead.rows[0].cells].map((cell) => cell.textContent.trim());
  return [...row.cells].map((cell, at) => {
    const said = cell.textContent.replace(/\s+/g, " ").trim();
    return at ? `${heads[at]}: ${said}` : said;
  }).join(" · ");
}

async function draw(place) {
  const answer = await fetch(place.dataset.areas, { headers: { accept: "application/geo+json" } });
  if (!answer.ok) throw new Error(`borders: ${answer.status}`);
  const [areas] = await Promise.all([answer.json(), styled()]);
  let rows = read(document.getElementById(place.dataset.table));
  const style = () => getComputedStyle(document.documentElement);
  const box = place.querySelector(".map"), said = place.querySelector(".map-said");
  const paint = (name) => style().getPropertyValue(name).trim();
  const map = new Drawn({
    container: box,
    attributionControl: false,
    bounds: extent(areas), fitBoundsOptions: { padding: 12 },
    dragRotate: false, pitchWithRotate: false, touchPitch: false, cooperativeGestures: false, renderWorldCopies: false,
    locale: {
      "Map.Title": box.getAttribute("aria-label"),
      "NavigationControl.ZoomIn": place.dataset.zoomIn, "NavigationControl.ZoomOut": place.dataset.zoomOut,
    },
    style: {
      version: 8,
      sources: { areas: { type: "geojson", data: areas, promoteId: "code" } },
      layers: [
        { id: "sea", type: "background", paint: { "background-color": paint("--paper") } },
        { id: "areas", type: "fill", source: "areas", paint: { "fill-color": fill(rows), "fill-antialias": true } },
        { id: "borders", type: "line", source: "areas", paint: { "line-color": paint("--line-strong"), "line-width": 0.5 } },
        { id: "pointed", type: "line", source: "areas", filter: ["==", ["get", "code"], ""], paint: { "line-color": paint("--focus"), "line-width": 3 } },
      ],
    },
  });
  map.addControl(new NavigationControl({ showCompass: false }), "top-right");
  map.scrollZoom.disable();

  let pointed = null;
  const point = (code) => {
    if (code === pointed) return;
    rows.get(pointed)?.classList.remove("pointed");
    pointed = code;
    map.setFilter("pointed", ["==", ["get", "code"], code]);
    const row = rows.get(code);
    row?.classList.add("pointed");
    if (row) said.textContent = sentence(row);
  };
  map.on("mousemove", "areas", (event) => point(event.features[0].properties.code));
  map.on("click", "areas", (event) => {
    const code = event.features[0].properties.code;
    point(code);
    const row = rows.get(code);
    const link = row?.querySelector("a[href]");
    if (link) link.click(); else row?.scrollIntoView({ block: "nearest" });
  });
  // Heard where the table is, not at its rows: those may be renewed while somebody looks.
  const heard = (event) => {
    const row = event.target.closest?.("tr[data-code]");
    if (row && rows.get(row.dataset.code) === row) point(row.dataset.code);
  };
  document.addEventListener("mouseover", heard);
  document.addEventListener("focusin", heard);
  document.addEventListener("htmx:after:swap", () => {
    rows = read(document.getElementById(place.dataset.table));
    map.setPaintProperty("areas", "fill-color", fill(rows));
  });
  map.on("idle", () => { place.dataset.mapReady = "yes"; });
  map.on("error", () => failed(place));
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    map.setPaintProperty("sea", "background-color", paint("--paper"));
    map.setPaintProperty("areas", "fill-color", fill(rows));
    map.setPaintProperty("borders", "line-color", paint("--line-strong"));
  });
}

function failed(place) {
  place.querySelector(".map").hidden = true;
  place.querySelector("[data-map-failed]").hidden = false;
}

for (const place of document.querySelectorAll("[data-map]")) {
  place.hidden = false;
  draw(place).catch(() => failed(place));
}
