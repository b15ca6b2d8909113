// Draws the API reference from the schema. Calls tried out in the page carry the CSRF token of a signed-in person.
import { csrfToken } from "./dom.js";

const place = document.getElementById("swagger-ui");
window.SwaggerUIBundle({
  domNode: place,
  url: place.dataset.schema,
  deepLinking: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  requestInterceptor: (request) => {
    if (new URL(request.url, location.href).origin === location.origin) request.headers["X-CSRFToken"] = csrfToken();
    return request;
  },
});
