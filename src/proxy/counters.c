#include "proxy/counters.h"

#include <string.h>

#include "base/compiler.h"
#include "tls/tls_stream.h"

const char *const counters_refusal_words[] = {
	"bad-request",
	"login-required",
	"session-unknown",
	"session-expired",
	"denied",
	"client-certificate-required",
	"route-not-found",
	"upstream-dns",
	"upstream-refused",
	"upstream-unreachable",
	"upstream-timeout",
	"upstream-tls",
	"upstream-limit",
	"overloaded",
	"shutting-down",
	"internal",
	NULL,
};

const char *const counters_end_words[] = {
	"client-closed",  "client-reset",       "upstream-closed",
	"upstream-reset", "session-revoked",    "session-expired",
	"policy-denied",  "route-removed",      "idle-timeout",
	"duration-limit", "closed-by-operator", "shutdown",
	"protocol-error", "internal",           NULL,
};

const char *const counters_tls_versions[] = { "TLSv1.2", "TLSv1.3", "internal", NULL };

_Static_assert(ARRAY_LEN(counters_refusal_words) <= COUNTERS_WORDS_MAX + 1, "too many words");
_Static_assert(ARRAY_LEN(counters_end_words) <= COUNTERS_WORDS_MAX + 1, "too many words");

const uint64_t counters_connect_bounds_us[COUNTERS_CONNECT_BUCKETS] = {
	500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 1000000, 2500000, 10000000,
};

/* The last one if it is not there. */
static size_t index_of(const char *const *words, const char *word)
{
	size_t i = 0;

	while (words[i + 1] && strcmp(words[i], word) != 0)
		i++;
	return i;
}

void counters_refusal(struct counters *c, const char *reason)
{
	counter_add(&c->refusals[index_of(counters_refusal_words, reason)], 1);
}

void counters_tunnel_end(struct counters *c, const char *end_reason)
{
	counter_add(&c->ends[index_of(counters_end_words, end_reason)], 1);
}

void counters_handshake(struct counters *c, const struct tls_facts *facts)
{
	size_t version = index_of(counters_tls_versions, facts->version);

	counter_add(&c->handshakes[facts->is_resumed ? 1 : 0][version], 1);
}

void counters_connect(struct counters *c, uint64_t took_us)
{
	size_t i = 0;

	while (i < COUNTERS_CONNECT_BUCKETS && took_us > counters_connect_bounds_us[i])
		i++;
	counter_add(&c->connects[i], 1);
	counter_add(&c->connect_us, took_us);
}
