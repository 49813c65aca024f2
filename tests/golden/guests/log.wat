;; Logs a line when it is asked to, or three.
(component
  (import "wasi:logging/logging@0.1.0-draft" (instance $logging
    (type $level' (enum "trace" "debug" "info" "warn" "error" "critical"))
    (export "level" (type $level (eq $level')))
    (export "log" (func (param "level" $level) (param "context" string) (param "message" string)))))
  (core module $memory (memory (export "memory") 1) (data (i32.const 0) "ruleschecking"))
  (core instance $memory (instantiate $memory))
  (core func $log (canon lower (func $logging "log") (memory $memory "memory")))
  (core module $main
    (import "" "log" (func $log (param i32 i32 i32 i32 i32)))
    (func (export "check")
      (call $log (i32.const 2) (i32.const 0) (i32.const 5) (i32.const 5) (i32.const 8)))
    (func (export "check-thrice") (call 1) (call 1) (call 1)))
  (core instance $main (instantiate $main (with "" (instance (export "log" (func $log))))))
  (func (export "check") (canon lift (core func $main "check")))
  (func (export "check-thrice") (canon lift (core func $main "check-thrice"))))
