// Turns a posted CSV table into JSON while it still arrives: one object for each row, by the names in the first row.
// `?format=lines` (the default) writes an object a line, `?format=array` one array; `?separator=;` takes another one.
package main

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	_ "coracle/samples/bindings/go/exports/wit_exports"
	"coracle/samples/bindings/go/web"
)

// Collected before it is sent, in bytes.
const buffer = 32 << 10

func init() {
	web.Handle(answer)
}

// The host calls the handler, and never this.
func main() {}

func answer(response *web.Response, request *web.Request) {
	if request.Method != "POST" {
		refuse(response, 405, "post a CSV table")
		return
	}
	array := request.Query.Get("format") == "array"
	if format := request.Query.Get("format"); !array && format != "" && format != "lines" {
		refuse(response, 400, "format must be lines or array")
		return
	}
	table := csv.NewReader(request.Body)
	table.ReuseRecord = true
	if separator := request.Query.Get("separator"); separator != "" {
		table.Comma, _ = utf8.DecodeRuneInString(separator)
	}
	names, err := header(table)
	if err != nil {
		refuse(response, 422, err.Error())
		return
	}
	out := bufio.NewWriterSize(response, buffer)
	response.SetHeader("content-type", "application/x-ndjson")
	if array {
		response.SetHeader("content-type", "application/json")
	}
	if err := convert(out, table, names, array); err != nil {
		if errors.Is(err, web.ErrGone) {
			return
		}
		if !response.Started() {
			refuse(response, 422, err.Error())
			return
		}
		// Part of the answer is on its way: a body that never ends properly says that it is not whole.
		panic(err)
	}
}

// The names of the columns, each already written as JSON.
func header(table *csv.Reader) ([][]byte, error) {
	row, err := table.Read()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("the table is empty: its first row must name the columns")
	}
	if err != nil {
		return nil, err
	}
	names := make([][]byte, len(row))
	for at, name := range row {
		if names[at], err = json.Marshal(name); err != nil {
			return nil, err
		}
	}
	return names, nil
}

func convert(out *bufio.Writer, table *csv.Reader, names [][]byte, array bool) error {
	open, between, end := "", "\n", "\n"
	if array {
		open, between, end = "[", ",\n", "]\n"
	}
	out.WriteString(open)
	for rows := 0; ; rows++ {
		row, err := table.Read()
		if errors.Is(err, io.EOF) {
			if array || rows > 0 {
				out.WriteString(end)
			}
			return out.Flush()
		}
		if err != nil {
			return err
		}
		if rows > 0 {
			out.WriteString(between)
		}
		if err := object(out, names, row); err != nil {
			return err
		}
	}
}

func object(out *bufio.Writer, names [][]byte, row []string) error {
	for at, name := range names {
		value, err := json.Marshal(row[at])
		if err != nil {
			return err
		}
		if at == 0 {
			out.WriteByte('{')
		} else {
			out.WriteByte(',')
		}
		out.Write(name)
		out.WriteByte(':')
		out.Write(value)
	}
	// A writer that failed once keeps its error: this one tells of those above.
	return out.WriteByte('}')
}

func refuse(response *web.Response, status uint16, why string) {
	response.SetStatus(status)
	response.SetHeader("content-type", "text/plain; charset=utf-8")
	fmt.Fprintln(response, why)
}
