#pragma once

/*
 * pem_keys.h - private keys in PEM form, one behind the other; private to jose/
 */

#include <openssl/types.h>

#include "base/err.h"
#include "base/str.h"

/*
 * Takes the next private key off *rest; none, and NULL, at the end. Encrypted keys and all that is not a private key are
 * refused; only the parameters that "openssl ecparam" writes in front of its key are skipped.
 */
int pem_keys_next(struct str *rest, EVP_PKEY **ret, struct err *e);

/* RFC 5915, 8017 or 5958, with nothing behind it; else NULL. */
EVP_PKEY *pem_key_from_der(struct str der);
