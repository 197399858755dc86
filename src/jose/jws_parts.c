/*
 * jws_parts.c - three segments, none of them empty
 *
 * Refusing the empty ones here, once, stops both an unsigned token ("alg": "none" has an empty
 * signature) and a token without contents.
 */

#include "jose/jws_parts.h"

#include "jose/jws.h"

int jws_split(struct str token, struct jws_parts *ret, struct err *e)
{
	struct jws_parts parts = { 0 };
	struct str rest = token;

	if (token.len > JWS_MAX)
		return err_set(e, ERR_LIMIT, "the token is longer than %d bytes", JWS_MAX);
	if (!str_cut(&rest, '.', &parts.header) || !str_cut(&rest, '.', &parts.payload) ||
	    !str_cut(&rest, '.', &parts.signature) || rest.at)
		return err_set(e, ERR_PROTOCOL, "the token does not have three parts");
	if (!parts.header.len || !parts.payload.len || !parts.signature.len)
		return err_set(e, ERR_PROTOCOL, "a part of the token is empty");

	*ret = parts;
	return 0;
}
