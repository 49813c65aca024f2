// Prints its arguments and the number of variables in its environment. `--stdin` copies standard input to standard
// output, `--stderr TEXT` writes to standard error, `--read PATH` prints a file, `--exit CODE` ends with a code,
// `--panic` ends badly.
package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

func main() {
	arguments := os.Args[1:]
	fmt.Println("Hello from Go!")
	fmt.Println("arguments:", strings.Join(arguments, " "))
	fmt.Println("variables:", len(os.Environ()))

	for at, argument := range arguments {
		value := ""
		if at+1 < len(arguments) {
			value = arguments[at+1]
		}
		switch argument {
		case "--stdin":
			_, err := io.Copy(os.Stdout, os.Stdin)
			check(err)
		case "--stderr":
			fmt.Fprintln(os.Stderr, value)
		case "--read":
			content, err := os.ReadFile(value)
			check(err)
			_, err = os.Stdout.Write(content)
			check(err)
		case "--exit":
			code, err := strconv.Atoi(value)
			check(err)
			os.Exit(code)
		case "--panic":
			panic("asked to")
		}
	}
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
