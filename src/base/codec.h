#pragma once

/*
 * codec.h - base64 (RFC 4648, strict), hex, percent-encoding, HTML escaping
 *
 * Decoders accept exactly what the encoder writes: no blanks, no missing or excess padding, no
 * non-zero trailing bits. Output is appended to a buf, whose maximum bounds it. On failure the buf
 * is as before and -1 is returned.
 */

#include "base/buf.h"
#include "base/str.h"

enum base64_kind {
	BASE64_STANDARD,   /* section 4, padded */
	BASE64_URL,        /* section 5, not padded: JWS */
	BASE64_URL_PADDED, /* section 5, padded: signed URLs */
};

int base64_encode(struct buf *out, enum base64_kind kind, const void *data, size_t len);
int base64_decode(struct buf *out, enum base64_kind kind, struct str text);

/* Lower-case hexadecimal. */
int hex_encode(struct buf *out, const void *data, size_t len);
int hex_decode(struct buf *out, struct str text);

/* application/x-www-form-urlencoded as in protocol.md 3.2: A-Z a-z 0-9 - _ . ~ stay, space becomes
 * '+', everything else %XX in upper case. */
int query_escape(struct buf *out, struct str text);

/* '+' is a space; a broken %-sequence or a NUL byte is an error. */
int query_unescape(struct buf *out, struct str text);

/* & < > " ' become character references: safe in HTML text and quoted attributes. */
int html_escape(struct buf *out, struct str text);
