// Starts Swagger UI on the page that gateway/api/documentation.py serves. Asks no host but this one.
SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#docs",
  deepLinking: true,
  // The shipped examples are meant to be read beside the README: tokens here are DPoP-bound, and a
  // browser page has no business holding an agency's key.
  supportedSubmitMethods: [],
  validatorUrl: null,
});
