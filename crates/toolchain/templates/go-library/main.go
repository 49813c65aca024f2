// What this module exports is in exports/; `coracle build` writes imports/, exports/wit_exports/ and runtime/ by the WIT in wit/.
package main

import _ "example/{{name}}/exports/wit_exports"

// The host calls what is exported, and never this.
func main() {}
