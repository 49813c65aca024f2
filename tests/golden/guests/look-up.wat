;; Looks a host name up, by WASI 0.3, and says that it failed when it gets no address.
(component
  (import "wasi:sockets/ip-name-lookup@0.3.0" (instance $lookup
    (type $ipv4 (tuple u8 u8 u8 u8))
    (type $ipv6 (tuple u16 u16 u16 u16 u16 u16 u16 u16))
    (type $address' (variant (case "ipv4" $ipv4) (case "ipv6" $ipv6)))
    (export "ip-address" (type $address (eq $address')))
    (type $error' (variant (case "access-denied") (case "invalid-argument") (case "name-unresolvable")
      (case "temporary-resolver-failure") (case "permanent-resolver-failure") (case "other" (option string))))
    (export "error-code" (type $error (eq $error')))
    (export "resolve-addresses"
      (func async (param "name" string) (result (result (list $address) (error $error)))))))
  (core module $memory
    (memory (export "memory") 1)
    (data (i32.const 8) "db.example")
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024)))
  (core instance $memory (instantiate $memory))
  (core func $resolve (canon lower (func $lookup "resolve-addresses")
    (memory $memory "memory") (realloc (func $memory "realloc"))))
  (core module $main
    (import "memory" "memory" (memory 1))
    (import "host" "resolve" (func $resolve (param i32 i32 i32)))
    (func (export "run") (result i32)
      (call $resolve (i32.const 8) (i32.const 10) (i32.const 64))
      (i32.load8_u (i32.const 64))))
  (core instance $main (instantiate $main
    (with "memory" (instance $memory))
    (with "host" (instance (export "resolve" (func $resolve))))))
  (func $run async (result (result)) (canon lift (core func $main "run")))
  (instance $run (export "run" (func $run)))
  (export "wasi:cli/run@0.3.0" (instance $run)))
