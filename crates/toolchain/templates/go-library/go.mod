module example/{{name}}

go 1.25

require go.bytecodealliance.org/pkg v0.4.0

// What the bindings need at run time, as `coracle build` writes it.
replace go.bytecodealliance.org/pkg => ./runtime
