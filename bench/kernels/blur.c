// A box of 9 by 9 over an image of 512 by 384 pixels in RGBA, along rows and then along columns, with running sums: bytes, and
// memory in strides.

#include "kernel.h"

#define WIDTH 512
#define HEIGHT 384
#define RADIUS 4
#define CHANNELS 4

// Pixels beyond an end are as the one at it.
static int within(int at, int length) { return at < 0 ? 0 : at >= length ? length - 1 : at; }

// One line of pixels that lie `stride` bytes apart.
static void line(const unsigned char *from, unsigned char *to, int length, int stride) {
  for (int channel = 0; channel < CHANNELS; channel++) {
    int sum = 0;
    for (int at = -RADIUS; at <= RADIUS; at++) sum += from[within(at, length) * stride + channel];
    for (int at = 0; at < length; at++) {
      to[at * stride + channel] = (unsigned char)(sum / (2 * RADIUS + 1));
      sum += from[within(at + RADIUS + 1, length) * stride + channel];
      sum -= from[within(at - RADIUS, length) * stride + channel];
    }
  }
}

int main(int count, char **arguments) {
  int rounds = kernel_count(count, arguments);
  size_t bytes = (size_t)WIDTH * HEIGHT * CHANNELS;
  unsigned char *image = kernel_memory(bytes), *half = kernel_memory(bytes);
  uint32_t random = 7;
  for (size_t i = 0; i < bytes; i++) image[i] = (unsigned char)kernel_random(&random);
  for (int round = 0; round < rounds; round++) {
    for (int y = 0; y < HEIGHT; y++) line(image + y * WIDTH * CHANNELS, half + y * WIDTH * CHANNELS, WIDTH, CHANNELS);
    for (int x = 0; x < WIDTH; x++) line(half + x * CHANNELS, image + x * CHANNELS, HEIGHT, WIDTH * CHANNELS);
    image[(size_t)round * 97 % bytes] ^= 0xff;
  }
  printf("%08x\n", kernel_hash(KERNEL_HASH, image, bytes));
  return 0;
}
