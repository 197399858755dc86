/*
 * vectors.c - VECTORS_DIR comes from the build
 */

#include "tests/vectors/vectors.h"

#include "base/codec.h"

/* A vector that cannot be read must never look like a vector that passed. */
static NORETURN void give_up(const char *what, const char *why)
{
	(void)fprintf(stderr, "test vectors: %s: %s\n", what, why);
	abort();
}

json_t *vectors_load(const char *file_name)
{
	char path[1024];
	json_error_t error;
	json_t *root;

	(void)snprintf(path, sizeof(path), "%s/%s", VECTORS_DIR, file_name);
	root = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
	if (!root)
		give_up(path, error.text);
	return root;
}

const json_t *vectors_get(const json_t *object, const char *name)
{
	const json_t *member = json_object_get(object, name);

	if (!member)
		give_up(name, "there is no such member");
	return member;
}

struct str vectors_str(const json_t *object, const char *name)
{
	const json_t *member = vectors_get(object, name);

	if (!json_is_string(member))
		give_up(name, "is not a string");
	return str_of(json_string_value(member), json_string_length(member));
}

int64_t vectors_int(const json_t *object, const char *name)
{
	const json_t *member = vectors_get(object, name);

	if (!json_is_integer(member))
		give_up(name, "is not an integer");
	return json_integer_value(member);
}

void vectors_base64(const json_t *object, const char *name, struct buf *out)
{
	if (base64_decode(out, BASE64_STANDARD, vectors_str(object, name)))
		give_up(name, "is not base64");
}

void vectors_hex(const json_t *object, const char *name, struct buf *out)
{
	if (hex_decode(out, vectors_str(object, name)))
		give_up(name, "is not hexadecimal");
}
