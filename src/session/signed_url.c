/*
 * signed_url.c - the MAC covers the canonical form, so a verifier need not see the signer's
 * spelling
 *
 * Signing and verifying build the same text, base "?" canonical query, and append both times to
 * it for the MAC. The scheme is not known to a verifier behind a TLS listener; it is always
 * https.
 */

#include "session/signed_url.h"

#include <assert.h>

#include "base/codec.h"
#include "base/mem.h"
#include "jose/mac.h"

#define NAME_ISSUED    STR("pomerium_issued")
#define NAME_EXPIRY    STR("pomerium_expiry")
#define NAME_SIGNATURE STR("pomerium_signature")

/* Escaping makes up to three bytes of one. */
#define CANONICAL_MAX (4 * URL_MAX)

/* The decimal form of an int64_t with a NUL, and a MAC in base64. */
#define DECIMAL_MAX   21
#define SIGNATURE_MAX 44

struct stamps {
	struct str issued;
	struct str expiry;
};

static int compute_mac(struct str key, struct str canonical_url, const struct stamps *stamps,
		       uint8_t mac[HMAC_SHA512_256_SIZE], struct err *e)
{
	_cleanup_(buf_done_secret) struct buf input = BUF_INIT(CANONICAL_MAX + 2 * DECIMAL_MAX);

	(void)buf_append_str(&input, canonical_url); /* looked at once, below */
	(void)buf_append_str(&input, stamps->issued);
	(void)buf_append_char(&input, ' ');
	(void)buf_append_str(&input, stamps->expiry);
	if (input.is_overflown)
		return err_set(e, ERR_LIMIT, "the signed URL is too long");
	hmac_sha512_256(key, buf_view(&input), mac);
	return 0;
}

static int append_query(const struct query *q, struct buf *url, struct err *e)
{
	(void)buf_append_char(url, '?'); /* looked at with the next piece */
	if (query_format_canonical(q, url) || url->is_overflown)
		return err_set(e, ERR_LIMIT, "the signed URL is too long");
	return 0;
}

static void remove_stamps(struct query *q)
{
	query_remove(q, NAME_ISSUED);
	query_remove(q, NAME_EXPIRY);
	query_remove(q, NAME_SIGNATURE);
}

/* The parameters to be signed, and the times among them, as text in the caller's storage. */
static int stamp(const struct query *params, int64_t now_unix, char issued[DECIMAL_MAX],
		 char expiry[DECIMAL_MAX], struct query *ret, struct err *e)
{
	int64_t expiry_unix;

	if (now_unix < 0 || __builtin_add_overflow(now_unix, SIGNED_URL_LIFETIME_S, &expiry_unix))
		return err_set(e, ERR_SYSTEM, "the clock is wrong");
	(void)snprintf(issued, DECIMAL_MAX, "%lld", (long long)now_unix); /* fits */
	(void)snprintf(expiry, DECIMAL_MAX, "%lld", (long long)expiry_unix);
	*ret = *params;
	remove_stamps(ret);
	if (ret->count + 3 > QUERY_PARAMS_MAX)
		return err_set(e, ERR_LIMIT, "too many parameters for a signed URL");
	query_add(ret, NAME_ISSUED, str_from(issued));
	query_add(ret, NAME_EXPIRY, str_from(expiry));
	return 0;
}

int signed_url_sign(struct str key, struct str base, const struct query *params, int64_t now_unix,
		    struct buf *out, struct err *e)
{
	_cleanup_(buf_done_secret) struct buf url = BUF_INIT(CANONICAL_MAX);
	_cleanup_(buf_done_secret) struct buf signature = BUF_INIT(SIGNATURE_MAX);
	uint8_t mac[HMAC_SHA512_256_SIZE];
	char issued[DECIMAL_MAX];
	char expiry[DECIMAL_MAX];
	struct query q;

	if (stamp(params, now_unix, issued, expiry, &q, e))
		return -1;
	(void)buf_append_str(&url, base); /* looked at with the query */
	if (append_query(&q, &url, e))
		return -1;
	struct stamps stamps = { .issued = str_from(issued), .expiry = str_from(expiry) };
	if (compute_mac(key, buf_view(&url), &stamps, mac, e))
		return -1;

	(void)base64_encode(&signature, BASE64_URL_PADDED, mac, sizeof(mac)); /* fits */
	query_add(&q, NAME_SIGNATURE, buf_view(&signature));
	buf_truncate(&url, base.len);
	if (append_query(&q, &url, e))
		return -1;
	if (url.len > URL_MAX || buf_append_str(out, buf_view(&url)))
		return err_set(e, ERR_LIMIT, "the signed URL is too long");
	return 0;
}

