// Prints its arguments and the number of variables in its environment. `--stdin` copies standard input to standard
// output, `--stderr TEXT` writes to standard error, `--read PATH` prints a file, `--exit CODE` ends with a code,
// `--abort` ends badly.

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern char **environ;

static int copy(FILE *from) {
  char buffer[4096];
  size_t length;
  while ((length = fread(buffer, 1, sizeof buffer, from)) > 0) {
    if (fwrite(buffer, 1, length, stdout) != length) return 0;
  }
  return !ferror(from);
}

static int print_file(const char *path) {
  FILE *file = fopen(path, "rb");
  if (file == NULL) return 0;
  int copied = copy(file);
  fclose(file);
  return copied;
}

int main(int count, char **arguments) {
  puts("Hello from C!");
  printf("arguments:");
  for (int i = 1; i < count; i++) printf(" %s", arguments[i]);
  int variables = 0;
  while (environ[variables] != NULL) variables++;
  printf("\nvariables: %d\n", variables);

  for (int i = 1; i < count; i++) {
    const char *value = i + 1 < count ? arguments[i + 1] : "";
    if (strcmp(arguments[i], "--stdin") == 0) {
      if (!copy(stdin)) return 1;
    } else if (strcmp(arguments[i], "--stderr") == 0) {
      fprintf(stderr, "%s\n", value);
    } else if (strcmp(arguments[i], "--read") == 0) {
      if (!print_file(value)) {
        fprintf(stderr, "%s: %s\n", value, strerror(errno));
        return 1;
      }
    } else if (strcmp(arguments[i], "--exit") == 0) {
      return atoi(value);
    } else if (strcmp(arguments[i], "--abort") == 0) {
      abort();
    }
  }
  return 0;
}
