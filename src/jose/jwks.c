/*
 * jwks.c - every entry counts for the limit, also those left out
 */

#include "jose/jwks.h"

#include "base/mem.h"
#include "jose/json_strict.h"
#include "jose/jwks_private.h"

/* The set, "keys", a key, a list in it; some issuers add things of their own. */
#define DEPTH_MAX 8

DEFINE_CLEANUP(struct jwks, jwks_unref)

static int read_keys(const json_t *entries, struct jwks *keys, struct err *e)
{
	if (!json_is_array(entries))
		return err_set(e, ERR_PROTOCOL, "key set: \"keys\" is not a list");
	if (json_array_size(entries) > JWKS_KEYS_MAX)
		return err_set(e, ERR_LIMIT, "key set: more than %d keys", JWKS_KEYS_MAX);
	for (size_t i = 0; i < json_array_size(entries); i++) {
		const json_t *entry = json_array_get(entries, i);

		if (!json_is_object(entry))
			return err_set(e, ERR_PROTOCOL, "key set: keys[%zu] is not an object", i);
		if (jwk_read(entry, &keys->arena, &keys->keys[keys->count]))
			keys->count++;
	}
	return 0;
}

int jwks_parse(struct str json, struct jwks **ret, struct err *e)
{
	if (json.len > JWKS_TEXT_MAX)
		return err_set(e, ERR_LIMIT, "key set: longer than %u bytes", JWKS_TEXT_MAX);
	_cleanup_(json_decrefp) json_t *root = json_strict_read(json, DEPTH_MAX, e);
	if (!root)
		return err_wrap(e, "key set");
	_cleanup_(jwks_unrefp) struct jwks *keys = mem_alloc(sizeof(*keys));
	keys->ref = REF_INIT;
	if (read_keys(json_object_get(root, "keys"), keys, e))
		return -1;
	*ret = TAKE(keys);
	return 0;
}

struct jwks *jwks_ref(struct jwks *keys)
{
	ref_get(&keys->ref);
	return keys;
}

void jwks_unref(struct jwks *keys)
{
	if (!keys || !ref_put(&keys->ref))
		return;
	for (size_t i = 0; i < keys->count; i++)
		jwk_done(&keys->keys[i]);
	arena_done(&keys->arena);
	mem_free(keys);
}

size_t jwks_count(const struct jwks *keys)
{
	return keys->count;
}
