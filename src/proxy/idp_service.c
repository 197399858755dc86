/*
 * A work is in the table from its start until its call has been told. It ends in one function, which lets go of whatever
 * it waits for; the call is told at the end of that turn, never from inside. Discovery documents are shared by all.
 */

#include "proxy/idp_service.h"

#include <assert.h>

#include "base/clock.h"
#include "base/mem.h"
#include "identity/workload_discovery.h"
#include "proxy/document_cache.h"
#include "proxy/idp_work.h"
#include "proxy/snapshot.h"

#define IDP_METADATA_MAX 4096
#define IDP_ISSUERS_MAX  1024

static_assert(IDP_METADATA_AGE_S == DOCUMENT_AGE_S, "as idp_service.h says");

/* ---- metadata ---- */

static int parse_metadata(const struct document_source *source, struct str text, void **ret,
			  struct err *e)
{
	const struct oidc_client client = { .provider = source->about, .url = source->text };
	struct oidc_metadata *metadata;

	if (oidc_metadata_parse(&client, text, &metadata, e) < 0)
		return -1;
	*ret = metadata;
	return 0;
}

static void *ref_metadata(void *document)
{
	return oidc_metadata_ref(document);
}

static void unref_metadata(void *document)
{
	oidc_metadata_unref(document);
}

static const struct document_kind metadata_kind = {
	.name = "the discovery document of the identity provider",
	.text_max = OIDC_METADATA_TEXT_MAX,
	.entries_max = IDP_METADATA_MAX,
	.parse = parse_metadata,
	.ref = ref_metadata,
	.unref = unref_metadata,
};

struct oidc_metadata *idp_service_metadata(struct idp_service *s, const struct idp *idp)
{
	const struct provider *provider = idp->client.provider;

	if (!provider || provider->kind == PROVIDER_LOCAL)
		return NULL;
	if (provider->kind == PROVIDER_GITHUB)
		return oidc_metadata_fixed(&idp->client);
	return document_cache_find(s->metadata, str_from(idp->id));
}

/* ---- issuers of machines' tokens ---- */

static int parse_issuer(const struct document_source *source, struct str text, void **ret,
			struct err *e)
{
	struct workload_discovery *discovery;

	if (workload_discovery_parse(source->text, text, &discovery, e) < 0)
		return err_wrap(e, "the discovery document of the issuer");
	*ret = discovery;
	return 0;
}

static void *ref_issuer(void *document)
{
	return workload_discovery_ref(document);
}

static void unref_issuer(void *document)
{
	workload_discovery_unref(document);
}

static const struct document_kind issuer_kind = {
	.name = "the discovery document of the issuer",
	.text_max = OIDC_METADATA_TEXT_MAX,
	.entries_max = IDP_ISSUERS_MAX,
	.parse = parse_issuer,
	.ref = ref_issuer,
	.unref = unref_issuer,
};

/* ---- the end ---- */

static void let_go(struct idp_work *w)
{
	timer_cancel(&w->deadline);
	fetch_cancel(TAKE(w->fetch));
	document_cache_cancel(TAKE(w->metadata_wait));
	keyring_cancel(TAKE(w->keys.wait));
}

static void tell(struct idp_work *w)
{
	struct idp_service *s = w->service;
	struct idp_call *call = w->call;

	assert(w->is_over);
	list_remove(&w->node);
	s->work_count--;
	call->work = NULL;
	session_secrets_free(TAKE(w->fresh));
	oidc_metadata_unref(TAKE(w->metadata));
	arena_done(&w->arena);
	loop_free_later(s->loop, w);
	call->on_done(call);
}

static void tell_later(struct later *later)
{
	tell(container_of(later, struct idp_work, later));
}

void idp_work_end(struct idp_work *w, enum idp_result result)
{
	assert(!w->is_over);
	let_go(w);
	w->is_over = true;
	w->call->result = result;
	if (result != IDP_DONE)
		identity_unref(TAKE(w->call->who));
	later_start(&w->later, w->service->loop, tell_later);
}

void idp_work_refuse(struct idp_work *w, const char *why)
{
	(void)err_set(&w->call->error, ERR_PROTOCOL, "%s", why);
	idp_work_end(w, IDP_REFUSED);
}

/* From outside, whatever it is doing. */
static void interrupt(struct idp_work *w)
{
	bool is_rescued = w->call->verb == IDP_RENEW && idp_renew_rescue(w);

	idp_work_end(w, is_rescued ? IDP_DONE : IDP_UNAVAILABLE);
}

