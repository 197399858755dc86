/*
 * mem.c - the allocator of libc, minus the failure path
 *
 * A zero size is rounded up to one byte so that every result is a distinct, non-NULL pointer.
 */

#include "base/mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static void *or_abort(void *p)
{
	if (!p)
		abort();
	return p;
}

static size_t product_or_abort(size_t count, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(count, size, &bytes))
		abort();
	return bytes ? bytes : 1;
}

void *mem_alloc(size_t size)
{
	return or_abort(calloc(1, size ? size : 1));
}

void *mem_alloc_array(size_t count, size_t size)
{
	return or_abort(calloc(1, product_or_abort(count, size)));
}

void *mem_resize(void *p, size_t count, size_t size)
{
	return or_abort(realloc(p, product_or_abort(count, size)));
}

void *mem_copy(const void *p, size_t len)
{
	if (len == SIZE_MAX)
		abort();
	char *copy = or_abort(malloc(len + 1));
	if (len)
		memcpy(copy, p, len);
	copy[len] = '\0';
	return copy;
}

char *mem_copy_string(const char *s)
{
	return s ? mem_copy(s, strlen(s)) : NULL;
}

void mem_free(void *p)
{
	free(p);
}

void mem_wipe(void *p, size_t len)
{
	if (len)
		explicit_bzero(p, len);
}

void mem_free_secret(char *s)
{
	if (!s)
		return;
	mem_wipe(s, strlen(s));
	free(s);
}

bool mem_equal_secret(const void *a, const void *b, size_t len)
{
	/* volatile: every byte is looked at, whatever the compiler concludes about the result */
	const volatile unsigned char *x = a;
	const volatile unsigned char *y = b;
	unsigned int difference = 0;

	for (size_t i = 0; i < len; i++)
		difference |= (unsigned int)(x[i] ^ y[i]);
	return difference == 0;
}

void mem_forbid_core_files(void)
{
	static const struct rlimit none = { 0 };

	(void)setrlimit(RLIMIT_CORE, &none); /* lowering is always allowed */
}
