// A rule of the product: which orders are taken, and what their customers are told. `coracle build` writes the declarations
// into `bindings/`.

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugin.h"

// What a string is for printf's %.*s.
#define TEXT(string) (int)(string).len, (const char *)(string).ptr

static plugin_string_t format(const char *format, ...) {
  va_list values;
  va_start(values, format);
  char *text = NULL;
  int length = vasprintf(&text, format, values);
  va_end(values);
  if (length < 0) {
    abort();
  }
  return (plugin_string_t){(uint8_t *)text, (size_t)length};
}

static bool same(const plugin_string_t *one, const plugin_string_t *other) {
  return one->len == other->len && memcmp(one->ptr, other->ptr, one->len) == 0;
}

static void say(plugin_string_t message) {
  plugin_string_t context;
  plugin_string_set(&context, "rules");
  wasi_logging_logging_log(WASI_LOGGING_LOGGING_LEVEL_INFO, &context, &message);
  plugin_string_free(&message);
}

bool exports_example_plugin_rules_check(exports_example_plugin_rules_order_t *of, plugin_list_string_t *ret,
                                        plugin_string_t *err) {
  say(format("checking an order of %.*s", TEXT(of->customer)));
  plugin_string_t key;
  plugin_string_set(&key, "unsold");
  plugin_option_string_t unsold = {.is_some = false};
  wasi_config_store_error_t failure;
  if (!wasi_config_store_get(&key, &unsold, &failure)) {
    *err = format("the settings cannot be read");
    wasi_config_store_error_free(&failure);
    exports_example_plugin_rules_order_free(of);
    return false;
  }

  const exports_example_plugin_rules_item_t *items = of->items.ptr;
  bool taken = true;
  for (size_t at = 0; taken && at < of->items.len; at++) {
    taken = !unsold.is_some || !same(&items[at].name, &unsold.val);
    if (!taken) {
      *err = format("%.*s is not sold", TEXT(items[at].name));
    }
  }
  *ret = (plugin_list_string_t){NULL, 0};
  if (taken && of->items.len > 0) {
    ret->ptr = calloc(of->items.len, sizeof(plugin_string_t));
    if (ret->ptr == NULL) {
      abort();
    }
    for (; ret->len < of->items.len; ret->len++) {
      const exports_example_plugin_rules_item_t *item = &items[ret->len];
      ret->ptr[ret->len] = format("%u x %.*s", item->count, TEXT(item->name));
    }
  }
  plugin_option_string_free(&unsold);
  exports_example_plugin_rules_order_free(of);
  return taken;
}
