#pragma once

/*
 * idp_fake.h - an identity provider on the loop of the test, and the service that asks it
 *
 * The provider signs what the test has it say. The diary has what it was asked: "discovery keys token userinfo ".
 */

#include "proxy/idp_service.h"
#include "proxy/keyring.h"
#include "proxy/snapshot.h"
#include "jose/signing_key.h"
#include "tests/support/fetch_fixture.h"

#define IDP_FAKE_CLIENT "client-1"

/* What it answers there: status 0 is 200, NULL what a good provider says. */
struct idp_fake_answer {
	int status;
	const char *body;
};

struct idp_fake {
	struct fetch_fixture f;
	struct snapshot *snapshot;
	struct keyring *keyring;
	struct idp_service *idps;
	struct signing_keys *signer;    /* signs the id_tokens */
	struct signing_keys *published; /* the key set */

	struct idp_fake_answer discovery;
	struct idp_fake_answer keys;
	struct idp_fake_answer token;
	struct idp_fake_answer userinfo;
	bool is_silent;       /* answers nobody */
	bool has_no_userinfo; /* does not list it */
	bool rotates;         /* a new refresh token each time, and the old one is good no more */
	const char *nonce;    /* of the id_tokens */
	const char *subject;  /* likewise */
	const char *email;    /* of userinfo */
	unsigned generation;  /* of the refresh token "refresh-N" and the access token "access-N" */
	unsigned expires_in_s;
	bool has_refresh_without_id_token;
	char form[2048]; /* the last one sent to the token endpoint */

	unsigned done_count; /* of idp_fake_run() and idp_fake_start() */
	struct idp_call call;
};

/* settings: more lines of the configuration, or "". */
void idp_fake_init(struct idp_fake *i, const char *settings);
void idp_fake_done(struct idp_fake *i);

const struct idp *idp_fake_client(const struct idp_fake *i);

/* Other keys than before: published, and used for signing, each if asked for. */
struct signing_keys *idp_fake_keys(const char *name);
void idp_fake_sign_with(struct idp_fake *i, const char *name);
void idp_fake_publish(struct idp_fake *i, const char *name);

/* Begins i->call, whose verb and texts are set; what is missing is filled in. */
void idp_fake_start(struct idp_fake *i, enum idp_verb verb);
void idp_fake_wait(struct idp_fake *i);
void idp_fake_run(struct idp_fake *i, enum idp_verb verb);

/* Lets go of what the last call left. */
void idp_fake_forget(struct idp_fake *i);

/* Turns the loop until nobody asks anything; the clock moves by some milliseconds. */
void idp_fake_settle(struct idp_fake *i);

void idp_fake_expect(const struct idp_fake *i, enum idp_result result, const char *error_has);
