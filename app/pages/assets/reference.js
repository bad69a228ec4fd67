"use strict";
// Draws /openapi.json; `validatorUrl` null, since the default asks a server elsewhere.
SwaggerUIBundle({ url: "/openapi.json", dom_id: "#reference", deepLinking: true, validatorUrl: null });

// What Swagger UI leaves out for keyboards and screen readers, added to whatever it draws.
function complete() {
  // within a button that does the same
  for (const link of document.querySelectorAll(".opblock-summary-control a[href]")) link.removeAttribute("href");
  for (const code of document.querySelectorAll("pre.microlight")) code.tabIndex = 0;
  for (const select of document.querySelectorAll("select:not([aria-label], [id])")) {
    const row = select.closest("tr, label, .parameters-col_description, section");
    select.ariaLabel = row?.dataset.paramName ?? "Value";
  }
}
new MutationObserver(complete).observe(document.getElementById("reference"), { childList: true, subtree: true });
