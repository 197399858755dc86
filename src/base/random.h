#pragma once

/*
 * random.h - unpredictable bytes from the kernel
 */

#include <stddef.h>

/* Aborts if the kernel has none: nothing here works without. */
void random_bytes(void *out, size_t len);

#define UUID_TEXT_LEN 36

/* A random UUID (RFC 9562 version 4) in lower case, NUL-terminated. */
void random_uuid(char out[UUID_TEXT_LEN + 1]);

/* 16 bytes as UUID text in lower case, NUL-terminated. */
void uuid_format(const unsigned char bytes[16], char out[UUID_TEXT_LEN + 1]);
