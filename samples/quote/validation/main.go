// Says what is wrong with an order.
package main

import _ "coracle/samples/quote/validation/bindings/exports/wit_exports"

// The host calls the check, and never this.
func main() {}
