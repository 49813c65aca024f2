// Answers every request with a greeting.
package main

import (
	"io"

	_ "coracle/samples/bindings/go/exports/wit_exports"
	"coracle/samples/bindings/go/web"
)

func init() {
	web.Handle(func(response *web.Response, _ *web.Request) {
		response.SetHeader("content-type", "text/plain")
		io.WriteString(response, "Hello from Go!\n")
	})
}

// The host calls the handler, and never this.
func main() {}
