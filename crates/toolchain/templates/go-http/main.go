// Answers every request with a greeting.
package main

import (
	"io"

	_ "example/{{name}}/exports/wit_exports"
	"example/{{name}}/web"
)

func init() {
	web.Handle(func(response *web.Response, _ *web.Request) {
		response.SetHeader("content-type", "text/plain")
		io.WriteString(response, "Hello from {{name}}!\n")
	})
}

// The host calls the handler, and never this.
func main() {}
