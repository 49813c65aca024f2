(module (func (export "price") (result i64) (i64.const 1)))
