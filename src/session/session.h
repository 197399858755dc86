#pragma once

/*
 * session.h - the record of a login (protocol.md 3.8)
 *
 * Ownership  Immutable after creation, reference counted, shared by all threads.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/random.h"
#include "base/str.h"
#include "identity/identity.h"

struct session {
	char id[UUID_TEXT_LEN + 1];
	struct str idp_id; /* belongs to the session */
	struct identity *who;
	int64_t issued_unix;
	int64_t expires_unix;
	uint64_t record_version;    /* given by the store */
	uint8_t credential_tag[32]; /* local_user_credential_tag() at the time of the login */
};

struct session_facts {
	struct str idp_id;
	struct identity *who; /* referenced */
	int64_t issued_unix;
	int64_t expires_unix;
	uint8_t credential_tag[32];
};

/* With a fresh random id. */
struct session *session_new(const struct session_facts *facts) MUST_CHECK;
struct session *session_ref(struct session *s);
void session_unref(struct session *s); /* NULL is ignored */

/* From expires_unix on. */
bool session_is_expired(const struct session *s, int64_t now_unix);
