/*
 * jws_peek.c - apart from jws.c, so that a program that only peeks does not link the JOSE library
 */

#include "jose/jws.h"

#include "base/codec.h"
#include "jose/jws_parts.h"

int jws_peek_payload(struct str token, struct buf *ret_payload, struct err *e)
{
	struct jws_parts parts;

	if (jws_split(token, &parts, e))
		return -1;
	if (base64_decode(ret_payload, BASE64_URL, parts.payload))
		return err_set(e, ERR_PROTOCOL, "the payload of the token is not base64url");
	return 0;
}
