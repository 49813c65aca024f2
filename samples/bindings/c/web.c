#include "web.h"

#include <stdlib.h>
#include <string.h>

#include "http.h"

// The host takes this many bytes in one write at the most.
enum { MAX_WRITE = 4096 };

// The generated code asks for the object file that holds its type. That type is put in after linking.
void __component_type_object_force_link_http(void) {}

static void set_header(wasi_http_types_own_fields_t headers, const char *name, const char *value) {
  http_string_t field;
  http_string_set(&field, name);
  wasi_http_types_field_value_t bytes = {(uint8_t *)value, strlen(value)};
  wasi_http_types_header_error_t error;
  if (!wasi_http_types_method_fields_append(wasi_http_types_borrow_fields(headers), &field, &bytes, &error)) {
    abort();
  }
}

// False when the client has gone.
static int write_body(wasi_http_types_own_outgoing_body_t body, const web_response *response) {
  wasi_http_types_own_output_stream_t stream;
  if (!wasi_http_types_method_outgoing_body_write(wasi_http_types_borrow_outgoing_body(body), &stream)) {
    abort();
  }
  int there = 1;
  for (size_t at = 0; there && at < response->length;) {
    size_t length = response->length - at;
    http_list_u8_t piece = {(uint8_t *)response->body + at, length < MAX_WRITE ? length : MAX_WRITE};
    wasi_io_streams_stream_error_t error;
    there = wasi_io_streams_method_output_stream_blocking_write_and_flush(wasi_io_streams_borrow_output_stream(stream),
                                                                          &piece, &error);
    at += piece.len;
  }
  wasi_io_streams_output_stream_drop_own(stream);
  return there;
}

static void send(wasi_http_types_own_response_outparam_t to, const web_response *response) {
  wasi_http_types_own_fields_t headers = wasi_http_types_constructor_fields();
  set_header(headers, "content-type", response->content_type);
  wasi_http_types_result_own_outgoing_response_error_code_t result = {.is_err = false};
  wasi_http_types_own_outgoing_response_t outgoing = wasi_http_types_constructor_outgoing_response(headers);
  wasi_http_types_borrow_outgoing_response_t borrowed = wasi_http_types_borrow_outgoing_response(outgoing);
  wasi_http_types_own_outgoing_body_t body;
  if (!wasi_http_types_method_outgoing_response_set_status_code(borrowed, response->status) ||
      !wasi_http_types_method_outgoing_response_body(borrowed, &body)) {
    abort();
  }
  result.val.ok = outgoing;
  wasi_http_types_static_response_outparam_set(to, &result);
  if (write_body(body, response)) {
    wasi_http_types_error_code_t error;
    wasi_http_types_static_outgoing_body_finish(body, NULL, &error);
  } else {
    wasi_http_types_outgoing_body_drop_own(body);
  }
}

void exports_wasi_http_incoming_handler_handle(
    exports_wasi_http_incoming_handler_own_incoming_request_t request,
    exports_wasi_http_incoming_handler_own_response_outparam_t to) {
  http_string_t target;
  char *path = NULL;
  if (wasi_http_types_method_incoming_request_path_with_query(wasi_http_types_borrow_incoming_request(request),
                                                              &target)) {
    path = strndup((const char *)target.ptr, target.len);
    http_string_free(&target);
  } else {
    path = strdup("/");
  }
  if (path == NULL) {
    abort();
  }
  char *query = strchr(path, '?');
  if (query != NULL) {
    *query++ = '\0';
  } else {
    query = path + strlen(path);
  }
  web_response response = respond(path, query);
  send(to, &response);
  free(path);
  wasi_http_types_incoming_request_drop_own(request);
}

web_response web_text(unsigned short status, const char *content_type, const char *text) {
  return (web_response){status, content_type, text, strlen(text)};
}

static int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// In place, since what is decoded is never longer.
static void decode(char *text) {
  char *to = text;
  for (const char *from = text; *from != '\0'; from++) {
    if (*from == '%' && digit(from[1]) >= 0 && digit(from[2]) >= 0) {
      *to++ = (char)(digit(from[1]) * 16 + digit(from[2]));
      from += 2;
    } else {
      *to++ = *from == '+' ? ' ' : *from;
    }
  }
  *to = '\0';
}

int web_next_pair(char **query, char **key, char **value) {
  while (**query == '&') (*query)++;
  if (**query == '\0') return 0;
  *key = *query;
  *query += strcspn(*query, "&");
  if (**query != '\0') *(*query)++ = '\0';
  *value = *key + strcspn(*key, "=");
  if (**value != '\0') *(*value)++ = '\0';
  decode(*key);
  decode(*value);
  return 1;
}
