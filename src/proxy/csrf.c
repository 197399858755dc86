/*
 * A token is random bytes and their MAC under the cookie key: nobody else can make one, for instance in a sibling
 * domain's cookie. Who sends a form has to show the same token in the form and in the cookie.
 */

#include "proxy/csrf.h"

#include "base/codec.h"
#include "base/mem.h"
#include "base/random.h"
#include "http/cookie.h"
#include "jose/mac.h"
#include "proxy/login_cookies.h"

#define CSRF_RANDOM_BYTES 16
#define CSRF_BYTES        (CSRF_RANDOM_BYTES + HMAC_SHA256_SIZE)
#define CSRF_TEXT_LEN     (CSRF_BYTES * 4 / 3)

static void csrf_mac(const struct exchange *x, const uint8_t *random, uint8_t mac[HMAC_SHA256_SIZE])
{
	hmac_sha256(x->snapshot->cookie_key, str_of(random, CSRF_RANDOM_BYTES), mac);
}

static bool is_genuine(const struct exchange *x, struct str token)
{
	struct buf bytes = BUF_INIT(CSRF_BYTES);
	uint8_t mac[HMAC_SHA256_SIZE];
	bool result = false;

	if (token.len == CSRF_TEXT_LEN && base64_decode(&bytes, BASE64_URL, token) == 0) {
		csrf_mac(x, bytes.data, mac);
		result = mem_equal_secret(mac, bytes.data + CSRF_RANDOM_BYTES, sizeof(mac));
	}
	buf_done(&bytes);
	return result;
}

struct str csrf_token(struct exchange *x)
{
	struct buf text = BUF_INIT(CSRF_TEXT_LEN);
	uint8_t bytes[CSRF_BYTES];
	struct str token;

	if (cookie_get(&x->request->headers, login_cookie_name(x, LOGIN_COOKIE_CSRF), &token) &&
	    is_genuine(x, token))
		return arena_copy(&x->arena, token);
	random_bytes(bytes, CSRF_RANDOM_BYTES);
	csrf_mac(x, bytes, bytes + CSRF_RANDOM_BYTES);
	(void)base64_encode(&text, BASE64_URL, bytes, sizeof(bytes)); /* fits */
	token = arena_copy(&x->arena, buf_view(&text));
	buf_done(&text);
	return token;
}

/*
 * A sibling domain can plant our cookie together with a token that we gave to itself, but browsers say where a form was.
 * Those that do not are left with the token.
 */
static bool comes_from_elsewhere(struct exchange *x)
{
	struct str origin;

	return http_headers_get(&x->request->headers, STR("origin"), &origin) &&
	       !str_equal_nocase(origin, arena_printf(&x->arena, "https://%.*s",
						      STR_FMT(x->facts.authority)));
}

bool csrf_is_right(struct exchange *x, struct str token)
{
	struct str cookie;

	return !comes_from_elsewhere(x) && is_genuine(x, token) &&
	       cookie_get(&x->request->headers, login_cookie_name(x, LOGIN_COOKIE_CSRF), &cookie) &&
	       cookie.len == token.len && mem_equal_secret(cookie.at, token.at, token.len);
}
