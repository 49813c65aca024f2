;; Was built for WASI 0.3 before it was final.
(component
  (import "wasi:clocks/monotonic-clock@0.3.0-rc-2025-09-16" (instance (export "get-time" (func (result u64)))))
  (core module $m (func (export "run") (result i32) (i32.const 0)))
  (core instance $i (instantiate $m))
  (func $run (result (result)) (canon lift (core func $i "run")))
  (instance $run (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $run)))
