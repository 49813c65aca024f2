;; Opens the key-value store `cart`, and leaves with 1 when it cannot.
(component
  (import "wasi:keyvalue/store@0.2.0-draft2" (instance $store
    (export "bucket" (type $bucket (sub resource)))
    (type $error' (variant (case "no-such-store") (case "access-denied") (case "other" string)))
    (export "error" (type $error (eq $error')))
    (export "open" (func (param "identifier" string) (result (result (own $bucket) (error $error)))))))
  (core module $memory
    (memory (export "memory") 1)
    (data (i32.const 8) "cart")
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024)))
  (core instance $memory (instantiate $memory))
  (core func $open (canon lower (func $store "open")
    (memory $memory "memory") (realloc (func $memory "realloc"))))
  (core module $main
    (import "memory" "memory" (memory 1))
    (import "host" "open" (func $open (param i32 i32 i32)))
    (func (export "run") (result i32)
      (call $open (i32.const 8) (i32.const 4) (i32.const 64))
      (i32.load8_u (i32.const 64))))
  (core instance $main (instantiate $main
    (with "memory" (instance $memory))
    (with "host" (instance (export "open" (func $open))))))
  (func $run (result (result)) (canon lift (core func $main "run")))
  (instance $run (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $run)))
