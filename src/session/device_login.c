/*
 * device_login.c - what a machine says of itself is shown to a person who decides by it, so nothing in it may play tricks
 */

#include "session/device_login.h"

#include "base/buf.h"
#include "base/codec.h"
#include "base/mem.h"
#include "base/ref.h"
#include "base/utf8.h"
#include "jose/mac.h"

/* Consonants that nobody takes for one another, and that make no words (RFC 8628 section 6.1). */
#define USER_CODE_ALPHABET "BCDFGHJKLMNPQRSTVWXZ"

struct device_object {
	struct device_login login;
	struct ref ref;
	char *client_name;
	char *client_address;
	char *authority;
};

static struct device_object *object_of(struct device_login *login)
{
	return container_of(login, struct device_object, login);
}

/* At most DEVICE_NAME_MAX bytes; a question mark for what must not be shown. */
static char *copy_shown(struct str text)
{
	struct buf out = BUF_INIT(DEVICE_NAME_MAX);

	(void)utf8_append_shown(&out, text); /* what is too long is cut */
	return buf_take_string(&out);
}

struct device_login *device_login_new(const struct device_login *facts)
{
	struct device_object *object = mem_alloc(sizeof(*object));
	struct device_login *login = &object->login;

	object->ref = REF_INIT;
	object->client_name = copy_shown(facts->client_name);
	object->client_address = str_copy(facts->client_address);
	object->authority = str_copy(facts->authority);
	*login = *facts;
	login->client_name = str_from(object->client_name);
	login->client_address = str_of(object->client_address, facts->client_address.len);
	login->authority = str_of(object->authority, facts->authority.len);
	return login;
}

struct device_login *device_login_ref(struct device_login *login)
{
	ref_get(&object_of(login)->ref);
	return login;
}

void device_login_unref(struct device_login *login)
{
	struct device_object *object;

	if (!login)
		return;
	object = object_of(login);
	if (!ref_put(&object->ref))
		return;
	mem_free(object->client_name);
	mem_free(object->client_address);
	mem_free(object->authority);
	mem_free(object);
}

void device_user_code_new(char out[DEVICE_USER_CODE_LEN + 1])
{
	const size_t count = sizeof(USER_CODE_ALPHABET) - 1;
	const unsigned limit = 256 - 256 % (unsigned)count;

	for (size_t i = 0; i < DEVICE_USER_CODE_LEN;) {
		unsigned char byte;

		random_bytes(&byte, 1);
		/* What is left over would make the first letters likelier. */
		if (byte < limit)
			out[i++] = USER_CODE_ALPHABET[byte % count];
	}
	out[DEVICE_USER_CODE_LEN] = '\0';
}

bool device_user_code_read(struct str text, char out[DEVICE_USER_CODE_LEN + 1])
{
	char code[DEVICE_USER_CODE_LEN + 1] = { 0 };
	size_t len = 0;

	for (size_t i = 0; i < text.len; i++) {
		char c = text.at[i];

		if (c == ' ' || c == '-')
			continue;
		if (c >= 'a' && c <= 'z')
			c = (char)(c - 'a' + 'A');
		if (len == DEVICE_USER_CODE_LEN ||
		    str_find(STR(USER_CODE_ALPHABET), c) == sizeof(USER_CODE_ALPHABET) - 1)
			return false;
		code[len++] = c;
	}
	if (len != DEVICE_USER_CODE_LEN)
		return false;
	memcpy(out, code, sizeof(code));
	return true;
}

void device_code_new(struct buf *out)
{
	uint8_t bytes[DEVICE_CODE_BYTES];

	random_bytes(bytes, sizeof(bytes));
	(void)base64_encode(out, BASE64_URL, bytes, sizeof(bytes)); /* the caller's buf has room */
	mem_wipe(bytes, sizeof(bytes));
}

void device_code_hash(struct str code, char out[DEVICE_HASH_LEN + 1])
{
	uint8_t digest[SHA256_SIZE];
	struct buf text = BUF_INIT(DEVICE_HASH_LEN);

	digest_sha256(code, digest);
	(void)hex_encode(&text, digest, sizeof(digest));
	memcpy(out, text.data, DEVICE_HASH_LEN);
	out[DEVICE_HASH_LEN] = '\0';
	buf_done(&text);
}
