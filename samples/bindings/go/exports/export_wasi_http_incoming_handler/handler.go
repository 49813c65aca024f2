// Package export_wasi_http_incoming_handler is where the generated bindings look for the handler.
package export_wasi_http_incoming_handler

import (
	http "coracle/samples/bindings/go/imports/wasi_http_types"
	"coracle/samples/bindings/go/web"
)

// Handle answers one request.
func Handle(request *http.IncomingRequest, to *http.ResponseOutparam) { web.Serve(request, to) }
