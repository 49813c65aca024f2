;; Asks for a configuration variable, and leaves with 0 if it is set, else with 1.
(component
  (import "wasi:config/store@0.2.0-rc.1" (instance $config
    (type $error' (variant (case "upstream" string) (case "io" string)))
    (export "error" (type $error (eq $error')))
    (export "get" (func (param "key" string) (result (result (option string) (error $error)))))))
  (core module $memory
    (memory (export "memory") 1)
    (data (i32.const 8) "currency")
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024)))
  (core instance $memory (instantiate $memory))
  (core func $get (canon lower (func $config "get")
    (memory $memory "memory") (realloc (func $memory "realloc"))))
  (core module $main
    (import "memory" "memory" (memory 1))
    (import "host" "get" (func $get (param i32 i32 i32)))
    (func (export "run") (result i32)
      (call $get (i32.const 8) (i32.const 8) (i32.const 64))
      ;; 64: ok or error; 68: some or none.
      (i32.or (i32.load8_u (i32.const 64)) (i32.eqz (i32.load8_u (i32.const 68))))))
  (core instance $main (instantiate $main
    (with "memory" (instance $memory))
    (with "host" (instance (export "get" (func $get))))))
  (func $run (result (result)) (canon lift (core func $main "run")))
  (instance $run (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $run)))
