// Reads a JSON text of some 100 kB into a tree and writes it again: branches on bytes, recursion, small allocations.

#include "kernel.h"

#define RECORDS 1000

typedef enum { NUMBER, TEXT, LIST, RECORD, WORD } kind;

typedef struct value {
  kind kind;
  // Of members of a record: their names.
  const char *name;
  size_t name_length;
  double number;
  const char *text;
  size_t length;
  struct value *first, *next;
} value;

static kernel_pool values = {.size = sizeof(value)};

typedef struct {
  const char *at, *end;
} reader;

static void fail(const char *what) {
  fprintf(stderr, "not JSON: %s\n", what);
  exit(1);
}

static void space(reader *in) {
  while (in->at < in->end && (*in->at == ' ' || *in->at == '\n')) in->at++;
}

static void expect(reader *in, char byte) {
  space(in);
  if (in->at == in->end || *in->at != byte) fail("another byte was expected");
  in->at++;
}

static int follows(reader *in, char byte) {
  space(in);
  if (in->at == in->end || *in->at != byte) return 0;
  in->at++;
  return 1;
}

static const char *string(reader *in, size_t *length) {
  expect(in, '"');
  const char *begin = in->at;
  while (in->at < in->end && *in->at != '"') in->at += *in->at == '\\' ? 2 : 1;
  if (in->at >= in->end) fail("a string does not end");
  *length = (size_t)(in->at - begin);
  in->at++;
  return begin;
}

static double number(reader *in) {
  double sign = 1, whole = 0, part = 1;
  if (*in->at == '-') {
    sign = -1;
    in->at++;
  }
  for (; in->at < in->end && *in->at >= '0' && *in->at <= '9'; in->at++) whole = whole * 10 + (*in->at - '0');
  if (in->at < in->end && *in->at == '.') {
    for (in->at++; in->at < in->end && *in->at >= '0' && *in->at <= '9'; in->at++) whole += (part /= 10) * (*in->at - '0');
  }
  return sign * whole;
}

static value *read_value(reader *in) {
  value *read = kernel_take(&values), **last = &read->first;
  memset(read, 0, sizeof *read);
  space(in);
  if (in->at == in->end) fail("a value was expected");
  switch (*in->at) {
  case '{':
    in->at++;
    read->kind = RECORD;
    if (follows(in, '}')) break;
    do {
      space(in);
      size_t length;
      const char *name = string(in, &length);
      expect(in, ':');
      *last = read_value(in);
      (*last)->name = name;
      (*last)->name_length = length;
      last = &(*last)->next;
    } while (follows(in, ','));
    expect(in, '}');
    break;
  case '[':
    in->at++;
    read->kind = LIST;
    if (follows(in, ']')) break;
    do {
      *last = read_value(in);
      last = &(*last)->next;
    } while (follows(in, ','));
    expect(in, ']');
    break;
  case '"':
    read->kind = TEXT;
    read->text = string(in, &read->length);
    break;
  case 't':
  case 'f':
  case 'n':
    read->kind = WORD;
    read->text = in->at;
    read->length = *in->at == 'f' ? 5 : 4;
    in->at += read->length;
    break;
  default:
    read->kind = NUMBER;
    read->number = number(in);
  }
  return read;
}

static char *copy(char *to, const char *from, size_t length) {
  memcpy(to, from, length);
  return to + length;
}

static char *digits(char *to, uint32_t number, int least) {
  char text[10];
  int length = 0;
  for (; number || length < least; number /= 10) text[length++] = (char)('0' + number % 10);
  while (length) *to++ = text[--length];
  return to;
}

static char *write_value(const value *it, char *to) {
  int first = 1;
  switch (it->kind) {
  case NUMBER: {
    // Two places are what the text has.
    double number = it->number;
    if (number < 0) {
      *to++ = '-';
      number = -number;
    }
    uint32_t hundredths = (uint32_t)(number * 100 + 0.5);
    to = digits(to, hundredths / 100, 1);
    *to++ = '.';
    return digits(to, hundredths % 100, 2);
  }
  case TEXT:
    *to++ = '"';
    to = copy(to, it->text, it->length);
    *to++ = '"';
    return to;
  case WORD: return copy(to, it->text, it->length);
  case LIST:
  case RECORD:
    *to++ = it->kind == LIST ? '[' : '{';
    for (const value *member = it->first; member; member = member->next) {
      if (!first) *to++ = ',';
      first = 0;
      if (it->kind == RECORD) {
        *to++ = '"';
        to = copy(to, member->name, member->name_length);
        to = copy(to, "\":", 2);
      }
      to = write_value(member, to);
    }
    *to++ = it->kind == LIST ? ']' : '}';
  }
  return to;
}

static void release(value *it) {
  while (it) {
    value *next = it->next;
    release(it->first);
    kernel_give(&values, it);
    it = next;
  }
}

int main(int count, char **arguments) {
  int rounds = kernel_count(count, arguments);
  char *text = kernel_memory(RECORDS * 160), *written = kernel_memory(RECORDS * 160), *end = text;
  *end++ = '[';
  for (int i = 0; i < RECORDS; i++) {
    const char *rest = i % 3 ? "false" : "true";
    end += sprintf(end, "%s{\"id\": %d.00, \"name\": \"record \\\"%d\\\"\", \"even\": %s, \"price\": %d.%02d, \"tags\": [\"a\", \"b%d\", null]}",
                   i ? ", " : "", i, i, rest, i * 7 % 1000, i % 100, i % 10);
  }
  *end++ = ']';
  size_t length = 0;
  for (int round = 0; round < rounds; round++) {
    // The first number is another one each time.
    text[8] = (char)('0' + round % 10);
    reader in = {text, end};
    value *tree = read_value(&in);
    length = (size_t)(write_value(tree, written) - written);
    release(tree);
  }
  printf("%zu %08x\n", length, kernel_hash(KERNEL_HASH, written, length));
  return 0;
}
