// Package web is the few lines over wasi:http 0.2 that samples in Go share.
package web

import (
	"errors"
	"io"
	"net/url"
	"strings"

	http "coracle/samples/bindings/go/imports/wasi_http_types"
	streams "coracle/samples/bindings/go/imports/wasi_io_streams"

	wit "go.bytecodealliance.org/pkg/wit/types"
)

const (
	// Read from the host in one call, at the most.
	maxRead = 64 << 10
	// Taken by the host in one call, at the most.
	maxWrite = 4 << 10
)

// ErrGone is what writing says when the client has gone.
var ErrGone = errors.New("the client has gone")

// Request is what came. Its body arrives while it is read.
type Request struct {
	Method string
	Path   string
	Query  url.Values
	Body   io.Reader
}

// Response is what goes. It starts with the first write.
type Response struct {
	to      *http.ResponseOutparam
	status  uint16
	headers *http.Fields
	body    *http.OutgoingBody
	stream  *streams.OutputStream
}

var handler = func(*Response, *Request) {}

// Handle says what answers requests.
func Handle(answer func(*Response, *Request)) { handler = answer }

// Serve answers one request; the generated bindings call it.
func Serve(incoming *http.IncomingRequest, to *http.ResponseOutparam) {
	target := incoming.PathWithQuery().SomeOr("/")
	path, query, _ := strings.Cut(target, "?")
	// What is well formed in a query counts, the rest does not.
	values, _ := url.ParseQuery(query)
	body := incoming.Consume().Ok()
	stream := body.Stream().Ok()
	request := &Request{Method: method(incoming.Method()), Path: path, Query: values, Body: &reader{stream: stream}}
	response := &Response{to: to, status: 200, headers: http.MakeFields()}

	handler(response, request)

	stream.Drop()
	http.IncomingBodyFinish(body).Drop()
	incoming.Drop()
	response.finish()
}

// SetStatus must come before the first write.
func (r *Response) SetStatus(status uint16) { r.status = status }

// SetHeader must come before the first write.
func (r *Response) SetHeader(name, value string) {
	r.headers.Set(name, [][]byte{[]byte(value)}).Ok()
}

// Started is whether the status and the headers are on their way.
func (r *Response) Started() bool { return r.stream != nil }

// Write sends a part of the body, and waits until the client's side has room for it.
func (r *Response) Write(bytes []byte) (int, error) {
	r.start()
	written := 0
	for written < len(bytes) {
		piece := bytes[written:min(len(bytes), written+maxWrite)]
		if r.stream.BlockingWriteAndFlush(piece).IsErr() {
			return written, ErrGone
		}
		written += len(piece)
	}
	return written, nil
}

func (r *Response) start() {
	if r.stream != nil {
		return
	}
	response := http.MakeOutgoingResponse(r.headers)
	response.SetStatusCode(r.status).Ok()
	r.body = response.Body().Ok()
	http.ResponseOutparamSet(r.to, wit.Ok[*http.OutgoingResponse, http.ErrorCode](response))
	r.stream = r.body.Write().Ok()
}

func (r *Response) finish() {
	r.start()
	r.stream.Drop()
	// A client that has gone needs no end of the body.
	http.OutgoingBodyFinish(r.body, wit.None[*http.Fields]())
}

type reader struct {
	stream *streams.InputStream
	rest   []byte
}

func (r *reader) Read(into []byte) (int, error) {
	for len(r.rest) == 0 {
		read := r.stream.BlockingRead(maxRead)
		if read.IsErr() {
			if failure := read.Err(); failure.Tag() == streams.StreamError_Closed {
				return 0, io.EOF
			}
			return 0, errors.New("the body ended early")
		}
		r.rest = read.Ok()
	}
	count := copy(into, r.rest)
	r.rest = r.rest[count:]
	return count, nil
}

func method(method http.Method) string {
	switch method.Tag() {
	case http.Method_Get:
		return "GET"
	case http.Method_Head:
		return "HEAD"
	case http.Method_Post:
		return "POST"
	case http.Method_Put:
		return "PUT"
	case http.Method_Delete:
		return "DELETE"
	case http.Method_Connect:
		return "CONNECT"
	case http.Method_Options:
		return "OPTIONS"
	case http.Method_Trace:
		return "TRACE"
	case http.Method_Patch:
		return "PATCH"
	default:
		return method.Other()
	}
}
