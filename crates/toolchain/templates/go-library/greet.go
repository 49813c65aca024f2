// Package export_wit_world holds the functions of the world in wit/.
package export_wit_world

// Greet greets whoever is named.
func Greet(name string) string {
	return "Hello, " + name + "!"
}
