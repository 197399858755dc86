#pragma once

/*
 * service_account.h - the token of a service account from the command line or from a file
 */

#include "base/buf.h"
#include "base/err.h"

/* Appends the token without surrounding blanks; nothing if neither is given. text wins. ret_token: at most TOKEN_MAX. */
int service_account_read(const char *text, const char *path, struct buf *ret_token, struct err *e);

/* Makes an argument that was read unreadable for ps, as far as that can still be done. NULL is ignored. */
void service_account_hide(const char *text);
