//! Code that no compiler likes.

/// A command of `depth` loops in each other, which all use the same `locals`: a compiler that tracks what each variable is
/// at the head of each loop has their product to track, from a file that has their sum.
pub fn nested_loops(depth: usize, locals: u32) -> Vec<u8> {
    const LOOP: [u8; 2] = [0x03, 0x40];
    // i32.const 0, br_if 0, end
    const END: [u8; 5] = [0x41, 0x00, 0x0d, 0x00, 0x0b];
    let mut body = vec![1];
    body.extend(leb(locals));
    body.push(0x7f);
    body.extend(LOOP.repeat(depth));
    for local in 0..locals {
        // local.get, i32.const 1, i32.add, local.set
        body.push(0x20);
        body.extend(leb(local));
        body.extend([0x41, 0x01, 0x6a, 0x21]);
        body.extend(leb(local));
    }
    body.extend(END.repeat(depth));
    body.push(0x0b);

    module_of(b"\x01\x06_start\0\0", &body)
}

/// A module with `count` exports of one function.
pub fn many_exports(count: u32) -> Vec<u8> {
    let mut exports = leb(count);
    for number in 0..count {
        let name = number.to_string();
        exports.extend(leb(length(name.as_bytes())));
        exports.extend(name.as_bytes());
        exports.extend([0, 0]);
    }
    module_of(&exports, &[0, 0x0b])
}

/// A command whose one function has `bytes` bytes of instructions.
pub fn long_body(bytes: usize) -> Vec<u8> {
    // No locals, `nop` and again, `end`.
    let body = [&[0][..], &vec![0x01; bytes], &[0x0b]].concat();
    module_of(b"\x01\x06_start\0\0", &body)
}

/// A component with a type inside a type inside a type, `depth` levels of them.
pub fn deep_types(depth: u32) -> Vec<u8> {
    // (type (list u8)), (type (list 0)), (type (list 1)), ...
    let mut types = leb(depth);
    types.extend([0x70, 0x7d]);
    for inner in 0..depth - 1 {
        types.push(0x70);
        types.extend(type_index(inner));
    }
    component_of(7, &types)
}

/// A component with a type of two parts, of which each has two parts, and so on for `depth` levels: 2^depth parts.
pub fn wide_types(depth: u32) -> Vec<u8> {
    // (type (tuple u8 u8)), (type (tuple 0 0)), (type (tuple 1 1)), ...
    let mut types = leb(depth);
    types.extend([0x6f, 2, 0x7d, 0x7d]);
    for inner in 0..depth - 1 {
        types.extend([0x6f, 2]);
        types.extend(type_index(inner));
        types.extend(type_index(inner));
    }
    component_of(7, &types)
}

/// A component with one section.
fn component_of(id: u8, content: &[u8]) -> Vec<u8> {
    let mut component = b"\0asm\x0d\0\x01\0".to_vec();
    section(&mut component, id, content);
    component
}

/// A module of one function, which takes and returns nothing.
fn module_of(exports: &[u8], body: &[u8]) -> Vec<u8> {
    let mut module = b"\0asm\x01\0\0\0".to_vec();
    section(&mut module, 1, &[1, 0x60, 0, 0]);
    section(&mut module, 3, &[1, 0]);
    section(&mut module, 7, exports);
    let mut code = vec![1];
    code.extend(leb(length(body)));
    code.extend(body);
    section(&mut module, 10, &code);
    module
}

fn section(module: &mut Vec<u8>, id: u8, content: &[u8]) {
    module.push(id);
    module.extend(leb(length(content)));
    module.extend(content);
}

fn length(bytes: &[u8]) -> u32 {
    bytes.len().try_into().expect("less than 4 GiB")
}

/// A type's number where a primitive type, which is negative, could stand: its last byte may not look negative.
fn type_index(index: u32) -> Vec<u8> {
    let mut bytes = leb(index);
    if let Some(last) = bytes.last_mut().filter(|last| **last & 0x40 != 0) {
        *last |= 0x80;
        bytes.push(0);
    }
    bytes
}

/// WebAssembly's numbers: seven bits a byte, the lowest first.
fn leb(mut value: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let [low, ..] = value.to_le_bytes();
        value >>= 7;
        if value == 0 {
            bytes.push(low & 0x7f);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}
