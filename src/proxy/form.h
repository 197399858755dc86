#pragma once

/*
 * form.h - the body of a POST as a form
 */

#include <stdbool.h>

#include "base/url.h"
#include "proxy/exchange.h"

/* Unescaped into the exchange's arena; false if it is not sent as a form, or is a broken one. */
bool form_read(struct exchange *x, struct query *ret);
