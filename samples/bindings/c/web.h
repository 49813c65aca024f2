// The few lines over `wasi:http` 0.2 that samples in C share.
#ifndef WEB_H
#define WEB_H

#include <stddef.h>

typedef struct {
  unsigned short status;
  const char *content_type;
  const char *body;
  size_t length;
} web_response;

// Answers a request; every sample has its own. The query is what follows the first `?`, or empty; it may be changed.
web_response respond(const char *path, char *query);

// A response of a text that ends in NUL and stays where it is.
web_response web_text(unsigned short status, const char *content_type, const char *text);

// Takes the next pair off a query and undoes its percent-encoding. False when there is none left.
int web_next_pair(char **query, char **key, char **value);

#endif
