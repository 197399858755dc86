#pragma once

/*
 * postgres_string.h - is it a connection string?
 *
 * Private to session/.
 */

#include "base/err.h"

/* What libpq takes, unless a part of the password has come to stand where error texts would show it. */
int postgres_string_check(const char *connection, struct err *e);
