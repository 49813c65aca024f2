;; Looks for what an instance before it left, leaves as much as it can, and ends in one of many ways.
(component
  (import "wasi:http/types@0.2.0" (instance $types
    (export "incoming-request" (type (sub resource)))
    (export "response-outparam" (type (sub resource)))
    (export "fields" (type $fields (sub resource)))
    (export "[constructor]fields" (func (result (own $fields))))))
  (alias export $types "incoming-request" (type $request))
  (alias export $types "response-outparam" (type $answer))
  (core func $make (canon lower (func $types "[constructor]fields")))
  (core instance $host (export "make" (func $make)))
  (core module $guest
    (import "host" "make" (func $make (result i32)))
    (memory 40)
    (data (i32.const 200000) "original")
    (data (i32.const 1000000) "original")
    (global $mark (mut i32) (i32.const 7))
    (table $table 8 200 funcref)
    (elem declare func $look)

    ;; What is found ends the instance as nothing else here does.
    (func $found (drop (i32.div_u (i32.const 1) (i32.const 0))))

    (func $look (local $at i32) (local $want i64)
      (if (i32.ne (global.get $mark) (i32.const 7)) (then (call $found)))
      (if (i32.ne (table.size $table) (i32.const 8)) (then (call $found)))
      (if (i32.eqz (ref.is_null (table.get $table (i32.const 5)))) (then (call $found)))
      (if (i32.ne (memory.size) (i32.const 40)) (then (call $found)))
      ;; Handles are counted from one: the request, what takes the answer, and this one.
      (if (i32.ne (call $make) (i32.const 3)) (then (call $found)))
      (loop $all
        (local.set $want (i64.const 0))
        (if (i32.or (i32.eq (local.get $at) (i32.const 200000)) (i32.eq (local.get $at) (i32.const 1000000)))
          (then (local.set $want (i64.const 0x6c616e696769726f))))
        (if (i64.ne (i64.load (local.get $at)) (local.get $want)) (then (call $found)))
        (local.set $at (i32.add (local.get $at) (i32.const 8)))
        (br_if $all (i32.lt_u (local.get $at) (i32.mul (i32.const 40) (i32.const 65536))))))

    (func $leave (local $left i32)
      (memory.fill (i32.const 0) (i32.const 0xaa) (i32.const {LEFT}))
      (global.set $mark (i32.const 1))
      (table.set $table (i32.const 5) (ref.func $look))
      (drop (table.grow $table (ref.func $look) (i32.const 100)))
      (if (i32.ge_u (i32.const {LEFT}) (i32.mul (i32.const 40) (i32.const 65536)))
        (then
          (drop (memory.grow (i32.const 24)))
          (memory.fill (i32.mul (i32.const 40) (i32.const 65536)) (i32.const 0xaa)
            (i32.mul (i32.const 24) (i32.const 65536)))))
      (local.set $left (i32.const 100))
      (loop $more
        (drop (call $make))
        (br_if $more (local.tee $left (i32.sub (local.get $left) (i32.const 1))))))

    (func $recurse (call $recurse))

    ;; A word in every third page of 4 KiB.
    (func $scatter (local $at i32)
      (local.set $at (i32.const 1000))
      (loop $more
        (i32.store (local.get $at) (i32.const -1))
        (local.set $at (i32.add (local.get $at) (i32.const 12288)))
        (br_if $more (i32.lt_u (local.get $at) (i32.mul (i32.const 40) (i32.const 65536))))))

    (func (export "handle") (param i32 i32)
      (call $look)
      (call $leave)
      {END}))
  (core instance $guest (instantiate $guest (with "host" (instance $host))))
  (func $handle (param "request" (own $request)) (param "response-out" (own $answer))
    (canon lift (core func $guest "handle")))
  (instance $handler (export "handle" (func $handle)))
  (export "wasi:http/incoming-handler@0.2.0" (instance $handler)))
