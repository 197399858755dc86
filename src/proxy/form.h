#pragma once

/*
 * form.h - the body of a POST as a form
 */

#include <stdbool.h>

#include "base/url.h"
#include "proxy/exchange.h"

/* Unescaped into the exchange's arena; false if it is not sent as a form, or is a broken one. */
bool form_read(struct exchange *x, struct query *ret);

/* The value of that name, or "" if there is none; false if there is more than one. */
bool form_get_once(const struct query *form, struct str name, struct str *ret_value);
