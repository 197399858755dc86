#pragma once

/*
 * jws.h - compact JSON Web Signatures with a shared key (RFC 7515, HS256 and nothing else)
 */

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

/* Longest token that is looked at. */
#define JWS_MAX 16384

/* Appends header.payload.signature; the header is exactly {"alg":"HS256","typ":"JWT"}. */
int jws_sign_hs256(struct str key, struct str payload, struct buf *out, struct err *e);

/* Appends the payload if the token is whole, says HS256 and carries the right signature. */
int jws_verify_hs256(struct str key, struct str token, struct buf *ret_payload, struct err *e);
