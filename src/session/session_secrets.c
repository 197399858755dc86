/*
 * session_secrets.c - the schedule: pure functions of what is known
 */

#include "session/session_secrets.h"

#include "base/mem.h"

static struct str copy_secret(struct str s)
{
	return str_of(str_copy(s), s.len);
}

static void free_secret(struct str s)
{
	char *text = NULL;

	/* It is our own copy, which only its readers see as constant. */
	memcpy(&text, &s.at, sizeof(text));
	mem_free_secret(text);
}

struct session_secrets *session_secrets_new(const struct session_secrets *facts)
{
	struct session_secrets *s = mem_alloc(sizeof(*s));

	*s = *facts;
	s->access_token = copy_secret(facts->access_token);
	s->refresh_token = copy_secret(facts->refresh_token);
	s->id_token = copy_secret(facts->id_token);
	return s;
}

void session_secrets_free(struct session_secrets *s)
{
	if (!s)
		return;
	free_secret(s->access_token);
	free_secret(s->refresh_token);
	free_secret(s->id_token);
	mem_free(s);
}

static int64_t earlier(int64_t a, int64_t b)
{
	if (!a || !b)
		return a ? a : b;
	return a < b ? a : b;
}

static int64_t later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* The times are the provider's: they may be anything. */
static int64_t add_seconds(int64_t at_unix, int64_t seconds)
{
	int64_t sum;

	if (__builtin_add_overflow(at_unix, seconds, &sum))
		return seconds < 0 ? INT64_MIN : INT64_MAX;
	return sum;
}

/* After temporary errors a pause of 10 s, 20 s, 40 s, 60 s, 60 s, ...; anything is a time before there were any. */
static int64_t not_before(const struct session_secrets *s)
{
	int64_t pause = REFRESH_INTERVAL_S;

	if (!s->failures)
		return INT64_MIN;
	for (unsigned i = 1; i < s->failures && pause < UPKEEP_RETRY_MAX_S; i++)
		pause *= 2;
	return add_seconds(s->failed_unix, pause < UPKEEP_RETRY_MAX_S ? pause : UPKEEP_RETRY_MAX_S);
}

static int64_t refresh_due(const struct session_secrets *s)
{
	int64_t end = earlier(s->access_expires_unix, s->id_expires_unix);
	int64_t due;

	if (!end || str_is_empty(s->refresh_token))
		return 0;
	due = later(add_seconds(end, -REFRESH_BEFORE_S),
		    add_seconds(s->refreshed_unix, REFRESH_INTERVAL_S));
	return later(due, not_before(s));
}

static int64_t userinfo_due(const struct session_secrets *s)
{
	if (!s->userinfo_unix)
		return 0;
	return later(add_seconds(s->userinfo_unix, USERINFO_INTERVAL_S), not_before(s));
}

bool session_refresh_is_due(const struct session_secrets *s, int64_t now_unix)
{
	int64_t due = refresh_due(s);

	return due && now_unix >= due;
}

bool session_userinfo_is_due(const struct session_secrets *s, int64_t now_unix)
{
	int64_t due = userinfo_due(s);

	return due && now_unix >= due;
}

int64_t session_upkeep_due(const struct session_secrets *s)
{
	return earlier(refresh_due(s), userinfo_due(s));
}

int64_t session_valid_until(const struct session_secrets *s, int64_t expires_unix)
{
	if (!s->access_expires_unix || !str_is_empty(s->refresh_token))
		return expires_unix;
	return earlier(s->access_expires_unix, expires_unix);
}
