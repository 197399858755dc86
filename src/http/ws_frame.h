#pragma once

/*
 * ws_frame.h - frames of a WebSocket, pure (RFC 6455 section 5)
 *
 * Payload is handed out piece by piece as it comes, however long its frame or its message is: nothing of it is kept. Control
 * frames are put together first, which takes WS_CONTROL_MAX bytes and no allocation.
 *
 * Strict: no reserved bits (no extension was agreed upon), the shortest form of a length, masked by a client and by nobody
 * else, no message inside a message, control frames short and whole, codes and reasons of a close as section 7.4 and UTF-8
 * want them. No text: what tunnels carry is bytes (1003).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

#define WS_HEADER_MAX  14
#define WS_CONTROL_MAX 125
#define WS_MASK_LEN    4
#define WS_REASON_MAX  (WS_CONTROL_MAX - 2) /* of a close, behind the code */

enum ws_opcode {
	WS_CONTINUATION = 0,
	WS_TEXT = 1,
	WS_BINARY = 2,
	WS_CLOSE = 8,
	WS_PING = 9,
	WS_PONG = 10,
};

/* Section 7.4.1; those this product sends or tells apart. */
enum ws_close_code {
	WS_CLOSE_NORMAL = 1000,
	WS_CLOSE_GOING_AWAY = 1001,
	WS_CLOSE_PROTOCOL_ERROR = 1002,
	WS_CLOSE_UNSUPPORTED_DATA = 1003,
	WS_CLOSE_NO_STATUS = 1005, /* never sent: a close without a code */
	WS_CLOSE_POLICY = 1008,
	WS_CLOSE_INTERNAL_ERROR = 1011,
	WS_CLOSE_SERVICE_RESTART = 1012,
};

/* ---- writing ---- */

/* The header of a frame that is a whole message. mask NULL: not masked. Returns its length. */
size_t ws_frame_write_header(uint8_t out[WS_HEADER_MAX], enum ws_opcode opcode, uint64_t len,
			     const uint8_t *mask);

/* Section 5.3, its own inverse. at: how much of the payload went before. to may be from. */
void ws_mask(uint8_t *to, const uint8_t *from, size_t len, const uint8_t mask[WS_MASK_LEN],
	     uint64_t at);

/* ---- reading ---- */

struct ws_reader {
	bool expects_mask; /* set by the user: what is read comes from a client */
	bool is_in_message;
	bool is_in_frame; /* the header is complete */
	bool is_final;
	bool is_over; /* closed or broken */
	uint8_t opcode;
	uint8_t header_len;
	uint8_t control_len;
	uint8_t header[WS_HEADER_MAX];
	uint8_t mask[WS_MASK_LEN];
	uint8_t control[WS_CONTROL_MAX];
	uint64_t at;   /* in the payload of the frame */
	uint64_t left; /* of it */
};

enum ws_event {
	WS_EVENT_MORE,  /* data is used up */
	WS_EVENT_DATA,  /* a piece of payload, where it lies in data */
	WS_EVENT_EMPTY, /* a frame of data with nothing in it */
	WS_EVENT_PING,  /* with the payload that the pong has to repeat */
	WS_EVENT_PONG,
	WS_EVENT_CLOSED, /* nothing follows; see the code */
	WS_EVENT_BROKEN, /* nothing that follows can be told apart; the code is to be sent */
};

struct ws_bytes {
	uint8_t *at;
	size_t len;
};

/*
 * Takes bytes from the front of data, and unmasks them where they are. Ask again with what is left until MORE. The
 * payload is valid until the next call. After CLOSED and BROKEN: done.
 */
enum ws_event ws_read(struct ws_reader *r, struct ws_bytes *data, struct ws_bytes *ret_payload,
		      enum ws_close_code *ret_code, struct err *e);
