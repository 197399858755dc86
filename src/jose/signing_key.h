#pragma once

/*
 * signing_key.h - the keys that sign identity assertions (protocol.md 0, 4.3, 5)
 *
 * Ownership  Immutable after creation, reference counted, shared by all threads.
 */

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#define SIGNING_KEYS_MAX 16

struct signing_keys;

/* P-256, derived from the shared secret: what stands in when no key is configured. */
int signing_keys_derive(struct str shared_key, struct signing_keys **ret, struct err *e);

/* PEM private keys, one behind the other: EC P-256 (ES256) or RSA from 2048 bits (RS256). The first signs. */
int signing_keys_parse(struct str pem, struct signing_keys **ret, struct err *e);

struct signing_keys *signing_keys_ref(struct signing_keys *keys);
void signing_keys_unref(struct signing_keys *keys); /* NULL is ignored */

/* Appends header.payload.signature; the header is exactly {"alg":…,"kid":…,"typ":"JWT"}. */
int signing_keys_sign(const struct signing_keys *keys, struct str payload, struct buf *out,
		      struct err *e);

/* Appends {"keys":[…]} as in protocol.md 4.3, all of them. */
void signing_keys_write_jwks(const struct signing_keys *keys, struct buf *out);
