#include "session/postgres_params.h"

#include <assert.h>
#include <endian.h>
#include <limits.h>

#include <libpq-fe.h>

/* From the server's catalog, where they are fixed: pg_type.dat. */
#define OID_BYTES        17
#define OID_NUMBER       20
#define OID_TEXT         25
#define OID_BYTES_ARRAY  1001
#define OID_NUMBER_ARRAY 1016

static void add(struct postgres_params *p, const char *value, size_t len)
{
	assert(p->count < POSTGRES_PARAMS_MAX && len <= INT_MAX);
	p->values[p->count] = value;
	p->lengths[p->count] = (int)len;
	p->formats[p->count] = 1;
	p->count++;
}

void postgres_params_number(struct postgres_params *p, int64_t number)
{
	uint64_t *slot;

	assert(p->count < POSTGRES_PARAMS_MAX);
	slot = &p->numbers[p->count];
	*slot = htobe64((uint64_t)number);
	add(p, (const char *)slot, sizeof(*slot));
}

void postgres_params_bytes(struct postgres_params *p, struct str bytes)
{
	add(p, bytes.at ? bytes.at : "", bytes.len); /* a NULL pointer would be a NULL */
}

static const struct {
	char letter;
	Oid type;
} types_by_letter[] = {
	{ 'n', OID_NUMBER },       { 'b', OID_BYTES },       { 't', OID_TEXT },
	{ 'N', OID_NUMBER_ARRAY }, { 'B', OID_BYTES_ARRAY },
};

static Oid type_of(char letter)
{
	size_t i = 0;

	while (i < ARRAY_LEN(types_by_letter) && types_by_letter[i].letter != letter)
		i++;
	assert(i < ARRAY_LEN(types_by_letter));
	return types_by_letter[i].type;
}

int postgres_types(const char *signature, Oid types[POSTGRES_PARAMS_MAX])
{
	int count = 0;

	for (; signature[count]; count++) {
		assert(count < POSTGRES_PARAMS_MAX);
		types[count] = type_of(signature[count]);
	}
	return count;
}

static void append_uint32(struct buf *out, uint32_t value)
{
	const uint32_t bytes = htobe32(value);

	(void)buf_append(out, &bytes, sizeof(bytes)); /* is_overflown stays */
}

void postgres_array_head(struct buf *out, char element, size_t count)
{
	assert(count <= INT_MAX);
	append_uint32(out, 1); /* dimensions */
	append_uint32(out, 0); /* no element is NULL */
	append_uint32(out, type_of(element));
	append_uint32(out, (uint32_t)count);
	append_uint32(out, 1); /* the first index */
}

void postgres_array_number(struct buf *out, int64_t number)
{
	const uint64_t bytes = htobe64((uint64_t)number);

	append_uint32(out, sizeof(bytes));
	(void)buf_append(out, &bytes, sizeof(bytes)); /* is_overflown stays */
}

void postgres_array_bytes(struct buf *out, struct str bytes)
{
	assert(bytes.len <= INT_MAX);
	append_uint32(out, (uint32_t)bytes.len);
	(void)buf_append_str(out, bytes); /* is_overflown stays */
}

int64_t postgres_number(const PGresult *result, int row, int column)
{
	uint64_t bytes;

	if (PQgetlength(result, row, column) != sizeof(bytes))
		return 0;
	memcpy(&bytes, PQgetvalue(result, row, column), sizeof(bytes));
	return (int64_t)be64toh(bytes);
}

struct str postgres_bytes(const PGresult *result, int row, int column, struct arena *arena)
{
	size_t len = (size_t)PQgetlength(result, row, column);

	return arena_copy(arena, str_of(PQgetvalue(result, row, column), len));
}

void postgres_result_free(struct pg_result *result)
{
	PQclear(result);
}
