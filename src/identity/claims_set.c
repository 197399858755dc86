/*
 * claims_set.c - what is done with claims once they are read: lists sorted by name
 */

#include "identity/claims.h"

#include "base/json.h"

const struct claim *claims_find(const struct claims *claims, struct str name)
{
	size_t from = 0;
	size_t to = claims->count;

	while (from < to) {
		size_t middle = from + (to - from) / 2;
		int order = str_compare(claims->items[middle].name, name);

		if (order == 0)
			return &claims->items[middle];
		if (order < 0)
			from = middle + 1;
		else
			to = middle;
	}
	return NULL;
}

struct str claims_text(const struct claims *claims, struct str name)
{
	const struct claim *claim = claims_find(claims, name);

	return claim && claim->value_count == 1 ? claim->values[0] : STR("");
}

static int check_limits(const struct claims *claims, struct err *e)
{
	size_t values = 0;
	size_t text = 0;

	for (size_t i = 0; i < claims->count; i++) {
		const struct claim *claim = &claims->items[i];

		text += claim->name.len;
		values += claim->value_count;
		for (size_t v = 0; v < claim->value_count; v++)
			text += claim->values[v].len;
	}
	if (claims->count > CLAIMS_MAX)
		return err_set(e, ERR_LIMIT, "there are more than %d claims", CLAIMS_MAX);
	if (values > CLAIM_VALUES_MAX)
		return err_set(e, ERR_LIMIT, "the claims have more than %d values",
			       CLAIM_VALUES_MAX);
	if (text > CLAIMS_TEXT_MAX)
		return err_set(e, ERR_LIMIT, "the claims are longer than %u bytes",
			       CLAIMS_TEXT_MAX);
	return 0;
}

int claims_overlay(const struct claims *base, const struct claims *over, struct arena *arena,
		   struct claims *ret, struct err *e)
{
	struct claim *items = arena_alloc_array(arena, base->count + over->count, sizeof(*items));
	struct claims merged = { .items = items };
	size_t b = 0;
	size_t o = 0;

	while (b < base->count || o < over->count) {
		int order = b == base->count ? 1
			    : o == over->count
				    ? -1
				    : str_compare(base->items[b].name, over->items[o].name);

		items[merged.count++] = order < 0 ? base->items[b] : over->items[o];
		b += order <= 0;
		o += order >= 0;
	}
	if (check_limits(&merged, e))
		return -1;
	*ret = merged;
	return 0;
}

static bool is_listed(struct str name, const char *const *names)
{
	for (; *names; names++) {
		if (str_equal(name, str_from(*names)))
			return true;
	}
	return false;
}

void claims_without(const struct claims *claims, const char *const *names, struct arena *arena,
		    struct claims *ret)
{
	struct claim *items = arena_alloc_array(arena, claims->count, sizeof(*items));
	size_t count = 0;

	for (size_t i = 0; i < claims->count; i++) {
		if (!is_listed(claims->items[i].name, names))
			items[count++] = claims->items[i];
	}
	*ret = (struct claims){ .items = items, .count = count };
}

static struct claim copy_claim(const struct claim *claim, struct arena *arena)
{
	struct str *values = arena_alloc_array(arena, claim->value_count, sizeof(*values));

	for (size_t i = 0; i < claim->value_count; i++)
		values[i] = arena_copy(arena, claim->values[i]);
	return (struct claim){
		.name = arena_copy(arena, claim->name),
		.values = values,
		.value_count = claim->value_count,
	};
}

void claims_copy(const struct claims *claims, struct arena *arena, struct claims *ret)
{
	struct claim *items = arena_alloc_array(arena, claims->count, sizeof(*items));

	for (size_t i = 0; i < claims->count; i++)
		items[i] = copy_claim(&claims->items[i], arena);
	*ret = (struct claims){ .items = items, .count = claims->count };
}

int claims_write(const struct claims *claims, struct buf *out)
{
	struct json_writer w = { .out = out };

	json_object_begin(&w);
	for (size_t i = 0; i < claims->count; i++) {
		const struct claim *claim = &claims->items[i];

		json_key(&w, claim->name);
		json_array_begin(&w);
		for (size_t v = 0; v < claim->value_count; v++)
			json_text(&w, claim->values[v]);
		json_array_end(&w);
	}
	json_object_end(&w);
	return out->is_overflown ? -1 : 0;
}
