/*
 * fuzz_client_ca.c - client CAs, revocation lists and what clients show
 *
 * Input: three PEM texts with a line "=" between them: CAs, revocation lists, a client's certificates. Properties: what is
 * refused has a reason, a verdict is the same twice, and the strict accept nothing that the others do not.
 */

#include "tls/client_ca.h"

#include <assert.h>

#include "tests/fuzz/fuzz.h"
#include "tls/client_ca_x509.h"

#define NOW_UNIX 1800000000

static struct str next_text(struct str *rest)
{
	for (size_t i = 0; i + 2 < rest->len; i++) {
		struct str text = str_first(*rest, i + 1);

		if (!str_starts_with(str_from_pos(*rest, i), STR("\n=\n")))
			continue;
		*rest = str_from_pos(*rest, i + 3);
		return text;
	}
	struct str all = *rest;

	*rest = STR("");
	return all;
}

static void judge(struct client_ca *ca, const struct peer_certificate *certificate)
{
	const struct peer_certificate_facts *facts = peer_certificate_facts(certificate);
	enum client_certificate_verdict verdict;
	int64_t until = 0;
	int64_t again = 0;

	assert(facts->fingerprint.len == 64 && facts->spki_hash.len == 44);
	verdict = client_ca_verify(ca, certificate, NOW_UNIX, &until);
	assert(until > NOW_UNIX);
	assert(client_ca_verify(ca, certificate, NOW_UNIX, &again) == verdict && again == until);
	if (client_ca_verify_strictly(ca, certificate, NOW_UNIX) == CLIENT_CERTIFICATE_VALID)
		assert(verdict == CLIENT_CERTIFICATE_VALID);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rest = str_of(data, size);
	struct client_ca_options options = { .ca_pem = next_text(&rest) };
	struct peer_certificate *certificate = NULL;
	struct client_ca *ca = NULL;
	struct err e = { 0 };

	options.crl_pem = next_text(&rest);
	if (client_ca_new(&options, &ca, &e) < 0)
		assert(e.kind != ERR_NONE && e.text[0]);
	e = (struct err){ 0 };
	if (peer_certificate_parse(rest, &certificate, &e) < 0)
		assert(e.kind != ERR_NONE && e.text[0]);
	if (ca && certificate)
		judge(ca, certificate);
	peer_certificate_unref(certificate);
	client_ca_unref(ca);
	return 0;
}
