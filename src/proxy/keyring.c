#include "proxy/keyring.h"

#include <assert.h>

#include "base/mem.h"
#include "proxy/document_cache.h"

/* One rule for all that issuers publish. */
static_assert(KEYRING_REFETCH_S == DOCUMENT_REFETCH_S, "as keyring.h says");
static_assert(KEYRING_AGE_MAX_S == DOCUMENT_AGE_S, "as keyring.h says");
static_assert(KEYRING_STALE_MAX_S == DOCUMENT_STALE_S, "as keyring.h says");

struct keyring {
	struct document_cache *sets;
};

struct keyring_wait {
	struct document_wait *wait;
	void (*on_done)(void *arg, struct jwks *keys, const struct err *e);
	void *arg;
};

static int parse_set(const struct document_source *source, struct str text, void **ret,
		     struct err *e)
{
	struct jwks *keys;

	if (jwks_parse(text, &keys, e) < 0)
		return err_wrap(e, "the key set at %.*s", STR_FMT(str_first(source->url, 200)));
	*ret = keys;
	return 0;
}

static void *ref_set(void *document)
{
	return jwks_ref(document);
}

static void unref_set(void *document)
{
	jwks_unref(document);
}

static const struct document_kind set_kind = {
	.name = "the key set of the issuer",
	.text_max = JWKS_TEXT_MAX,
	.entries_max = KEYRING_SETS_MAX,
	.parse = parse_set,
	.ref = ref_set,
	.unref = unref_set,
};

struct keyring *keyring_new(struct loop *loop, struct fetcher *fetcher)
{
	struct keyring *k = mem_alloc(sizeof(*k));

	k->sets = document_cache_new(loop, fetcher, &set_kind);
	return k;
}

void keyring_free(struct keyring *k)
{
	if (!k)
		return;
	document_cache_free(TAKE(k->sets));
	mem_free(k);
}

struct jwks *keyring_find(struct keyring *k, struct str jwks_url)
{
	return document_cache_find(k->sets, jwks_url);
}

static void on_renewed(void *arg, const struct document_answer *answer)
{
	struct keyring_wait wait = *(struct keyring_wait *)arg;

	mem_free(arg);
	wait.on_done(wait.arg, answer->document, answer->error);
}

struct keyring_wait *keyring_renew(struct keyring *k, struct str jwks_url,
				   void (*on_done)(void *arg, struct jwks *keys,
						   const struct err *e),
				   void *arg)
{
	const struct document_source source = { .key = jwks_url, .url = jwks_url };
	struct keyring_wait *wait = mem_alloc(sizeof(*wait));

	wait->on_done = on_done;
	wait->arg = arg;
	wait->wait = document_cache_renew(k->sets, &source, on_renewed, wait);
	return wait;
}

void keyring_cancel(struct keyring_wait *wait)
{
	if (!wait)
		return;
	document_cache_cancel(TAKE(wait->wait));
	mem_free(wait);
}
