/*
 * claims.c - a JSON object becomes a sorted list of names, each with a list of texts
 *
 * Nested objects give "a.b"; a list keeps its scalars and loses its objects, lists and nulls (a policy can only compare
 * texts). Where two ways lead to one name, as in {"a.b":1,"a":{"b":2}}, the less nested one wins, so that whoever may fill
 * in an inner object cannot replace a claim of the provider's own; equally nested ones contradict each other and are refused.
 *
 * Every name that is put together counts against CLAIMS_TEXT_MAX, kept or not: a long name with many small objects in it
 * would otherwise grow into gigabytes.
 */

#include "identity/claims.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "base/mem.h"
#include "identity/json_input.h"

#define REAL_DIGITS_MIN 15
#define REAL_DIGITS_MAX 17
#define REAL_TEXT_MAX   40

struct found {
	struct claim claim;
	unsigned depth;
};

struct flattening {
	struct arena *arena;
	struct found *items; /* room for CLAIMS_MAX */
	size_t count;
	size_t value_count;
	size_t text_len;
};

static int flatten_object(struct flattening *f, const json_t *object, struct str prefix,
			  unsigned depth, struct err *e);

static int count_text(struct flattening *f, size_t len, struct err *e)
{
	if (len > CLAIMS_TEXT_MAX - f->text_len)
		return err_set(e, ERR_LIMIT, "the claims are longer than %u bytes",
			       CLAIMS_TEXT_MAX);
	f->text_len += len;
	return 0;
}

/* The shortest one that reads back as the same number. */
static struct str real_text(double value, struct arena *arena)
{
	char text[REAL_TEXT_MAX];

	for (int digits = REAL_DIGITS_MIN; digits <= REAL_DIGITS_MAX; digits++) {
		(void)snprintf(text, sizeof(text), "%.*g", digits, value); /* always fits */
		if (strtod(text, NULL) == value)
			break;
	}
	return arena_copy(arena, str_from(text));
}

static bool is_scalar(const json_t *value)
{
	return json_is_string(value) || json_is_number(value) || json_is_boolean(value);
}

static struct str scalar_text(const json_t *value, struct arena *arena)
{
	if (json_is_string(value))
		return arena_copy(arena, json_input_view(value));
	if (json_is_integer(value))
		return arena_printf(arena, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	if (json_is_real(value))
		return real_text(json_real_value(value), arena);
	return json_is_true(value) ? STR("true") : STR("false");
}

static int add_value(struct flattening *f, const json_t *value, struct str *ret, struct err *e)
{
	if (f->value_count == CLAIM_VALUES_MAX)
		return err_set(e, ERR_LIMIT, "the claims have more than %d values",
			       CLAIM_VALUES_MAX);
	f->value_count++;
	*ret = scalar_text(value, f->arena);
	return count_text(f, ret->len, e);
}

static int add_list(struct flattening *f, const json_t *list, struct claim *claim, struct err *e)
{
	size_t len = json_array_size(list);
	size_t count = 0;

	for (size_t i = 0; i < len; i++)
		count += is_scalar(json_array_get(list, i));
	if (count > CLAIM_VALUES_MAX - f->value_count)
		return err_set(e, ERR_LIMIT, "the claims have more than %d values",
			       CLAIM_VALUES_MAX);

	struct str *values = arena_alloc_array(f->arena, count, sizeof(*values));
	for (size_t i = 0; i < len; i++) {
		const json_t *value = json_array_get(list, i);

		if (is_scalar(value) && add_value(f, value, &values[claim->value_count++], e))
			return -1;
	}
	claim->values = values;
	return 0;
}

static int add_claim(struct flattening *f, struct str name, const json_t *value, unsigned depth,
		     struct err *e)
{
	struct claim claim = { .name = name };

	if (f->count == CLAIMS_MAX)
		return err_set(e, ERR_LIMIT, "there are more than %d claims", CLAIMS_MAX);
	if (json_is_array(value)) {
		if (add_list(f, value, &claim, e))
			return -1;
	} else {
		struct str *only = arena_alloc(f->arena, sizeof(*only));

		if (add_value(f, value, only, e))
			return -1;
		claim.values = only;
		claim.value_count = 1;
	}
	f->items[f->count++] = (struct found){ .claim = claim, .depth = depth };
	return 0;
}

static int flatten_member(struct flattening *f, struct str name, const json_t *value,
			  unsigned depth, struct err *e)
{
	if (json_is_null(value))
		return 0;
	if (json_is_object(value))
		return flatten_object(f, value, name, depth + 1, e);
	return add_claim(f, name, value, depth, e);
}

static int make_name(struct flattening *f, struct str prefix, struct str key, struct str *ret,
		     struct err *e)
{
	if (count_text(f, prefix.at ? prefix.len + 1 + key.len : key.len, e))
		return -1;
	*ret = prefix.at ? arena_printf(f->arena, "%.*s.%.*s", STR_FMT(prefix), STR_FMT(key))
			 : arena_copy(f->arena, key);
	return 0;
}

/* The outermost object has no prefix at all (at == NULL): the one below "" has an empty one. */
static int flatten_object(struct flattening *f, const json_t *object, struct str prefix,
			  unsigned depth, struct err *e)
{
	struct str name;

	if (depth > CLAIMS_DEPTH_MAX)
		return err_set(e, ERR_LIMIT, "the claims are nested deeper than %d levels",
			       CLAIMS_DEPTH_MAX);

	/* jansson's iterators want an object that may be changed, and go by position. */
	for (void *at = json_object_iter((json_t *)(uintptr_t)object); at;
	     at = json_object_iter_next((json_t *)(uintptr_t)object, at)) {
		struct str key = str_from(json_object_iter_key(at));

		if (make_name(f, prefix, key, &name, e) ||
		    flatten_member(f, name, json_object_iter_value(at), depth, e))
			return -1;
	}
	return 0;
}

static int compare_found(const void *a, const void *b)
{
	const struct found *left = a;
	const struct found *right = b;
	int order = str_compare(left->claim.name, right->claim.name);

	return order ? order : (int)left->depth - (int)right->depth;
}

/* Sorts, and keeps the least nested one of each name. */
static int settle(struct flattening *f, struct claims *ret, struct err *e)
{
	struct claim *claims = arena_alloc_array(f->arena, f->count, sizeof(*claims));
	size_t kept = 0;

	if (f->count)
		qsort(f->items, f->count, sizeof(*f->items), compare_found);
	for (size_t i = 0; i < f->count; i++) {
		const struct found *found = &f->items[i];
		bool is_first = kept == 0 || !str_equal(found->claim.name, claims[kept - 1].name);

		if (is_first)
			claims[kept++] = found->claim;
		else if (found->depth == found[-1].depth)
			return err_set(
				e, ERR_PROTOCOL,
				"two claims have the same name once nested names are joined");
	}
	*ret = (struct claims){ .items = claims, .count = kept };
	return 0;
}

int claims_parse(struct str json, struct arena *arena, struct claims *ret, struct err *e)
{
	_cleanup_(json_decrefp) json_t *object = json_input_object(json, CLAIMS_JSON_MAX, e);
	if (!object)
		return -1;

	_cleanup_(mem_freep) struct found *items = mem_alloc_array(CLAIMS_MAX, sizeof(*items));
	struct flattening f = { .arena = arena, .items = items };
	if (flatten_object(&f, object, (struct str){ 0 }, 1, e))
		return -1;
	return settle(&f, ret, e);
}