/* The value of a parameter that must be there once: two would leave open which one counts. */
static int get_only(const struct query *q, struct str name, struct str *ret, struct err *e)
{
	size_t found = 0;

	for (size_t i = 0; i < q->count; i++) {
		if (!str_equal(q->items[i].name, name))
			continue;
		*ret = q->items[i].value;
		found++;
	}
	if (!found)
		return err_set(e, ERR_PROTOCOL, "signed URL: %.*s is missing", STR_FMT(name));
	if (found > 1)
		return err_set(e, ERR_PROTOCOL, "signed URL: %.*s is there twice", STR_FMT(name));
	return 0;
}

/* Plain decimal, as a signer writes it. */
static int parse_time(struct str text, struct str name, int64_t *ret, struct err *e)
{
	uint64_t value;

	if (!str_to_uint64(text, &value) || value > INT64_MAX ||
	    (text.len > 1 && text.at[0] == '0'))
		return err_set(e, ERR_PROTOCOL, "signed URL: %.*s is malformed", STR_FMT(name));
	*ret = (int64_t)value;
	return 0;
}

/* Neither side can overflow: times are not negative, and the leeway is put where there is room. */
static int check_times(const struct stamps *stamps, int64_t now_unix, struct err *e)
{
	int64_t issued;
	int64_t expiry;

	if (now_unix < 0)
		return err_set(e, ERR_SYSTEM, "the clock is wrong");
	if (parse_time(stamps->issued, NAME_ISSUED, &issued, e) ||
	    parse_time(stamps->expiry, NAME_EXPIRY, &expiry, e))
		return -1;
	if (now_unix - SIGNED_URL_LEEWAY_S > expiry)
		return err_set(e, ERR_PROTOCOL, "signed URL: expired");
	if (now_unix < issued - SIGNED_URL_LEEWAY_S)
		return err_set(e, ERR_PROTOCOL, "signed URL: issued in the future");
	return 0;
}

/*
 * Nothing of what was received may shift the borders between the parts of the text that is
 * signed.
 */
static int check_parts(struct str authority, struct str path, struct err *e)
{
	struct authority ignored;

	if (authority_parse(authority, false, &ignored, e))
		return err_wrap(e, "signed URL");
	if (path.len > URL_MAX || (path.len && path.at[0] != '/') ||
	    str_find(path, '?') < path.len || str_find(path, '#') < path.len)
		return err_set(e, ERR_PROTOCOL, "signed URL: the path is malformed");
	return 0;
}

static int append_base(struct str authority, struct str path, struct buf *url)
{
	(void)buf_append_str(url, STR("https://")); /* looked at with the last piece */
	(void)buf_append_str(url, authority);
	return buf_append_str(url, path);
}

static int check_mac(struct str key, struct str canonical_url, const struct stamps *stamps,
		     struct str signature, struct err *e)
{
	_cleanup_(buf_done) struct buf given = BUF_INIT(HMAC_SHA512_256_SIZE);
	uint8_t mac[HMAC_SHA512_256_SIZE];
	bool is_equal;

	if (base64_decode(&given, BASE64_URL_PADDED, signature) || given.len != sizeof(mac))
		return err_set(e, ERR_PROTOCOL, "signed URL: pomerium_signature is malformed");
	if (compute_mac(key, canonical_url, stamps, mac, e))
		return -1;
	is_equal = mem_equal_secret(mac, given.data, sizeof(mac));
	/* The right signature of a forged URL is as good as the key, for that URL. */
	mem_wipe(mac, sizeof(mac));
	return is_equal ? 0 : err_set(e, ERR_CRYPTO, "signed URL: wrong signature");
}

int signed_url_verify(struct str key, const struct signed_url_parts *url, int64_t now_unix,
		      struct arena *arena, struct query *ret, struct err *e)
{
	_cleanup_(buf_done_secret) struct buf canonical = BUF_INIT(CANONICAL_MAX);
	struct stamps stamps;
	struct str signature;
	struct query q;

	if (check_parts(url->authority, url->path, e))
		return -1;
	if (query_parse(url->query, arena, &q, e))
		return err_wrap(e, "signed URL");
	if (get_only(&q, NAME_SIGNATURE, &signature, e) ||
	    get_only(&q, NAME_ISSUED, &stamps.issued, e) ||
	    get_only(&q, NAME_EXPIRY, &stamps.expiry, e) || check_times(&stamps, now_unix, e))
		return -1;

	query_remove(&q, NAME_SIGNATURE);
	if (append_base(url->authority, url->path, &canonical) || append_query(&q, &canonical, e))
		return err_set(e, ERR_LIMIT, "the signed URL is too long");
	if (check_mac(key, buf_view(&canonical), &stamps, signature, e))
		return -1;
	remove_stamps(&q);
	*ret = q;
	return 0;
}
