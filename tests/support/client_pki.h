#pragma once

/*
 * client_pki.h - certificates of every kind for tests about clients: good ones, and ones with a single flaw
 *
 * Times are those of the test; the keys are P-256.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/x509.h>

#include "base/buf.h"

#define TEST_PKI_PEM_MAX 131072
#define TEST_PKI_YEAR_S  (365 * 86400LL)

struct test_issued {
	X509 *certificate;
	EVP_PKEY *key;
};

struct test_draft {
	const char *name;                 /* common name */
	const struct test_issued *issuer; /* NULL: itself */
	bool is_ca;
	const char *purpose; /* "clientAuth"; NULL: any */
	const char *names;   /* "DNS:a.example,email:ada@example.com,IP:192.0.2.1"; NULL: none */
	int64_t from_unix;   /* both 0: test_pki_now() and a year */
	int64_t until_unix;
	bool is_weak; /* signed with SHA-1 */
};

/* The time of these tests. */
int64_t test_pki_now(void);

void test_issue(struct test_issued *ret, const struct test_draft *draft);
void test_issued_done(struct test_issued *issued);

/* Appends in PEM form. */
void test_issued_write(const struct test_issued *issued, struct buf *to);
void test_issued_write_key(const struct test_issued *issued, struct buf *to);

/* A list of the issuer that revokes these, in force from then until then; appended in PEM form. */
struct test_list {
	const struct test_issued *issuer;
	const struct test_issued *const *revoked; /* NULL-terminated */
	const struct test_issued *signer;         /* NULL: the issuer */
	int64_t from_unix;                        /* both 0: in force */
	int64_t until_unix;
};

void test_list_write(const struct test_list *list, struct buf *to);
