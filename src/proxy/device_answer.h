#pragma once

/*
 * device_answer.h - what programs are told at the endpoints of the device login (RFC 6749 section 5.2, RFC 8628 section 3.5)
 *
 * All functions answer the exchange with JSON that nobody keeps, and return STEP_DONE.
 */

#include "base/buf.h"
#include "proxy/exchange.h"

enum device_error {
	DEVICE_INVALID_REQUEST,
	DEVICE_UNSUPPORTED_GRANT_TYPE,
	DEVICE_INVALID_GRANT,
	DEVICE_AUTHORIZATION_PENDING,
	DEVICE_SLOW_DOWN,
	DEVICE_ACCESS_DENIED,
	DEVICE_EXPIRED_TOKEN,
};

enum step device_answer_error(struct exchange *x, enum device_error error);

/* 429 with slow_down: there have been too many. */
enum step device_answer_too_many(struct exchange *x, unsigned wait_s);

/* Empties the buffer, wiping what was in it. */
enum step device_answer_json(struct exchange *x, struct buf *json);
