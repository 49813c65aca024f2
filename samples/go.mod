// The samples in Go, and the bindings they share: one module, which needs nothing from the network.
module coracle/samples

go 1.25

require go.bytecodealliance.org/pkg v0.4.0

replace go.bytecodealliance.org/pkg => ./bindings/go/runtime
