// A search tree of 20,000 keys (a treap: Seidel and Aragon, 1996) is grown, asked and freed: pointers, branches nobody can
// foresee, small allocations.

#include "kernel.h"

#define KEYS 20000

typedef struct node {
  uint32_t key, priority;
  struct node *left, *right;
} node;

static kernel_pool nodes = {.size = sizeof(node)};

static node *insert(node *tree, node *new) {
  if (!tree) return new;
  if (new->key < tree->key) {
    node *left = tree->left = insert(tree->left, new);
    if (left->priority <= tree->priority) return tree;
    tree->left = left->right;
    left->right = tree;
    return left;
  }
  node *right = tree->right = insert(tree->right, new);
  if (right->priority <= tree->priority) return tree;
  tree->right = right->left;
  right->left = tree;
  return right;
}

// The smallest key that is not below `key`, or 0.
static uint32_t not_below(const node *tree, uint32_t key) {
  uint32_t found = 0;
  while (tree) {
    if (tree->key >= key) {
      found = tree->key;
      tree = tree->left;
    } else {
      tree = tree->right;
    }
  }
  return found;
}

static void release(node *tree) {
  if (!tree) return;
  release(tree->left);
  release(tree->right);
  kernel_give(&nodes, tree);
}

int main(int count, char **arguments) {
  int rounds = kernel_count(count, arguments);
  uint32_t random = 3, checksum = KERNEL_HASH;
  for (int round = 0; round < rounds; round++) {
    node *tree = NULL;
    for (int i = 0; i < KEYS; i++) {
      node *new = kernel_take(&nodes);
      *new = (node){kernel_random(&random), kernel_random(&random), NULL, NULL};
      tree = insert(tree, new);
    }
    for (int i = 0; i < KEYS; i++) {
      uint32_t found = not_below(tree, kernel_random(&random));
      checksum = kernel_hash(checksum, &found, sizeof found);
    }
    release(tree);
  }
  printf("%08x\n", checksum);
  return 0;
}
