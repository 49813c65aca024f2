// Functions of the world in `wit/`. `coracle build` writes their declarations into `bindings/`.

#include <stdio.h>
#include <stdlib.h>

#include "library.h"

// The strings that come are ours to free, and those that go are their caller's.
void exports_library_greet(library_string_t *name, library_string_t *ret) {
  size_t room = sizeof "Hello, !" + name->len;
  char *text = malloc(room);
  if (text == NULL) {
    abort();
  }
  ret->len = (size_t)snprintf(text, room, "Hello, %.*s!", (int)name->len, (const char *)name->ptr);
  ret->ptr = (uint8_t *)text;
  library_string_free(name);
}
