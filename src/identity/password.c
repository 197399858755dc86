/*
 * password.c - libxcrypt does the hashing; its working storage is large, on the heap, and wiped
 *
 * libxcrypt takes NUL-terminated text, so a password with a NUL byte inside would be cut short:
 * it is refused instead. A setting is also accepted by the library where a whole hash is expected,
 * so the shape of the hash is checked here.
 */

#include "identity/password.h"

#include <assert.h>
#include <crypt.h>
#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"

static_assert(PASSWORD_HASH_MAX >= CRYPT_OUTPUT_SIZE, "hashes fit");
static_assert(PASSWORD_MAX < CRYPT_MAX_PASSPHRASE_SIZE, "the library takes what we take");

/* What follows the last '$' has a fixed length. */
static const struct hash_form {
	const char *prefix;
	size_t tail_len;
} hash_forms[] = {
	{ "$y$", 43 }, { "$2b$", 53 }, { "$2a$", 53 }, { "$2y$", 53 }, { "$6$", 86 },
};

static const struct hash_form *find_form(struct str hash)
{
	for (size_t i = 0; i < ARRAY_LEN(hash_forms); i++) {
		if (str_starts_with(hash, str_from(hash_forms[i].prefix)))
			return &hash_forms[i];
	}
	return NULL;
}

static bool is_crypt_base64(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.at[i];

		if (!(c >= '.' && c <= '9') && !(c >= 'A' && c <= 'Z') && !(c >= 'a' && c <= 'z'))
			return false;
	}
	return true;
}

static bool is_usable(struct str password)
{
	return password.len > 0 && password.len <= PASSWORD_MAX &&
	       str_find(password, '\0') == password.len;
}

/* The hash of the password, or NULL with errno; release with mem_free_secret(). */
static char *run_crypt(struct str password, const char *setting)
{
	struct crypt_data *work = mem_alloc(sizeof(*work));
	_cleanup_(mem_free_secretp) char *phrase = str_copy(password);
	char *hash = mem_copy_string(crypt_rn(phrase, setting, work, sizeof(*work)));
	int cause = errno;

	mem_wipe(work, sizeof(*work));
	mem_free(work);
	errno = cause;
	return hash;
}

int password_hash(struct str password, char out[PASSWORD_HASH_MAX], struct err *e)
{
	char setting[CRYPT_GENSALT_OUTPUT_SIZE];

	if (!password.len)
		return err_set(e, ERR_CONFIG, "the password is empty");
	if (password.len > PASSWORD_MAX)
		return err_set(e, ERR_LIMIT, "the password is longer than %d bytes", PASSWORD_MAX);
	if (!is_usable(password))
		return err_set(e, ERR_CONFIG, "the password contains a NUL byte");
	if (!crypt_gensalt_rn("$y$", 0, NULL, 0, setting, sizeof(setting)))
		return err_errno(e, errno, "cannot make a salt");

	_cleanup_(mem_free_secretp) char *hash = run_crypt(password, setting);
	if (!hash)
		return err_errno(e, errno, "cannot hash the password");
	memcpy(out, hash, strlen(hash) + 1);
	return 0;
}

bool password_verify(struct str password, struct str hash)
{
	if (!is_usable(password) || !password_hash_is_valid(hash))
		return false;

	_cleanup_(mem_free_secretp) char *setting = str_copy(hash);
	_cleanup_(mem_free_secretp) char *made = run_crypt(password, setting);
	return made && strlen(made) == hash.len && mem_equal_secret(made, hash.at, hash.len);
}

bool password_hash_is_valid(struct str hash)
{
	const struct hash_form *form = find_form(hash);
	struct str tail;

	if (!form || hash.len >= PASSWORD_HASH_MAX || !str_is_printable_ascii(hash))
		return false;
	tail = str_from_pos(hash, str_find_last(hash, '$') + 1);
	if (tail.len != form->tail_len || !is_crypt_base64(tail))
		return false;

	_cleanup_(mem_free_secretp) char *setting = str_copy(hash);
	int verdict = crypt_checksalt(setting);
	return verdict == CRYPT_SALT_OK || verdict == CRYPT_SALT_METHOD_LEGACY;
}

struct str password_hash_of_nobody(void)
{
	return STR("$y$j9T$tWfnUs1rZQY0A39pzZNZE/$xDzqKVYkfWB/poGTfRA/W8izRII3wVWPco2kWghEuU9");
}
