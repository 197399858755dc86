/*
 * arena.c - a list of chunks; only the first one has room that is still used
 *
 * Chunks double up to ARENA_CHUNK_MAX. What is larger than a chunk gets one of its own, placed
 * behind the first, so that the room of the first is not lost.
 */

#include "base/arena.h"

#include <assert.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define ARENA_CHUNK_FIRST ((size_t)256)
#define ARENA_CHUNK_MAX   ((size_t)65536)
#define ARENA_ALIGN       _Alignof(max_align_t)

struct arena_chunk {
	struct arena_chunk *next;
	size_t used;
	size_t size;
	_Alignas(max_align_t) unsigned char bytes[];
};

static struct arena_chunk *chunk_new(size_t size)
{
	size_t total;

	if (__builtin_add_overflow(size, sizeof(struct arena_chunk), &total))
		abort();
	struct arena_chunk *chunk = mem_alloc(total);
	chunk->size = size;
	return chunk;
}

static void *chunk_take(struct arena_chunk *chunk, size_t size)
{
	void *at = chunk->bytes + chunk->used;

	chunk->used += size;
	return at;
}

static size_t next_chunk_size(const struct arena *a)
{
	if (!a->chunks)
		return ARENA_CHUNK_FIRST;
	return a->chunks->size < ARENA_CHUNK_MAX / 2 ? a->chunks->size * 2 : ARENA_CHUNK_MAX;
}

void *arena_alloc(struct arena *a, size_t size)
{
	if (size > SIZE_MAX - ARENA_ALIGN)
		abort();
	size_t room = (size + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
	if (room == 0)
		room = ARENA_ALIGN;
	struct arena_chunk *first = a->chunks;
	if (first && room <= first->size - first->used)
		return chunk_take(first, room);

	size_t chunk_size = next_chunk_size(a);
	if (first && room > chunk_size / 2) {
		struct arena_chunk *own = chunk_new(room);
		own->next = first->next;
		first->next = own;
		return chunk_take(own, room);
	}
	struct arena_chunk *chunk = chunk_new(room > chunk_size ? room : chunk_size);
	chunk->next = first;
	a->chunks = chunk;
	return chunk_take(chunk, room);
}

void *arena_alloc_array(struct arena *a, size_t count, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(count, size, &bytes))
		abort();
	return arena_alloc(a, bytes);
}

struct str arena_copy(struct arena *a, struct str s)
{
	char *copy = arena_alloc(a, s.len + 1);

	if (s.len)
		memcpy(copy, s.at, s.len);
	return str_of(copy, s.len);
}

const char *arena_copy_string(struct arena *a, struct str s)
{
	return arena_copy(a, s).at;
}

struct str arena_printf(struct arena *a, const char *format, ...)
{
	va_list args;

	assert(format);
	va_start(args, format);
	int len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (len < 0)
		abort();
	char *text = arena_alloc(a, (size_t)len + 1);
	va_start(args, format);
	(void)vsnprintf(text, (size_t)len + 1, format, args); /* was measured above */
	va_end(args);
	return str_of(text, (size_t)len);
}

void arena_done(struct arena *a)
{
	struct arena_chunk *chunk = a->chunks;

	a->chunks = NULL;
	while (chunk) {
		struct arena_chunk *next = chunk->next;
		mem_wipe(chunk->bytes, chunk->used);
		mem_free(chunk);
		chunk = next;
	}
}
