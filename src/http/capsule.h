#pragma once

/*
 * capsule.h - UDP packets in a byte stream: DATAGRAM capsules, pure (RFC 9297 section 3, RFC 9298 section 5)
 *
 *	capsule  = type (varint) length (varint) value
 *	value    = context id (varint) packet        of type DATAGRAM
 *
 * Only packets of context 0 are written and delivered: what the reference's client understands (protocol.md 1.10.2). Other types
 * and contexts are passed over, whatever their length, without being kept.
 *
 * Errors     ERR_PROTOCOL: what comes afterwards cannot be told apart any more.
 * Limits     One packet of at most CAPSULE_PACKET_MAX bytes is kept until its rest has come; none between packets.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#define CAPSULE_PACKET_MAX 65527 /* RFC 9298 section 5 */
#define CAPSULE_HEADER_MAX 6 /* in front of a packet: type, length of up to four bytes, context */
#define VARINT_MAX_LEN     8

/* RFC 9000 section 16, in the shortest form. value < 2^62. Returns the length. */
size_t varint_write(uint8_t out[VARINT_MAX_LEN], uint64_t value);

/* What stands in front of a packet of that length (at most CAPSULE_PACKET_MAX). Returns its length. */
size_t capsule_write_header(uint8_t out[CAPSULE_HEADER_MAX], size_t packet_len);

/* Zero is one that has read nothing. */
struct capsule_reader {
	unsigned step;           /* private */
	unsigned varint_missing; /* bytes of the number that is being read */
	uint64_t varint;
	uint64_t type;
	uint64_t left;      /* bytes of the capsule's value still to come */
	struct buf partial; /* of a packet whose rest has not come */
	bool is_delivered;  /* partial is what was returned last */
};

enum capsule_read {
	CAPSULE_MORE,   /* data is used up */
	CAPSULE_PACKET, /* there is one; ask again with what is left of data */
	CAPSULE_BROKEN,
};

/* Takes bytes from the front of data. The packet is valid until the next call, or data goes. After BROKEN: done. */
enum capsule_read capsule_read(struct capsule_reader *r, struct str *data, struct str *ret_packet,
			       struct err *e);

void capsule_reader_done(struct capsule_reader *r);
