// Shows what an instance draws, reads and remembers. Tests hold instances of one snapshot against each other by it.
package main

import (
	cryptorand "crypto/rand"
	"fmt"
	"hash/maphash"
	"io"
	"math/rand"
	randv2 "math/rand/v2"
	"os"
	"strings"
	"time"

	_ "coracle/samples/bindings/go/exports/wit_exports"
	"coracle/samples/bindings/go/web"
)

// What was seen when packages were initialised: by the build, where that takes a snapshot.
var (
	variables = len(os.Environ())
	began     = 0
	table     = map[string]int{}
)

func init() {
	began++
	for i := range 1000 {
		table[fmt.Sprint("key ", i)] = i
	}
	web.Handle(answer)
}

func answer(response *web.Response, request *web.Request) {
	response.SetHeader("content-type", "text/plain")
	switch strings.TrimPrefix(request.Path, "/fresh") {
	case "/random":
		fmt.Fprintln(response, rand.Int63())
		fmt.Fprintln(response, randv2.Uint64())
		fmt.Fprintln(response, cryptorand.Text())
		fmt.Fprintln(response, maphash.String(maphash.MakeSeed(), "one text"))
		fmt.Fprintln(response, first(map[int]bool{1: true, 2: true, 3: true, 4: true, 5: true, 6: true, 7: true, 8: true}))
	case "/granted":
		note, err := os.ReadFile("/granted/note.txt")
		fmt.Fprintln(response, os.Getenv("GREETING"), string(note), err, len(os.Environ()), len(os.Args))
	case "/began":
		fmt.Fprintln(response, variables, began, table["key 999"], len(table))
	case "/time":
		now := time.Now()
		time.Sleep(time.Millisecond)
		passed := time.Since(now)
		fmt.Fprintln(response, now.Year() > 2025, passed >= time.Millisecond && passed < time.Minute)
	case "/leave", "/leave/dying":
		began, variables, table["left"] = began+1000, variables+1000, 1000
		if strings.HasSuffix(request.Path, "dying") {
			panic("with all that it left")
		}
		fmt.Fprintln(response, variables, began, len(table))
	case "/work":
		fmt.Fprintln(response, work())
	default:
		io.WriteString(response, "/random /granted /began /leave /leave/dying /time /work\n")
	}
}

// The first key of an iteration, whose order is random. Several orders start with the same.
func first(keys map[int]bool) string {
	order := ""
	for key := range keys {
		order += fmt.Sprint(key)
	}
	return order
}

// Memory grows and is collected several times, in goroutines, so that what lies beside the heap would be written over.
func work() int {
	sums := make(chan int)
	for worker := range 4 {
		go func() {
			kept := [][]byte{}
			sum := 0
			for round := range 200 {
				block := make([]byte, 64<<10)
				block[round] = byte(worker)
				kept = append(kept[max(0, len(kept)-50):], block)
				sum += int(block[round])
			}
			sums <- sum
		}()
	}
	total := 0
	for range 4 {
		total += <-sums
	}
	return total
}

// The host calls the handler, and never this.
func main() {}
