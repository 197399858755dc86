#pragma once

/*
 * session.h - who showed up here and until when that counts (protocol.md 3.8, 2.4)
 *
 * A login, a service account, or the token of a workload: all three are a session to whoever has to decide.
 *
 * Ownership  Immutable after creation, reference counted, shared by all threads. What changes (a refresh) is a new object
 *            with the same id.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/random.h"
#include "base/str.h"
#include "identity/identity.h"

enum session_kind {
	SESSION_LOGIN,
	SESSION_SERVICE_ACCOUNT,
	SESSION_WORKLOAD, /* lives as long as its token and is in no store */
};

#define SESSION_TAG_SIZE 32

struct session {
	enum session_kind kind;
	char id[UUID_TEXT_LEN + 1];
	struct str idp_id;      /* belongs to the session, like description */
	struct str description; /* of a service account */
	struct identity *who;
	int64_t issued_unix;
	int64_t expires_unix;     /* the absolute end; 0: never */
	int64_t valid_until_unix; /* not after expires_unix: earlier if the provider's word runs out and cannot be renewed; 0: never */
	uint64_t record_version;  /* given by the store */
	uint8_t credential_tag
		[SESSION_TAG_SIZE]; /* local_user_credential_tag() at the time of the login */
};

struct session_facts {
	enum session_kind kind;
	struct str id; /* "": a fresh random one */
	struct str idp_id;
	struct str description;
	struct identity *who; /* referenced */
	int64_t issued_unix;
	int64_t expires_unix;
	int64_t valid_until_unix;
	uint64_t record_version;
	uint8_t credential_tag[SESSION_TAG_SIZE];
};

struct session *session_new(const struct session_facts *facts) MUST_CHECK;
struct session *session_ref(struct session *s);

/* The same session, but for who it is of; who is referenced. */
struct session *session_with(const struct session *s, struct identity *who) MUST_CHECK;
void session_unref(struct session *s); /* NULL is ignored */

/* From valid_until_unix on. */
bool session_is_expired(const struct session *s, int64_t now_unix);
