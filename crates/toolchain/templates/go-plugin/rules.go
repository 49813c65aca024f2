// Package export_example_plugin_rules is a rule of the product: which orders are taken, and what their customers are told.
package export_example_plugin_rules

import (
	"fmt"

	rules "example/{{name}}/imports/example_plugin_rules"
	config "example/{{name}}/imports/wasi_config_store"
	logging "example/{{name}}/imports/wasi_logging_logging"

	wit "go.bytecodealliance.org/pkg/wit/types"
)

// Check answers with a line for each item, or with why the order is refused.
func Check(of rules.Order) wit.Result[[]string, string] {
	logging.Log(logging.Level_Info, "rules", "checking an order of "+of.Customer)
	setting := config.Get("unsold")
	if setting.IsErr() {
		return wit.Err[[]string, string]("the settings cannot be read")
	}
	unsold := setting.Ok()
	lines := []string{}
	for _, item := range of.Items {
		if unsold.IsSome() && item.Name == unsold.Some() {
			return wit.Err[[]string, string](item.Name + " is not sold")
		}
		lines = append(lines, fmt.Sprintf("%d x %s", item.Count, item.Name))
	}
	return wit.Ok[[]string, string](lines)
}
