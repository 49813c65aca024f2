// Sorts 100,000 numbers by quicksort (Hoare, 1961) with insertion for what is short: compares and swaps in an array.

#include "kernel.h"

#define NUMBERS 100000
#define SHORT 16

static void insertion(uint32_t *numbers, int length) {
  for (int i = 1; i < length; i++) {
    uint32_t number = numbers[i];
    int at = i;
    for (; at > 0 && numbers[at - 1] > number; at--) numbers[at] = numbers[at - 1];
    numbers[at] = number;
  }
}

static void quicksort(uint32_t *numbers, int length) {
  while (length > SHORT) {
    uint32_t pivot = numbers[length / 2];
    int low = 0, high = length - 1;
    while (low <= high) {
      while (numbers[low] < pivot) low++;
      while (numbers[high] > pivot) high--;
      if (low > high) break;
      uint32_t swapped = numbers[low];
      numbers[low++] = numbers[high];
      numbers[high--] = swapped;
    }
    quicksort(numbers, high + 1);
    numbers += low;
    length -= low;
  }
  insertion(numbers, length);
}

int main(int count, char **arguments) {
  int rounds = kernel_count(count, arguments);
  uint32_t *numbers = kernel_memory(sizeof(uint32_t) * NUMBERS), random = 5, checksum = KERNEL_HASH;
  for (int round = 0; round < rounds; round++) {
    for (int i = 0; i < NUMBERS; i++) numbers[i] = kernel_random(&random);
    quicksort(numbers, NUMBERS);
    for (int i = 0; i < NUMBERS; i += 97) checksum = kernel_hash(checksum, &numbers[i], sizeof numbers[i]);
    for (int i = 1; i < NUMBERS; i++) {
      if (numbers[i - 1] > numbers[i]) {
        fprintf(stderr, "not sorted\n");
        return 1;
      }
    }
  }
  printf("%08x\n", checksum);
  return 0;
}
