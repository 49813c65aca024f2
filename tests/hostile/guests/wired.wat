;; Has another component do the attack.
(component
  (import "hostile:wired/api@1.0.0" (instance $api (export "attack" (func))))
  (import "wasi:http/types@0.2.0" (instance $types
    (export "incoming-request" (type (sub resource)))
    (export "response-outparam" (type (sub resource)))))
  (alias export $types "incoming-request" (type $request))
  (alias export $types "response-outparam" (type $answer))
  (core func $attack (canon lower (func $api "attack")))
  (core module $doors
    (import "api" "attack" (func $attack))
    (func (export "handle") (param i32 i32) (call $attack)))
  (core instance $doors (instantiate $doors (with "api" (instance (export "attack" (func $attack))))))
  (func $handle (param "request" (own $request)) (param "response-out" (own $answer))
    (canon lift (core func $doors "handle")))
  (instance $handler (export "handle" (func $handle)))
  (export "wasi:http/incoming-handler@0.2.0" (instance $handler)))
