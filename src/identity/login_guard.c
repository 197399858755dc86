/*
 * login_guard.c - one entry per account and per source, in a map and in a list by last activity
 *
 * The first node of the list is the entry that was quiet longest: it is what a full table
 * forgets. A try that begins puts its two entries at the end of the list; so does a failure. An
 * entry older than LOGIN_GUARD_FORGET_S starts anew when it is looked at. A try that was let
 * through and never ended is forgotten the same way.
 *
 * A key is 'a' and the lower-cased e-mail, or 's' and the source. One customer usually holds a
 * whole /64 of IPv6, so a /64 counts as one source. What is longer than any real key is cut.
 */

#include "identity/login_guard.h"

#include <assert.h>
#include <pthread.h>

#include "base/addr.h"
#include "base/buf.h"
#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"

#define KEY_MAX 256

struct entry {
	struct list_node by_activity;
	int64_t active_unix;
	unsigned failures;
	unsigned in_progress;
	struct str key;
	char key_bytes[];
};

struct login_guard {
	pthread_mutex_t lock;
	struct map entries;
	struct list by_activity;
};

struct login_guard *login_guard_new(void)
{
	struct login_guard *g = mem_alloc(sizeof(*g));
	int rc = pthread_mutex_init(&g->lock, NULL);

	assert(rc == 0);
	map_init(&g->entries);
	list_init(&g->by_activity);
	return g;
}

void login_guard_free(struct login_guard *g)
{
	if (!g)
		return;
	LIST_FOREACH (&g->by_activity, node) {
		mem_free(container_of(node, struct entry, by_activity));
	}
	map_done(&g->entries);
	(void)pthread_mutex_destroy(&g->lock); /* nobody holds it */
	mem_free(g);
}

static void account_key(struct str email, struct buf *out)
{
	struct str cut = str_first(email, KEY_MAX - 1);
	_cleanup_(mem_freep) char *lower = str_copy_lower(cut);

	(void)buf_append_char(out, 'a'); /* fits, here and below */
	(void)buf_append_str(out, str_of(lower, cut.len));
}

static void source_key(struct str source_ip, struct buf *out)
{
	struct addr address;

	(void)buf_append_char(out, 's');
	if (addr_from_ip(source_ip, 0, &address) && address.any.sa_family == AF_INET6 &&
	    !IN6_IS_ADDR_V4MAPPED(&address.ip6.sin6_addr))
		(void)buf_append(out, &address.ip6.sin6_addr, 8);
	else
		(void)buf_append_str(out, str_first(source_ip, KEY_MAX - 1));
}

static void forget(struct login_guard *g, struct entry *entry)
{
	(void)map_remove(&g->entries, entry->key); /* it is the entry itself */
	list_remove(&entry->by_activity);
	mem_free(entry);
}

static void forget_quietest(struct login_guard *g)
{
	struct list_node *node = list_first(&g->by_activity);

	assert(node);
	forget(g, container_of(node, struct entry, by_activity));
}

static struct entry *entry_new(struct login_guard *g, struct str key)
{
	struct entry *entry;

	if (g->entries.count >= LOGIN_GUARD_ENTRIES_MAX)
		forget_quietest(g);
	entry = mem_alloc(sizeof(*entry) + key.len);
	memcpy(entry->key_bytes, key.at, key.len);
	entry->key = str_of(entry->key_bytes, key.len);
	(void)map_put(&g->entries, entry->key, entry); /* was not there */
	return entry;
}

/* The entry of that key with something to remember, or NULL. */
static struct entry *find(struct login_guard *g, struct str key, int64_t now_unix)
{
	struct entry *entry = map_get(&g->entries, key);

	if (!entry)
		return NULL;
	/* The wall clock may be set back; nobody has to wait for it to catch up. */
	if (entry->active_unix > now_unix)
		entry->active_unix = now_unix;
	if (now_unix - entry->active_unix < LOGIN_GUARD_FORGET_S)
		return entry;
	forget(g, entry);
	return NULL;
}

/* The entry of that key, there from now on, as the one active last. */
static struct entry *touch(struct login_guard *g, struct str key, int64_t now_unix)
{
	struct entry *entry = find(g, key, now_unix);

	if (!entry)
		entry = entry_new(g, key);
	entry->active_unix = now_unix;
	list_remove(&entry->by_activity);
	list_append(&g->by_activity, &entry->by_activity);
	return entry;
}

static unsigned delay_after(unsigned failures)
{
	unsigned delay = 1;

	if (failures < LOGIN_GUARD_FREE_TRIES)
		return 0;
	for (unsigned i = LOGIN_GUARD_FREE_TRIES; i < failures && delay < LOGIN_GUARD_DELAY_MAX_S;
	     i++)
		delay *= 2;
	return delay < LOGIN_GUARD_DELAY_MAX_S ? delay : LOGIN_GUARD_DELAY_MAX_S;
}

static unsigned seconds_to_wait(struct login_guard *g, struct str key, int64_t now_unix)
{
	const struct entry *entry = find(g, key, now_unix);
	int64_t left;

	if (!entry)
		return 0;
	left = entry->active_unix + delay_after(entry->failures + entry->in_progress) - now_unix;
	return left > 0 ? (unsigned)left : 0;
}

unsigned login_guard_begin(struct login_guard *g, struct str email, struct str source_ip,
			   int64_t now_unix)
{
	_cleanup_(buf_done) struct buf account = BUF_INIT(KEY_MAX);
	_cleanup_(buf_done) struct buf source = BUF_INIT(KEY_MAX);
	unsigned account_wait;
	unsigned source_wait;

	account_key(email, &account);
	source_key(source_ip, &source);
	(void)pthread_mutex_lock(&g->lock); /* cannot fail on a mutex of the default kind */
	account_wait = seconds_to_wait(g, buf_view(&account), now_unix);
	source_wait = seconds_to_wait(g, buf_view(&source), now_unix);
	if (!account_wait && !source_wait) {
		touch(g, buf_view(&account), now_unix)->in_progress++;
		touch(g, buf_view(&source), now_unix)->in_progress++;
	}
	(void)pthread_mutex_unlock(&g->lock);
	return account_wait > source_wait ? account_wait : source_wait;
}

static void count_failure(struct login_guard *g, struct str key, int64_t now_unix)
{
	struct entry *entry = touch(g, key, now_unix);

	entry->failures++;
	if (entry->in_progress)
		entry->in_progress--;
}

static void count_success(struct login_guard *g, struct str key, bool clears, int64_t now_unix)
{
	struct entry *entry = find(g, key, now_unix);

	if (!entry)
		return;
	if (entry->in_progress)
		entry->in_progress--;
	if (clears)
		entry->failures = 0;
	if (!entry->failures && !entry->in_progress)
		forget(g, entry);
}

void login_guard_end(struct login_guard *g, struct str email, struct str source_ip,
		     bool was_successful, int64_t now_unix)
{
	_cleanup_(buf_done) struct buf account = BUF_INIT(KEY_MAX);
	_cleanup_(buf_done) struct buf source = BUF_INIT(KEY_MAX);

	account_key(email, &account);
	source_key(source_ip, &source);
	(void)pthread_mutex_lock(&g->lock); /* cannot fail on a mutex of the default kind */
	if (was_successful) {
		count_success(g, buf_view(&account), true, now_unix);
		/* Or a guesser with an account of his own would clear his address with it. */
		count_success(g, buf_view(&source), false, now_unix);
	} else {
		count_failure(g, buf_view(&account), now_unix);
		count_failure(g, buf_view(&source), now_unix);
	}
	(void)pthread_mutex_unlock(&g->lock);
}
