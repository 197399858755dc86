#pragma once

/*
 * jws_parts.h - the three segments of a compact JSON Web Signature
 *
 * Views into the token, still encoded.
 */

#include "base/err.h"
#include "base/str.h"

struct jws_parts {
	struct str header;
	struct str payload;
	struct str signature;
};

/* Refuses tokens above JWS_MAX and everything but three segments that are not empty. */
int jws_split(struct str token, struct jws_parts *ret, struct err *e);
