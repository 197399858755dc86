/*
 * buf.c - doubling storage, clamped to the maximum given at birth
 */

#include "base/buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

#define BUF_CAP_FIRST 256

void buf_init(struct buf *b, size_t max)
{
	*b = BUF_INIT(max);
}

void buf_done(struct buf *b)
{
	mem_free(b->data);
	*b = BUF_INIT(b->max);
}

void buf_done_secret(struct buf *b)
{
	/* the whole capacity: a truncated or consumed secret lies behind the contents */
	if (b->data)
		mem_wipe(b->data, b->cap);
	buf_done(b);
}

static size_t next_cap(const struct buf *b, size_t needed)
{
	size_t cap = b->cap < BUF_CAP_FIRST / 2 ? BUF_CAP_FIRST : b->cap;

	if (b->cap && __builtin_mul_overflow(cap, 2u, &cap))
		cap = b->max;
	if (cap > b->max)
		cap = b->max;
	return cap > needed ? cap : needed;
}

/* Not realloc(): the old place is wiped, since any buf may hold a secret. */
static void grow(struct buf *b, size_t needed)
{
	size_t cap = next_cap(b, needed);
	uint8_t *data = mem_resize(NULL, cap, 1);

	if (b->data) {
		memcpy(data, b->data, b->len);
		mem_wipe(b->data, b->cap);
		mem_free(b->data);
	}
	b->data = data;
	b->cap = cap;
}

uint8_t *buf_reserve(struct buf *b, size_t len)
{
	size_t needed;

	if (__builtin_add_overflow(b->len, len, &needed) || needed > b->max) {
		b->is_overflown = true;
		return NULL;
	}
	if (needed > b->cap || !b->data)
		grow(b, needed);
	return b->data + b->len;
}

void buf_commit(struct buf *b, size_t len)
{
	assert(len <= b->cap - b->len);
	b->len += len;
}

int buf_append(struct buf *b, const void *data, size_t len)
{
	uint8_t *to = buf_reserve(b, len);

	if (!to)
		return -1;
	if (len)
		memcpy(to, data, len);
	b->len += len;
	return 0;
}

int buf_append_str(struct buf *b, struct str s)
{
	return buf_append(b, s.at, s.len);
}

int buf_append_char(struct buf *b, char c)
{
	return buf_append(b, &c, 1);
}

int buf_printf(struct buf *b, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	int len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (len < 0 || (size_t)len > b->max - b->len) {
		b->is_overflown = true;
		return -1;
	}
	/* vsnprintf() wants room for its NUL, which need not fit below the maximum */
	size_t size = (size_t)len + 1;
	if (size > b->cap - b->len)
		grow(b, b->len + size);
	va_start(args, format);
	(void)vsnprintf((char *)b->data + b->len, size, format, args); /* was measured above */
	va_end(args);
	b->len += (size_t)len;
	return 0;
}

void buf_consume(struct buf *b, size_t len)
{
	assert(len <= b->len);
	b->len -= len;
	if (len && b->len)
		memmove(b->data, b->data + len, b->len);
}

void buf_truncate(struct buf *b, size_t len)
{
	assert(len <= b->len);
	b->len = len;
}

char *buf_take_string(struct buf *b)
{
	char *string = mem_resize(b->data, b->len + 1, 1);

	string[b->len] = '\0';
	*b = BUF_INIT(b->max);
	return string;
}

void buf_move(struct buf *to, struct buf *from)
{
	if (to == from)
		return;
	mem_free(to->data);
	*to = *from;
	*from = BUF_INIT(from->max);
}
