// Package export_shop_quote_validation is where the generated bindings look for the check.
package export_shop_quote_validation

import (
	"fmt"
	"strings"
	"unicode/utf8"

	types "coracle/samples/quote/validation/bindings/imports/shop_quote_types"
)

// What one order may have at the most.
const (
	mostItems = 20
	mostEach  = 1000
	longest   = 80
)

// Check says what is wrong with an order, in sentences.
func Check(order types.Order) []string {
	problems := []string{}
	say := func(format string, arguments ...any) { problems = append(problems, fmt.Sprintf(format, arguments...)) }
	switch {
	case strings.TrimSpace(order.Customer) == "":
		say("the order names no customer")
	case utf8.RuneCountInString(order.Customer) > longest:
		say("the customer's name is longer than %d letters", longest)
	}
	switch {
	case len(order.Items) == 0:
		say("the order has no items")
	case len(order.Items) > mostItems:
		say("the order has %d items, and may have %d", len(order.Items), mostItems)
	}
	seen := map[string]bool{}
	for _, item := range order.Items {
		if seen[item.Sku] {
			say("%s is ordered twice", item.Sku)
		}
		seen[item.Sku] = true
		if item.Count == 0 || item.Count > mostEach {
			say("%d of %s cannot be ordered: from 1 to %d can", item.Count, item.Sku, mostEach)
		}
	}
	return problems
}