static void on_deadline(struct timer *timer)
{
	struct idp_work *w = container_of(timer, struct idp_work, deadline);

	(void)err_set(&w->call->error, ERR_TIMEOUT,
		      "the identity provider did not answer within %d seconds",
		      IDP_CALL_TIMEOUT_MS / 1000);
	interrupt(w);
}

/* ---- the beginning ---- */

static void begin(struct idp_work *w)
{
	switch (w->call->verb) {
	case IDP_LEARN:
		idp_work_end(w, IDP_DONE);
		return;
	case IDP_LOGIN:
		idp_login_begin(w);
		return;
	case IDP_RENEW:
		idp_renew_begin(w);
		return;
	case IDP_REVOKE:
		idp_revoke_begin(w);
		return;
	case IDP_CHECK_ACCESS_TOKEN:
		idp_check_begin(w);
		return;
	case IDP_CHECK_ID_TOKEN:
		idp_id_token_begin(w);
		return;
	case IDP_CHECK_WORKLOAD:
		idp_workload_begin(w);
		return;
	}
}

static void on_metadata(void *arg, const struct document_answer *answer)
{
	struct idp_work *w = arg;
	/* A session that is there already does not end because of that. */
	bool is_refusal = answer->is_nonsense && w->call->verb != IDP_RENEW;

	w->metadata_wait = NULL;
	if (!answer->document) {
		w->call->error = *answer->error;
		idp_work_end(w, is_refusal ? IDP_REFUSED : IDP_UNAVAILABLE);
		return;
	}
	w->metadata = oidc_metadata_ref(answer->document);
	begin(w);
}

static void learn(struct idp_work *w)
{
	const struct idp *idp = w->call->idp;
	struct buf url = BUF_INIT(2 * URL_MAX);
	struct document_source source = {
		.key = str_from(idp->id),
		.url = oidc_discovery_url(&idp->client, &url),
		.about = idp->client.provider,
		.text = idp->client.url,
	};

	w->metadata_wait = document_cache_renew(w->service->metadata, &source, on_metadata, w);
	buf_done(&url);
}

static void start(struct idp_work *w)
{
	const struct provider *provider = w->call->idp->client.provider;

	if (w->call->verb == IDP_CHECK_WORKLOAD) { /* the provider has no part in it */
		begin(w);
		return;
	}
	if (!provider || provider->kind == PROVIDER_LOCAL) {
		idp_work_refuse(w, "no external identity provider is configured");
		return;
	}
	w->metadata = idp_service_metadata(w->service, w->call->idp);
	if (w->metadata)
		begin(w);
	else
		learn(w);
}

void idp_service_start(struct idp_service *s, struct idp_call *call)
{
	struct idp_work *w = mem_alloc(sizeof(*w));
	bool is_full = s->work_count >= IDP_CALLS_MAX;

	w->service = s;
	w->call = call;
	call->work = w;
	list_append(&s->works, &w->node);
	s->work_count++;
	if (is_full) {
		(void)err_set(&call->error, ERR_LIMIT,
			      "more than %d conversations with identity providers at a time",
			      IDP_CALLS_MAX);
		idp_work_end(w, IDP_UNAVAILABLE);
		return;
	}
	timer_start(&w->deadline, s->loop, clock_now_ms() + IDP_CALL_TIMEOUT_MS, on_deadline);
	start(w);
}

void idp_call_done(struct idp_call *call)
{
	arena_done(&call->arena);
	identity_unref(TAKE(call->old_who));
	identity_unref(TAKE(call->who));
	session_secrets_free(TAKE(call->secrets));
	snapshot_unref(TAKE(call->snapshot));
}

/* ---- the service ---- */

struct idp_service *idp_service_new(struct loop *loop, struct fetcher *fetcher,
				    struct keyring *keyring)
{
	struct idp_service *s = mem_alloc(sizeof(*s));

	s->loop = loop;
	s->fetcher = fetcher;
	s->keyring = keyring;
	s->metadata = document_cache_new(loop, fetcher, &metadata_kind);
	s->issuers = document_cache_new(loop, fetcher, &issuer_kind);
	list_init(&s->works);
	return s;
}

static void shut_down(struct idp_work *w)
{
	if (!w->is_over) {
		(void)err_set(&w->call->error, ERR_CLOSED, "shutting down");
		interrupt(w);
	}
	later_cancel(&w->later);
	tell(w);
}

void idp_service_free(struct idp_service *s)
{
	struct list_node *node;

	if (!s)
		return;
	while ((node = list_first(&s->works)) != NULL)
		shut_down(container_of(node, struct idp_work, node));
	document_cache_free(TAKE(s->metadata));
	document_cache_free(TAKE(s->issuers));
	mem_free(s);
}
