;; The function table of a fork (spec/boot/aem/table.test.ts): parent and child each change theirs, by turns, and say what is called through it
;; then: `row WHO FIRST SECOND THIRD HANDLER`. In the text format, because no compiler here emits table.set.
(module
  (type $value (func (result i32)))
  (type $handler (func (param i32 i32)))
  (import "aemos" "fork" (func $fork (param i32) (result i32)))
  (import "aemos" "waitpid" (func $waitpid (param i32 i32 i32) (result i32)))
  (import "aemos" "nanosleep" (func $nanosleep (param i64) (result i32)))
  (import "aemos" "evtimer" (func $evtimer (param i64 i64 i32 i32) (result i32)))
  (import "aemos" "log" (func $log (param i32 i32 i32) (result i32)))
  (import "aemos" "exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "row parent")
  (data (i32.const 16) "row forked")
  (global $heard (mut i32) (i32.const 0))
  ;; Places 1 and 2 are changed, to what stands behind them.
  (table (export "table") 16 funcref)
  (elem (i32.const 1) $eleven $ticked1 $twenty-two $ticked2 $thirty-three $ticked3)

  (func $eleven (result i32) (i32.const 11))
  (func $twenty-two (result i32) (i32.const 22))
  (func $thirty-three (result i32) (i32.const 33))
  (func $ticked1 (param i32 i32) (global.set $heard (i32.const 1)))
  (func $ticked2 (param i32 i32) (global.set $heard (i32.const 2)))
  (func $ticked3 (param i32 i32) (global.set $heard (i32.const 3)))

  (func $called (result i32) (call_indirect (type $value) (i32.const 1)))
  ;; The kernel looks a handler up in the table: the number of the one that it finds.
  (func $handler (result i32)
    (global.set $heard (i32.const 0))
    (drop (call $evtimer (i64.const 1) (i64.const 0) (i32.const 0) (i32.const 2)))
    (call $milliseconds (i32.const 5))
    (global.get $heard))

  (func $change-to-2
    (table.set (i32.const 1) (table.get (i32.const 3)))
    (table.set (i32.const 2) (table.get (i32.const 4))))
  (func $change-to-3
    (table.set (i32.const 1) (table.get (i32.const 5)))
    (table.set (i32.const 2) (table.get (i32.const 6))))

  (func $milliseconds (param $count i32)
    (drop (call $nanosleep (i64.mul (i64.extend_i32_u (local.get $count)) (i64.const 1000000)))))

  (func $digits (param $at i32) (param $value i32)
    (i32.store8 (local.get $at) (i32.const 32))
    (i32.store8 offset=1 (local.get $at)
      (i32.add (i32.const 48) (i32.rem_u (i32.div_u (local.get $value) (i32.const 10)) (i32.const 10))))
    (i32.store8 offset=2 (local.get $at) (i32.add (i32.const 48) (i32.rem_u (local.get $value) (i32.const 10)))))

  (func $row (param $text i32) (param $first i32) (param $second i32) (param $third i32) (param $handler i32)
    (memory.copy (i32.const 64) (local.get $text) (i32.const 10))
    (call $digits (i32.const 74) (local.get $first))
    (call $digits (i32.const 77) (local.get $second))
    (call $digits (i32.const 80) (local.get $third))
    (call $digits (i32.const 83) (local.get $handler))
    (drop (call $log (i32.const 6) (i32.const 64) (i32.const 22))))

  ;; Waits `before`, looks, changes the table if `change` says to what, looks, waits `after`, looks.
  (func $side (param $text i32) (param $before i32) (param $change i32) (param $after i32)
    (local $first i32) (local $second i32)
    (call $milliseconds (local.get $before))
    (local.set $first (call $called))
    (if (i32.eq (local.get $change) (i32.const 2)) (then (call $change-to-2)))
    (if (i32.eq (local.get $change) (i32.const 3)) (then (call $change-to-3)))
    (local.set $second (call $called))
    (call $milliseconds (local.get $after))
    (call $row (local.get $text) (local.get $first) (local.get $second) (call $called) (call $handler)))

  (func $child (param $before i32) (param $change i32) (param $after i32)
    (call $side (i32.const 16) (local.get $before) (local.get $change) (local.get $after))
    (call $exit (i32.const 0)))

  (func (export "main") (result i32)
    (local $pid i32)
    ;; The parent changes it first; a child that only looks, and one that changes its own then.
    (local.set $pid (call $fork (i32.const 0)))
    (if (i32.eqz (local.get $pid)) (then (call $child (i32.const 20) (i32.const 0) (i32.const 20))))
    (local.set $pid (call $fork (i32.const 0)))
    (if (i32.eqz (local.get $pid)) (then (call $child (i32.const 30) (i32.const 2) (i32.const 20))))
    (call $side (i32.const 0) (i32.const 1) (i32.const 3) (i32.const 60))
    (drop (call $waitpid (i32.const -1) (i32.const 0) (i32.const 0)))
    (drop (call $waitpid (i32.const -1) (i32.const 0) (i32.const 0)))
    ;; The child changes it first.
    (local.set $pid (call $fork (i32.const 0)))
    (if (i32.eqz (local.get $pid)) (then (call $child (i32.const 1) (i32.const 2) (i32.const 60))))
    (call $side (i32.const 0) (i32.const 20) (i32.const 0) (i32.const 5))
    (drop (call $waitpid (local.get $pid) (i32.const 0) (i32.const 0)))
    (i32.const 7)))
