"use strict";
// Draws /openapi.json; `validatorUrl` null, since the default asks a server elsewhere.
SwaggerUIBundle({ url: "/openapi.json", dom_id: "#reference", deepLinking: true, validatorUrl: null });
