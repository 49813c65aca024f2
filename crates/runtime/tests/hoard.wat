;; Makes objects of the host that hold much, keeps them all, and then loops.
(component
  (import "wasi:http/types@0.2.0" (instance $types
    (export "incoming-request" (type (sub resource)))
    (export "response-outparam" (type (sub resource)))
    (export "fields" (type $fields (sub resource)))
    (type $error' (variant (case "invalid-syntax") (case "forbidden") (case "immutable")))
    (export "header-error" (type $error (eq $error')))
    (export "[constructor]fields" (func (result (own $fields))))
    (export "[method]fields.append"
      (func (param "self" (borrow $fields)) (param "name" string) (param "value" (list u8))
        (result (result (error $error)))))))
  (alias export $types "incoming-request" (type $request))
  (alias export $types "response-outparam" (type $answer))
  (core module $memory (memory (export "memory") 2))
  (core instance $memory (instantiate $memory))
  (core func $make (canon lower (func $types "[constructor]fields")))
  (core func $append (canon lower (func $types "[method]fields.append") (memory $memory "memory")))
  (core instance $host (export "make" (func $make)) (export "append" (func $append)))
  (core module $guest
    (import "memory" "memory" (memory 2))
    (import "host" "make" (func $make (result i32)))
    (import "host" "append" (func $append (param i32 i32 i32 i32 i32 i32)))
    (data (i32.const 0) "x")
    (func (export "handle") (param i32 i32) (local $left i32)
      ;; A field value is visible text.
      (memory.fill (i32.const 16) (i32.const 97) (i32.const 65536))
      (local.set $left (i32.const 800))
      (loop $more
        (call $append (call $make) (i32.const 0) (i32.const 1) (i32.const 16) (i32.const 65536) (i32.const 4))
        (br_if $more (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
      (loop $ever (br $ever))))
  (core instance $guest (instantiate $guest (with "memory" (instance $memory)) (with "host" (instance $host))))
  (func $handle (param "request" (own $request)) (param "response-out" (own $answer))
    (canon lift (core func $guest "handle")))
  (instance $handler (export "handle" (func $handle)))
  (export "wasi:http/incoming-handler@0.2.0" (instance $handler)))
