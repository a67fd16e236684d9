/** Our own line icons: 24 × 24, drawn with the colour of the text around them. */

const SVG = "http://www.w3.org/2000/svg";

/** @type {Record<string, string>} */
const PATHS = {
  send: "M4 12 20 4l-5 16-3.5-6.5L4 12Z",
  plus: "M12 5v14M5 12h14",
  photo: "M4 7.5A1.5 1.5 0 0 1 5.5 6H8l1.5-2h5L16 6h2.5A1.5 1.5 0 0 1 20 7.5v10a1.5 1.5 0 0 1-1.5 1.5h-13A1.5 1.5 0 0 1 4 17.5v-10ZM12 16a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7Z",
  pin: "M12 21s-6.5-6-6.5-11a6.5 6.5 0 0 1 13 0c0 5-6.5 11-6.5 11Zm0-8.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5Z",
  person: "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8Zm-7.5 8.5c.6-3.8 3.6-6 7.5-6s6.900 2.200 7.500 6",
  list: "M9 6.500h11M9 12h11M9 17.500h11M4.500 6.500h.01M4.500 12h.01M4.500 17.500h.01",
  close: "M6 6l12 12M18 6 6 18",
  down: "M6 9l6 6 6-6",
  chat: "M4 5.500h16v11H10l-4.500 3.500v-3.500H4v-11Z",
  plane: "M3.500 11.500 20.500 4.500l-3 15-5.500-4.500-3 3v-4.500l8-6",
  group: "M9 11a3.500 3.500 0 1 0 0-7 3.500 3.500 0 0 0 0 7Zm-6.500 8.500c.5-3.300 3-5.300 6.500-5.300s6 2 6.500 5.300M16 4.300a3.500 3.500 0 0 1 0 6.500M18 14.600c2 .8 3.200 2.500 3.500 4.900",
  board: "M4 4.500h4.500v15H4zM10 4.500h4.500v10H10zM16 4.500h4v6.500h-4z",
  coin: "M9 20V5h5a4 4 0 0 1 0 8H6.500M6.500 16.500H14",
  bolt: "M13 3 5 13.500h6L10.500 21 19 10h-6.200L13 3Z",
  reset: "M5 8.500A8 8 0 1 1 4 12.500M5 4v4.500h4.500",
  sun: "M12 16.500a4.500 4.500 0 1 0 0-9 4.500 4.500 0 0 0 0 9ZM12 2.500v2M12 19.500v2M2.500 12h2M19.500 12h2M5.300 5.300l1.400 1.400M17.300 17.300l1.400 1.400M18.700 5.300l-1.400 1.400M6.700 17.300l-1.400 1.400",
  moon: "M19.500 14.500A8 8 0 0 1 9.500 4.500a8 8 0 1 0 10 10Z",
  auto: "M12 20.500a8.500 8.500 0 1 0 0-17v17Z M12 3.500a8.500 8.500 0 0 0 0 17",
  check: "M5 12.500l4.500 4.500L19 7.500",
  comment: "M4.500 5h15v11h-8l-4 3.500V16h-3V5Z",
  clip: "M19 11.500l-7.300 7.300a4.600 4.600 0 0 1-6.500-6.500l8-8a3 3 0 0 1 4.300 4.300l-7.800 7.800a1.500 1.500 0 0 1-2.100-2.100l6.900-6.900",
  skull: "M12 3.500a7.500 7.500 0 0 0-4.500 13.500v3h9v-3A7.500 7.500 0 0 0 12 3.500ZM9 11.500h.01M15 11.500h.01M12 20v-2.500",
  clock: "M12 20.500a8.500 8.500 0 1 0 0-17 8.500 8.500 0 0 0 0 17ZM12 7.500V12l3 2",
  tick: "M3 12.500l4 4 8-9",
  ticks: "M2 12.500l4 4 8-9M10.500 15l1.500 1.500 8-9",
  alert: "M12 4 2.500 20h19L12 4ZM12 10v4.500M12 17.300h.01",
  refresh: "M4.500 12a7.500 7.500 0 0 1 13-5M19.500 12a7.500 7.500 0 0 1-13 5M17.500 3v4h-4M6.500 21v-4h4",
};

/**
 * @param {string} name
 * @returns {SVGSVGElement} hidden from readers: the element around it carries the name
 */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", `icon icon-${name}`);
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}
