"""A box blur, then the edges by Sobel's operator, of a PPM picture (P6), in plain Python."""

import sys


def read(data):
    header = data.split(b"\n", 3)
    width, height = map(int, header[1].split())
    return width, height, header[3]


def grey(width, height, pixels):
    return [
        (299 * pixels[3 * i] + 587 * pixels[3 * i + 1] + 114 * pixels[3 * i + 2]) // 1000 for i in range(width * height)
    ]


def blur(width, height, image, radius):
    out = [0] * (width * height)
    for y in range(height):
        top, bottom = max(0, y - radius), min(height - 1, y + radius)
        for x in range(width):
            left, right = max(0, x - radius), min(width - 1, x + radius)
            total = 0
            for row in range(top, bottom + 1):
                for column in range(left, right + 1):
                    total += image[row * width + column]
            out[y * width + x] = total // ((bottom - top + 1) * (right - left + 1))
    return out


def edges(width, height, image):
    out = bytearray(width * height)
    for y in range(1, height - 1):
        for x in range(1, width - 1):
            at = y * width + x
            a, b, c = image[at - width - 1], image[at - width], image[at - width + 1]
            d, f = image[at - 1], image[at + 1]
            g, h, i = image[at + width - 1], image[at + width], image[at + width + 1]
            across, down = c + 2 * f + i - a - 2 * d - g, g + 2 * h + i - a - 2 * b - c
            out[at] = min(255, abs(across) + abs(down))
    return out


def main():
    width, height, pixels = read(sys.stdin.buffer.read())
    image = blur(width, height, grey(width, height, pixels), 2)
    sys.stdout.buffer.write(b"P5\n%d %d\n255\n" % (width, height) + edges(width, height, image))


main()
