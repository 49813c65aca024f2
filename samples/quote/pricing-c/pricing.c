// Says what an order costs, as the Python beside it does: prices of articles, less for many.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pricer.h"

// Of one piece, in cents.
static const struct {
  const char *sku;
  uint64_t each;
} prices[] = {{"apple", 45}, {"pear", 60}, {"quince", 120}, {"fig", 35}};

// From so many pieces in all on, so many percent less; the first that fits counts.
static const struct {
  uint64_t least;
  uint32_t percent;
} discounts[] = {{100, 15}, {50, 10}, {10, 5}};

// The generated code asks for the object file that holds its type. That type is put in after linking.
void __component_type_object_force_link_pricer(void) {}

#define LENGTH(list) (sizeof(list) / sizeof((list)[0]))

// The price of one piece, or 0.
static uint64_t price_of(const pricer_string_t *sku) {
  for (size_t at = 0; at < LENGTH(prices); at++) {
    if (strlen(prices[at].sku) == sku->len && memcmp(prices[at].sku, sku->ptr, sku->len) == 0) {
      return prices[at].each;
    }
  }
  return 0;
}

bool exports_shop_quote_pricing_quote(exports_shop_quote_pricing_order_t *of, exports_shop_quote_pricing_price_t *ret,
                                      pricer_string_t *err) {
  uint64_t pieces = 0;
  for (size_t at = 0; at < of->items.len; at++) {
    pieces += of->items.ptr[at].count;
  }
  uint32_t discount = 0;
  for (size_t at = LENGTH(discounts); at-- > 0;) {
    discount = pieces >= discounts[at].least ? discounts[at].percent : discount;
  }

  *ret = (exports_shop_quote_pricing_price_t){.discount = discount};
  // A zero length would be no fault of malloc's, and one piece more is never missed.
  ret->lines.ptr = calloc(of->items.len + 1, sizeof(shop_quote_types_line_t));
  if (ret->lines.ptr == NULL) {
    abort();
  }
  for (size_t at = 0; at < of->items.len; at++) {
    shop_quote_types_item_t *item = &of->items.ptr[at];
    uint64_t each = price_of(&item->sku);
    if (each == 0) {
      char why[128];
      snprintf(why, sizeof why, "there is no price of %.*s", (int)item->sku.len, (const char *)item->sku.ptr);
      pricer_string_dup(err, why);
      shop_quote_types_price_free(ret);
      exports_shop_quote_pricing_order_free(of);
      return false;
    }
    // Half a cent goes to the customer.
    uint64_t total = each * item->count * (100 - discount) / 100;
    shop_quote_types_line_t *line = &ret->lines.ptr[ret->lines.len++];
    pricer_string_dup_n(&line->sku, (const char *)item->sku.ptr, item->sku.len);
    line->count = item->count;
    line->each = each;
    line->total = total;
    ret->total += total;
  }
  exports_shop_quote_pricing_order_free(of);
  return true;
}
