/*
 * fuzz_workload_discovery.c - an input is taken as what issuers of machines' tokens say of themselves, and as an issuer
 *
 * Properties: what was accepted has its keys at a URL without a password, protected as well as the issuer; what was refused
 * has a reason, and leaves nothing; the address of a discovery document begins with its issuer, and a buffer that
 * cannot take it stays as it was.
 */

#include <assert.h>

#include "base/url.h"
#include "identity/workload_discovery.h"
#include "tests/fuzz/fuzz.h"

#define PATH    "/.well-known/openid-configuration"
#define FEW     64
#define PLENTY  (1 << 20)
#define PATTERN "before"

static void check_jwks_url(struct str text, bool allow_http)
{
	struct url url;
	struct err e;

	assert(url_parse(text, &url, &e) == 0);
	assert(str_equal_nocase(url.scheme, STR("https")) ||
	       (allow_http && str_equal_nocase(url.scheme, STR("http"))));
	assert(str_find(url.authority.text, '@') == url.authority.text.len);
}

static void check_document(struct str issuer, struct str text)
{
	struct workload_discovery *d = NULL;
	struct err e = { 0 };

	if (workload_discovery_parse(issuer, text, &d, &e) < 0) {
		assert(!d && e.text[0]);
		return;
	}
	check_jwks_url(d->jwks_url, str_starts_with(issuer, STR("http:")));
	workload_discovery_unref(workload_discovery_ref(d));
	workload_discovery_unref(d);
}

static void check_url(struct str issuer, size_t room)
{
	struct buf out = BUF_INIT(room);
	struct str url;

	assert(buf_append_str(&out, STR(PATTERN)) == 0);
	url = workload_discovery_url(issuer, &out);
	if (url.len) {
		assert(str_ends_with(url, STR(PATH)));
		assert(str_starts_with(issuer, str_first(url, url.len - STR(PATH).len)));
		assert(out.len == STR(PATTERN).len + url.len);
	} else {
		assert(issuer.len + STR(PATTERN PATH).len > room);
		assert(str_equal(buf_view(&out), STR(PATTERN)));
	}
	buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str input = str_of(data, size);

	check_document(STR("https://issuer.example.com"), input);
	check_document(STR("http://127.0.0.1:9000"), input);
	check_document(STR(""), input);
	check_url(input, FEW);
	check_url(input, PLENTY);
	return 0;
}
