#pragma once

/*
 * proxy_protocol.h - who is really connected, told in front of a connection (PROXY protocol, versions 1 and 2)
 *
 * Strict: one space between fields, addresses of the family that was named, ports without leading zeros, what follows the
 * addresses of version 2 a sequence of whole TLVs, and a CRC32c among them right. A header that names no TCP addresses
 * (UNKNOWN, LOCAL, families that are not for TCP over IP) is accepted: the addresses are then those of the socket.
 *
 * Nothing behind the header is touched: the parser says how many bytes may be read next.
 *
 * Threads    The reader: one loop. The rest is pure.
 * Limits     PROXY_HEADER_V1_MAX, PROXY_HEADER_V2_MAX bytes.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#define PROXY_HEADER_V1_MAX 107
#define PROXY_HEADER_V2_MAX 4096

struct loop;
struct stream;

struct proxy_header {
	bool has_addresses;
	struct addr source;      /* the client */
	struct addr destination; /* what the client connected to */
};

/* ---- reading ---- */

enum proxy_header_result {
	PROXY_HEADER_MORE, /* at least *ret_need bytes are missing, and none of these is behind the header */
	PROXY_HEADER_COMPLETE, /* the data is the header, to its last byte */
	PROXY_HEADER_BAD,
};

/* data: everything so far, read as the needs told; empty at first. */
enum proxy_header_result proxy_header_parse(struct str data, struct proxy_header *ret,
					    size_t *ret_need, struct err *e);

struct proxy_header_reader;

/*
 * Reads the header from a stream. on_done runs once, later: with the header, or with NULL and why there is none. The
 * stream stays the caller's, who gives it its next owner then; ERR_CLOSED: it ended or was reset before its first byte. due_ms 0: no limit.
 */
struct proxy_header_reader *proxy_header_read_start(
	struct loop *loop, struct stream *stream, uint64_t due_ms,
	void (*on_done)(void *arg, const struct proxy_header *header, const struct err *e),
	void *arg);

/* Gives up; before the stream is closed. on_done will not run. NULL is ignored. */
void proxy_header_read_cancel(struct proxy_header_reader *r);

/* ---- writing ---- */

/*
 * Append a header. Without addresses: UNKNOWN, LOCAL. Addresses of different families, and IPv4-mapped ones, are written so
 * that both are of one family. -1 if out has no room.
 */
int proxy_header_write_v1(struct buf *out, const struct proxy_header *header);
int proxy_header_write_v2(struct buf *out, const struct proxy_header *header);
