//! A box blur, then the edges by Sobel's operator, of a PPM picture (P6): `filter.py` in Rust, step by step.

use std::io::{Read, Write};

fn main() {
    let mut data = Vec::new();
    std::io::stdin().read_to_end(&mut data).expect("standard input can be read");
    let mut parts = data.splitn(4, |byte| *byte == b'\n');
    let size = parts.nth(1).and_then(|size| std::str::from_utf8(size).ok()).expect("a PPM picture has a size");
    let (width, height) = size.split_once(' ').expect("a size has two numbers");
    let (width, height): (usize, usize) = (width.parse().expect("a number"), height.parse().expect("a number"));
    let pixels = parts.nth(1).expect("a PPM picture has pixels");

    let grey = pixels.chunks_exact(3).take(width * height);
    let grey = grey.map(|it| (299 * i32::from(it[0]) + 587 * i32::from(it[1]) + 114 * i32::from(it[2])) / 1000);
    let image = blur(width, height, &grey.collect::<Vec<_>>(), 2);
    let mut answer = format!("P5\n{width} {height}\n255\n").into_bytes();
    answer.extend(edges(width, height, &image));
    std::io::stdout().write_all(&answer).expect("standard output can be written");
}

fn blur(width: usize, height: usize, image: &[i32], radius: usize) -> Vec<i32> {
    let mut out = vec![0; width * height];
    for y in 0..height {
        let (top, bottom) = (y.saturating_sub(radius), (y + radius).min(height - 1));
        for x in 0..width {
            let (left, right) = (x.saturating_sub(radius), (x + radius).min(width - 1));
            let rows = (top..=bottom).map(|row| image[row * width + left..=row * width + right].iter().sum::<i32>());
            out[y * width + x] = rows.sum::<i32>() / ((bottom - top + 1) * (right - left + 1)) as i32;
        }
    }
    out
}

fn edges(width: usize, height: usize, image: &[i32]) -> Vec<u8> {
    let mut out = vec![0; width * height];
    for y in 1..height.saturating_sub(1) {
        for x in 1..width.saturating_sub(1) {
            let at = |dx: usize, dy: usize| image[(y + dy - 1) * width + x + dx - 1];
            let across = at(2, 0) + 2 * at(2, 1) + at(2, 2) - at(0, 0) - 2 * at(0, 1) - at(0, 2);
            let down = at(0, 2) + 2 * at(1, 2) + at(2, 2) - at(0, 0) - 2 * at(1, 0) - at(2, 0);
            out[y * width + x] = (across.abs() + down.abs()).min(255) as u8;
        }
    }
    out
}
