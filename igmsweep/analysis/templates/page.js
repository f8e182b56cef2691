"use strict";
(function () {
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const plots = Array.from(document.querySelectorAll(".plot"));
  const settings = { responsive: true, displaylogo: false, displayModeBar: "hover",
    modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"], toImageButtonOptions: { format: "svg" } };
  function ink(print) { return dark.matches && !print ? "#d5dae1" : "#3b4148"; }
  function draw(plot) {
    if (plot.dataset.drawn || plot.closest("[hidden]")) return;
    const source = JSON.parse(document.getElementById("data-" + plot.id).textContent);
    source.layout.font.color = ink(false);
    plot.dataset.drawn = "1";
    Plotly.newPlot(plot, source.data, source.layout, settings);
  }
  function recolour(print) {
    for (const plot of plots) if (plot.dataset.drawn) Plotly.relayout(plot, { "font.color": ink(print) });
  }
  const near = "IntersectionObserver" in window && plots.length > 40
    ? new IntersectionObserver(function (seen) { for (const each of seen) if (each.isIntersecting) draw(each.target); }, { rootMargin: "800px" })
    : null;
  for (const plot of plots) near ? near.observe(plot) : draw(plot);
  dark.addEventListener("change", function () { recolour(false); });
  window.addEventListener("beforeprint", function () { plots.forEach(draw); recolour(true); });
  window.addEventListener("afterprint", function () { recolour(false); });
  for (const button of document.querySelectorAll("[data-show]")) {
    button.addEventListener("click", function () {
      for (const other of document.querySelectorAll("[data-show]")) other.setAttribute("aria-pressed", String(other === button));
      for (const figure of document.querySelectorAll("figure[data-metric]")) {
        figure.hidden = button.dataset.show !== "" && figure.dataset.metric !== button.dataset.show;
      }
      for (const plot of plots) if (!plot.closest("[hidden]")) { draw(plot); Plotly.Plots.resize(plot); }
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
