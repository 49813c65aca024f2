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

    let mut module = b"\0asm\x01\0\0\0".to_vec();
    section(&mut module, 1, &[1, 0x60, 0, 0]);
    section(&mut module, 3, &[1, 0]);
    section(&mut module, 7, b"\x01\x06_start\0\0");
    let mut code = vec![1];
    code.extend(leb(length(&body)));
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
