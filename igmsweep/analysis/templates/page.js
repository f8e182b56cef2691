"use strict";
(function () {
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const plots = Array.from(document.querySelectorAll(".plot"));
  const OUT_OF_SIGHT = "[hidden], details:not([open])"; // has no width to draw in
  const settings = { responsive: true, displaylogo: false, displayModeBar: window.matchMedia("(hover: hover)").matches ? "hover" : false,
    modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"], toImageButtonOptions: { format: "svg" } };
  const phone = window.matchMedia("(max-width: 560px)").matches;
  const known = document.getElementById("configs");
  const configs = known ? JSON.parse(known.textContent) : {};
  function spec(plot, print) {
    let source = document.getElementById("data-" + plot.id).textContent;
    const night = dark.matches && !print;
    if (night) source = source.replaceAll("#0072B2", "#56B4E9").replaceAll("rgba(0,114,178,", "rgba(86,180,233,").replaceAll("#D55E00", "#FF8A3D");
    const parsed = JSON.parse(source);
    parsed.layout.font.color = night ? "#d5dae1" : "#3b4148";
    if (phone) parsed.layout.font.size = 12;
    if (print) { // a page of A4 or Letter; Plotly would keep the screen's width
      parsed.layout.width = plot.closest(".wide") ? 640 : 306;
      parsed.layout.height = parsed.layout.height * 0.78;
      parsed.layout.autosize = false;
      parsed.layout.font.size = 9;
      parsed.layout.legend.font.size = 7.5;
      parsed.layout.legend.itemwidth = 30;
    }
    // the note stands in the title's line of the page, where it cannot meet the legend
    parsed.layout.annotations = (parsed.layout.annotations || []).filter(function (each) { return each.name !== "note"; });
    for (const trace of parsed.data) if (trace.meta === "trials") {
      trace.text = trace.customdata.map(function (trial) { return configs[trial] || "trial " + trial; });
      trace.hovertemplate = "%{text}<br><b>" + (trace.ids ? "%{id}" : "%{y:.2f}") + "</b><extra></extra>";
    }
    return parsed;
  }
  function draw(plot) {
    if (plot.dataset.drawn || plot.closest(OUT_OF_SIGHT) || typeof Plotly === "undefined") return; // the picture stays
    plot.replaceChildren();
    const source = spec(plot, false);
    plot.dataset.drawn = "1";
    Plotly.newPlot(plot, source.data, source.layout, settings);
  }
  function recolour(print) {
    for (const plot of plots) {
      if (!plot.dataset.drawn) continue;
      const source = spec(plot, print);
      Plotly.react(plot, source.data, source.layout, settings);
    }
  }
  function show(metric) {
    for (const button of document.querySelectorAll("[data-show]")) button.setAttribute("aria-pressed", String(button.dataset.show === metric));
    for (const figure of document.querySelectorAll("figure[data-metric]")) figure.hidden = metric !== "" && figure.dataset.metric !== metric;
  }
  const near = "IntersectionObserver" in window && plots.length > 40
    ? new IntersectionObserver(function (seen) { for (const each of seen) if (each.isIntersecting) draw(each.target); }, { rootMargin: "800px" })
    : null;
  for (const plot of plots) near ? near.observe(plot) : draw(plot);
  dark.addEventListener("change", function () { recolour(false); });
  const folded = Array.from(document.querySelectorAll("details"));
  for (const each of folded) each.addEventListener("toggle", function () { if (each.open) each.querySelectorAll(".plot").forEach(draw); });
  let opened = [];
  window.addEventListener("beforeprint", function () { // paper cannot be asked for more
    opened = folded.filter(function (each) { return !each.open; });
    for (const each of opened) each.open = true;
    plots.forEach(draw);
    recolour(true);
  });
  window.addEventListener("afterprint", function () { for (const each of opened) each.open = false; recolour(false); });
  for (const button of document.querySelectorAll("[data-show]")) {
    button.addEventListener("click", function () {
      show(button.dataset.show);
      for (const plot of plots) if (!plot.closest(OUT_OF_SIGHT)) { draw(plot); Plotly.Plots.resize(plot); }
    });
  }
  for (const button of document.querySelectorAll("[data-copy]")) {
    button.addEventListener("click", function () {
      const target = document.getElementById(button.dataset.copy);
      const said = button.textContent;
      function done() { button.textContent = "copied"; setTimeout(function () { button.textContent = said; }, 1500); }
      function byHand() {
        const range = document.createRange();
        range.selectNodeContents(target);
        getSelection().removeAllRanges();
        getSelection().addRange(range);
        if (document.execCommand("copy")) done();
      }
      if (navigator.clipboard) navigator.clipboard.writeText(target.textContent).then(done, byHand); else byHand();
    });
  }
})();
