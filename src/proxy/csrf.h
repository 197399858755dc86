#pragma once

/*
 * csrf.h - our forms are ours, and sent by whoever saw them
 *
 * Each form carries the token of its browser's CSRF cookie. Results live in the exchange's arena.
 */

#include <stdbool.h>

#include "base/str.h"
#include "proxy/exchange.h"

/* The token the browser already has, or a new one: for the form, and for csrf_cookie(). */
struct str csrf_token(struct exchange *x);

/* Whether a form with that token comes from a page of this host, sent by the browser it was made for. */
bool csrf_is_right(struct exchange *x, struct str token);
