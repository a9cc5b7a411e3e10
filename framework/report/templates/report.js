
"use strict";
// Each chart replaces the picture beside it, once it has been drawn. No button sends a chart anywhere.
const options = { responsive: true, displaylogo: false, showSendToCloud: false, showLink: false, plotlyServerURL: "" };
for (const place of document.querySelectorAll("[data-figure]")) {
  const figure = JSON.parse(document.getElementById(place.dataset.figure).textContent);
  Plotly.newPlot(place, figure.data, figure.layout, options)
    .then(() => place.parentElement.classList.add("drawn"));
}
