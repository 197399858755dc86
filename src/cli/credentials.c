/*
 * credentials.c - the file's name says for which gateway, the file holds nothing but the token
 *
 * The name is an HMAC as one big number in base 36: long division by 36, a digit per pass.
 */

#include "cli/credentials.h"

#include <limits.h>
#include <stdint.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "cli/cache_file.h"
#include "cli/events.h"
#include "cli/login_lock.h"
#include "jose/mac.h"

#define BASE36_DIGITS_MAX 50 /* 256 bits */

_Static_assert(HMAC_SHA512_256_SIZE + BASE36_DIGITS_MAX + sizeof(".jwt") <= CREDENTIALS_NAME_MAX,
	       "a file name always fits");

static bool is_token_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c != '\0' && strchr("-._~+/=", c));
}

bool token_is_valid(struct str token)
{
	if (token.len == 0 || token.len > TOKEN_MAX)
		return false;
	for (size_t i = 0; i < token.len; i++)
		if (!is_token_char(token.at[i]))
			return false;
	return true;
}

/* Divides the big-endian number by 36 and returns the remainder. */
static unsigned divide_by_36(uint8_t number[HMAC_SHA512_256_SIZE], bool *ret_is_zero)
{
	unsigned remainder = 0;
	bool is_zero = true;

	for (size_t i = 0; i < HMAC_SHA512_256_SIZE; i++) {
		unsigned value = remainder * 256 + number[i];
		number[i] = (uint8_t)(value / 36);
		remainder = value % 36;
		is_zero = is_zero && number[i] == 0;
	}
	*ret_is_zero = is_zero;
	return remainder;
}

void credentials_file_name(struct str cache_key, char out[CREDENTIALS_NAME_MAX])
{
	static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	char reversed[BASE36_DIGITS_MAX];
	uint8_t number[HMAC_SHA512_256_SIZE];
	size_t count = 0;
	size_t len = 0;
	bool is_zero = false;

	hmac_sha512_256(STR("LocalJWTCache"), cache_key, number);
	while (len < sizeof(number) && number[len] == 0)
		out[len++] = '0';
	while (!is_zero && count < sizeof(reversed))
		reversed[count++] = digits[divide_by_36(number, &is_zero)];
	while (count > 0)
		out[len++] = reversed[--count];
	memcpy(out + len, ".jwt", sizeof(".jwt"));
}

void credentials_init(struct credentials *c, const char *cache_root, struct str gateway_name,
		      bool uses_tls)
{
	struct buf key = BUF_INIT(1024);
	struct buf directory = BUF_INIT(PATH_MAX);
	struct buf path = BUF_INIT(PATH_MAX + CREDENTIALS_NAME_MAX);
	struct buf lock_path = BUF_INIT(PATH_MAX + 2 * CREDENTIALS_NAME_MAX);
	char name[CREDENTIALS_NAME_MAX];

	*c = (struct credentials){ .in_memory = BUF_INIT(TOKEN_MAX) };
	if (!cache_root)
		return;
	buf_printf(&key, "%.*s|%s", STR_FMT(gateway_name), uses_tls ? "true" : "false");
	credentials_file_name(buf_view(&key), name);
	buf_done(&key);
	buf_printf(&directory, "%s/jwts", cache_root);
	buf_printf(&path, "%s/jwts/%s", cache_root, name);
	buf_printf(&lock_path, "%.*s.lock", STR_FMT(buf_view(&path)));
	c->directory = buf_take_string(&directory);
	c->path = buf_take_string(&path);
	c->lock_path = buf_take_string(&lock_path);
}

void credentials_done(struct credentials *c)
{
	buf_done_secret(&c->in_memory);
	mem_free(TAKE(c->directory));
	mem_free(TAKE(c->path));
	mem_free(TAKE(c->lock_path));
}

static void warn(struct credentials *c, const struct err *e)
{
	if (c->events && !c->has_warned)
		events_warning(c->events, "the stored login is not used", e);
	c->has_warned = true;
}

/* Whatever is wrong with it: the gateway will ask for a login. */
static int load_file(struct credentials *c, struct buf *ret_token, bool *ret_is_there,
		     struct err *e)
{
	size_t before = ret_token->len;

	if (cache_file_read(c->path, ret_token, ret_is_there, e) < 0)
		return -1;
	if (!*ret_is_there || token_is_valid(str_from_pos(buf_view(ret_token), before)))
		return 0;
	buf_truncate(ret_token, before);
	return err_set(e, ERR_CONFIG, "%s is damaged: it does not hold a token", c->path);
}

bool credentials_load(struct credentials *c, struct buf *ret_token)
{
	bool is_there = false;
	struct err e;

	if (c->in_memory.len > 0)
		return buf_append_str(ret_token, buf_view(&c->in_memory)) == 0;
	if (!c->path)
		return false;
	if (load_file(c, ret_token, &is_there, &e) == 0)
		return is_there;
	warn(c, &e);
	return false;
}

int credentials_prepare(const struct credentials *c, struct err *e)
{
	return cache_file_directory(c->directory, e);
}

static int store_file(const struct credentials *c, struct str token, struct err *e)
{
	if (!c->path)
		return 0;
	if (credentials_prepare(c, e) < 0)
		return -1;
	return file_replace(c->path, token, 0600, e);
}

int credentials_store(struct credentials *c, struct str token, struct err *e)
{
	int stored = store_file(c, token, e);

	buf_done_secret(&c->in_memory);
	if (stored < 0 || !c->path)
		(void)buf_append_str(&c->in_memory, token); /* it fits: TOKEN_MAX was checked */
	return stored;
}

static bool is_same_secret(struct str a, struct str b)
{
	return a.len == b.len && mem_equal_secret(a.at, b.at, a.len);
}

struct forgetting {
	struct credentials *credentials;
	struct str refused;
};

static void forget_if_it_is_that(void *arg)
{
	struct forgetting *f = arg;
	struct credentials *c = f->credentials;
	struct buf stored = BUF_INIT(TOKEN_MAX);

	if (credentials_load(c, &stored) && is_same_secret(buf_view(&stored), f->refused)) {
		buf_done_secret(&c->in_memory);
		if (c->path)
			(void)unlink(c->path); /* if it stays, it is refused again */
	}
	buf_done_secret(&stored);
}

/*
 * Between a look at the file and its removal another process must not store its new token there. Whoever logs in just now
 * is going to replace the file anyway.
 */
void credentials_forget(struct credentials *c, struct str refused_token)
{
	struct forgetting f = { .credentials = c, .refused = refused_token };

	if (str_is_empty(refused_token))
		return;
	if (c->path && c->in_memory.len == 0)
		(void)login_lock_around(c->lock_path, forget_if_it_is_that, &f);
	else
		forget_if_it_is_that(&f);
}
