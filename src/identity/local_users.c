/*
 * local_users.c - copies in an arena, found through a map whose keys are lower-cased addresses
 */

#include "identity/local_users.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/ref.h"
#include "base/siphash.h"
#include "identity/password.h"
#include "jose/mac.h"

#define EMAIL_MAX 254

struct local_users {
	struct ref ref;
	struct arena arena;
	struct map by_email; /* lower-cased -> struct local_user in the arena */
	struct str
		*hashes; /* in the arena: the usable ones, to check passwords of nobody against */
	size_t hash_count;
	uint64_t hash_key[2]; /* which of them, nobody outside can tell */
};

/* RFC 9562 section 6.6: the namespace of URLs. */
static const uint8_t url_namespace[16] = {
	0x6b, 0xa7, 0xb8, 0x11, 0x9d, 0xad, 0x11, 0xd1,
	0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8,
};

bool email_is_valid(struct str email)
{
	size_t at = str_find(email, '@');

	if (email.len > EMAIL_MAX || at == 0 || at + 1 >= email.len ||
	    str_find_last(email, '@') != at)
		return false;
	for (size_t i = 0; i < email.len; i++) {
		uint8_t c = (uint8_t)email.at[i];

		if (c <= ' ' || c == 0x7f)
			return false;
	}
	return true;
}

void local_user_default_id(struct str email, char out[37])
{
	_cleanup_(mem_freep) char *lower = str_copy_lower(email);
	_cleanup_(buf_done) struct buf name = BUF_INIT(SIZE_MAX);
	uint8_t hash[SHA1_SIZE];

	(void)buf_append(&name, url_namespace, sizeof(url_namespace)); /* there is no maximum */
	(void)buf_append_str(&name, STR("mailto:"));
	(void)buf_append_str(&name, str_of(lower, email.len));
	digest_sha1(buf_view(&name), hash);
	hash[6] = (uint8_t)((hash[6] & 0x0f) | 0x50);
	hash[8] = (uint8_t)((hash[8] & 0x3f) | 0x80);
	uuid_format(hash, out);
}

void local_user_credential_tag(const struct local_user *user, uint8_t out[32])
{
	digest_sha256(user->password_hash, out);
}

struct identity *local_user_identity(const struct local_user *user)
{
	static const struct str verified = { .at = "true", .len = 4 };
	const struct claim claims[] = {
		/* sorted by name */
		{ STR("email"), &user->email, 1 },
		{ STR("email_verified"), &verified, 1 },
		{ STR("groups"), user->groups, user->group_count },
		{ STR("name"), &user->name, 1 },
		{ STR("sub"), &user->id, 1 },
	};

	return identity_new(&(struct identity){
		.user_id = user->id,
		.email = user->email,
		.name = user->name,
		.groups = user->groups,
		.group_count = user->group_count,
		.claims = { .items = claims, .count = ARRAY_LEN(claims) },
	});
}

static struct str copy_id(struct arena *arena, const struct local_user *user)
{
	char id[UUID_TEXT_LEN + 1];

	if (user->id.len)
		return arena_copy(arena, user->id);
	local_user_default_id(user->email, id);
	return arena_copy(arena, str_from(id));
}

static struct local_user *copy_user(struct arena *arena, const struct local_user *user)
{
	struct local_user *copy = arena_alloc(arena, sizeof(*copy));
	struct str *groups = arena_alloc_array(arena, user->group_count, sizeof(*groups));

	for (size_t i = 0; i < user->group_count; i++)
		groups[i] = arena_copy(arena, user->groups[i]);
	*copy = (struct local_user){
		.email = arena_copy(arena, user->email),
		.name = arena_copy(arena, user->name),
		.id = copy_id(arena, user),
		.password_hash = arena_copy(arena, user->password_hash),
		.groups = groups,
		.group_count = user->group_count,
		.is_disabled = user->is_disabled,
	};
	return copy;
}

static int add_user(struct local_users *users, struct map *ids, const struct local_user *user,
		    struct err *e)
{
	struct local_user *copy;

	if (!email_is_valid(user->email))
		return err_set(e, ERR_CONFIG, "\"%.*s\" is not an e-mail address",
			       STR_FMT(user->email));
	if (user->group_count > IDENTITY_GROUPS_MAX)
		return err_set(e, ERR_CONFIG, "the user \"%.*s\" is in more than %d groups",
			       STR_FMT(user->email), IDENTITY_GROUPS_MAX);

	_cleanup_(mem_freep) char *lower = str_copy_lower(user->email);
	if (map_get(&users->by_email, str_of(lower, user->email.len)))
		return err_set(e, ERR_CONFIG, "the user \"%.*s\" is listed twice",
			       STR_FMT(user->email));
	copy = copy_user(&users->arena, user);
	if (map_get(ids, copy->id))
		return err_set(e, ERR_CONFIG, "the user \"%.*s\" has the id of another user",
			       STR_FMT(user->email));

	if (password_hash_is_valid(copy->password_hash))
		users->hashes[users->hash_count++] = copy->password_hash;
	(void)map_put(&users->by_email, str_of(lower, user->email.len), copy); /* was not there */
	(void)map_put(ids, copy->id, copy);                                    /* likewise */
	return 0;
}

int local_users_new(const struct local_user *users, size_t count, struct local_users **ret,
		    size_t *ret_bad, struct err *e)
{
	struct local_users *made = mem_alloc(sizeof(*made));
	_cleanup_(map_done) struct map ids;

	map_init(&ids);
	map_init(&made->by_email);
	made->ref = REF_INIT;
	made->hashes = arena_alloc_array(&made->arena, count, sizeof(*made->hashes));
	random_bytes(made->hash_key, sizeof(made->hash_key));
	for (size_t i = 0; i < count; i++) {
		if (add_user(made, &ids, &users[i], e)) {
			*ret_bad = i;
			local_users_unref(made);
			return -1;
		}
	}
	*ret = made;
	return 0;
}

struct local_users *local_users_ref(struct local_users *users)
{
	ref_get(&users->ref);
	return users;
}

void local_users_unref(struct local_users *users)
{
	if (!users || !ref_put(&users->ref))
		return;
	map_done(&users->by_email);
	arena_done(&users->arena);
	mem_free(users);
}

const struct local_user *local_users_find(const struct local_users *users, struct str email)
{
	if (email.len > EMAIL_MAX)
		return NULL;

	_cleanup_(mem_freep) char *lower = str_copy_lower(email);
	return map_get(&users->by_email, str_of(lower, email.len));
}

struct str local_users_hash_to_check(const struct local_users *users, struct str email,
				     bool *ret_is_own)
{
	const struct local_user *user = local_users_find(users, email);
	_cleanup_(mem_freep) char *lower = str_copy_lower(email);

	*ret_is_own = user && password_hash_is_valid(user->password_hash);
	if (*ret_is_own)
		return user->password_hash;
	if (!users->hash_count)
		return password_hash_of_nobody();
	return users
		->hashes[siphash24(users->hash_key, str_of(lower, email.len)) % users->hash_count];
}
