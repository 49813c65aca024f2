// Answers every request with a greeting.

#include "web.h"

web_response respond(const char *path, char *query) {
  (void)path;
  (void)query;
  return web_text(200, "text/plain", "Hello from {{name}}!\n");
}
