;; Functions to call by name, and ways to fail in them.
(module $library
  (memory (export "memory") 1)
  (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
  (func (export "pair") (result i64 f64) (i64.const -1) (f64.const 2.5))
  (func (export "nothing"))
  (func $inner (unreachable))
  (func $outer (export "fail") (call $inner))
  (func $recurse (export "recurse") (call $recurse))
  (func $divide (export "divide") (param i32) (result i32) (i32.div_s (i32.const 1) (local.get 0)))
  (func $peek (export "peek") (param i32) (result i32) (i32.load (local.get 0)))
  (func $spin (export "spin") (loop $again (br $again)))
  (func $rust (export "rust") (call $_RNvCs1234_7mycrate3foo))
  (func $_RNvCs1234_7mycrate3foo (call $_ZN3geo4areaEd))
  (func $_ZN3geo4areaEd (unreachable))
  ;; How many pages it could grow by, up to 2,048 (128 MiB).
  (func (export "grow") (param $pages i32) (result i32)
    (memory.grow (local.get $pages)))
  ;; What languages do when memory runs out: they abort.
  (func $allocate (export "allocate") (param $pages i32)
    (if (i32.eq (memory.grow (local.get $pages)) (i32.const -1)) (then (unreachable)))))
