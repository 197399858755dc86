#include "tests/support/store_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#define SHARED_KEY STR("0123456789abcdef0123456789abcdef")

struct store *store_support_open_memory(void)
{
	const struct store_options options = { .type = STORE_MEMORY, .shared_key = SHARED_KEY };
	struct store *store = NULL;
	struct err e = { 0 };

	if (store_open(&options, &store, &e) < 0)
		fail_msg("%s", e.text);
	return store;
}

static void run(struct store *store, struct store_call *call)
{
	store_run(store, call);
	if (call->result == STORE_UNAVAILABLE)
		fail_msg("%s", call->error.text);
}

static enum record_kind kind_of(const struct session *session)
{
	return session->kind == SESSION_SERVICE_ACCOUNT ? RECORD_SERVICE_ACCOUNT : RECORD_SESSION;
}

void store_support_put(struct store *store, struct session *session,
		       const struct session_secrets *secrets)
{
	struct store_call call = { .verb = STORE_PUT, .kind = kind_of(session) };

	call.item.session = session_ref(session);
	call.item.secrets = secrets ? session_secrets_new(secrets) : NULL;
	run(store, &call);
	assert_int_equal(call.result, STORE_DONE);
	store_call_done(&call);
}

/* Tries it with both kinds that have a session. True if it was done with one. */
static bool run_for_either(struct store *store, struct store_call *call, enum store_verb verb,
			   const char *id)
{
	static const enum record_kind kinds[] = { RECORD_SESSION, RECORD_SERVICE_ACCOUNT };

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		*call = (struct store_call){ .verb = verb, .kind = kinds[i] };
		(void)snprintf(call->key, sizeof(call->key), "%s", id);
		run(store, call);
		if (call->result == STORE_DONE)
			return true;
		assert_int_equal(call->result, STORE_ABSENT);
	}
	return false;
}

struct session *store_support_get(struct store *store, const char *id)
{
	struct store_call call;
	struct session *session = NULL;

	if (run_for_either(store, &call, STORE_GET, id))
		session = session_ref(call.item.session);
	store_call_done(&call);
	return session;
}

bool store_support_remove(struct store *store, const char *id)
{
	struct store_call call;
	bool was_there = run_for_either(store, &call, STORE_REMOVE, id);

	store_call_done(&call);
	return was_there;
}

void store_support_purge(struct store *store, int64_t now_unix)
{
	struct store_call call = { .verb = STORE_PURGE, .now_unix = now_unix };

	do {
		run(store, &call);
		assert_int_equal(call.result, STORE_DONE);
	} while (call.has_more);
}

size_t store_support_count(struct store *store, enum record_kind kind)
{
	struct store_call call = { .verb = STORE_LIST, .kind = kind };
	size_t count = 0;

	do {
		run(store, &call);
		assert_int_equal(call.result, STORE_DONE);
		count += call.found_count;
		store_call_done(&call);
	} while (call.has_more);
	return count;
}

struct session *store_support_session(const char *user_id, int64_t expires_unix)
{
	struct identity *who = identity_new(&(struct identity){ .user_id = str_from(user_id) });
	struct session *session = session_new(&(struct session_facts){
		.who = who,
		.issued_unix = 1000,
		.expires_unix = expires_unix,
		.valid_until_unix = expires_unix,
	});

	identity_unref(who);
	return session;
}
