/*
 * store_memory.c - shards for looking up, one index for everything that changes
 *
 * A lookup takes the mutex of one shard and nothing else. Whoever adds or removes a record holds
 * the mutex of the index during the whole change and takes those of the shards below it, one at a
 * time; so the records of a user are counted right, and the two views never disagree for another
 * writer. Logins are rare next to lookups, which never wait for the index.
 *
 * A user's records are in a list in the order of their logins.
 */

#include "session/store.h"

#include <assert.h>
#include <pthread.h>

#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/random.h"

#define SHARDS 16

struct user {
	struct list records;
	size_t count;
};

struct record {
	struct session *session; /* a reference */
	struct user *user;
	struct list_node in_user;
};

struct shard {
	pthread_mutex_t lock;
	struct map records; /* by session id */
};

struct store {
	uint64_t server_version;
	size_t sessions_max;
	pthread_mutex_t index_lock; /* taken before that of a shard */
	struct map users;           /* by user id; under index_lock, like what follows */
	size_t count;
	uint64_t last_version;
	struct shard shards[SHARDS];
};

static void lock(pthread_mutex_t *mutex)
{
	int rc = pthread_mutex_lock(mutex);

	assert(rc == 0);
}

static void unlock(pthread_mutex_t *mutex)
{
	int rc = pthread_mutex_unlock(mutex);

	assert(rc == 0);
}

static void start_lock(pthread_mutex_t *mutex)
{
	int rc = pthread_mutex_init(mutex, NULL);

	assert(rc == 0);
}

struct store *store_new_memory(void)
{
	return store_new_memory_limited(STORE_SESSIONS_MAX);
}

struct store *store_new_memory_limited(size_t sessions_max)
{
	struct store *store = mem_alloc(sizeof(*store));

	random_bytes(&store->server_version, sizeof(store->server_version));
	store->server_version &= INT64_MAX;
	store->sessions_max = sessions_max;
	start_lock(&store->index_lock);
	map_init(&store->users);
	for (size_t i = 0; i < SHARDS; i++) {
		start_lock(&store->shards[i].lock);
		map_init(&store->shards[i].records);
	}
	return store;
}

uint64_t store_server_version(const struct store *store)
{
	return store->server_version;
}

/* Ids are random; this only spreads them. */
static struct shard *shard_of(struct store *store, struct str id)
{
	uint32_t hash = 0;

	for (size_t i = 0; i < id.len; i++)
		hash = hash * 31 + (uint8_t)id.at[i];
	return &store->shards[(hash ^ hash >> 16) % SHARDS];
}

static struct user *user_of(struct store *store, struct str user_id)
{
	struct user *user = map_get(&store->users, user_id);

	if (user)
		return user;
	user = mem_alloc(sizeof(*user));
	list_init(&user->records);
	(void)map_put(&store->users, user_id, user); /* was not there */
	return user;
}

static void forget_user_if_idle(struct store *store, struct user *user, struct str user_id)
{
	if (user->count)
		return;
	(void)map_remove(&store->users, user_id); /* it is the user itself */
	mem_free(user);
}

/* Under index_lock, for a record that is in no shard any more. */
static void drop_record(struct store *store, struct record *record)
{
	list_remove(&record->in_user);
	record->user->count--;
	store->count--;
	forget_user_if_idle(store, record->user, record->session->who->user_id);
	session_unref(record->session);
	mem_free(record);
}

/* Under index_lock: out of the shard, or NULL. */
static struct record *take_record(struct store *store, struct str id)
{
	struct shard *shard = shard_of(store, id);
	struct record *record;

	lock(&shard->lock);
	record = map_remove(&shard->records, id);
	unlock(&shard->lock);
	return record;
}

/* Under index_lock. */
static void drop_oldest_of(struct store *store, struct user *user)
{
	struct list_node *node = list_first(&user->records);
	const struct record *oldest;

	assert(node);
	oldest = container_of(node, struct record, in_user);
	drop_record(store, take_record(store, str_from(oldest->session->id)));
}

/* Under index_lock. */
static void add_record(struct store *store, struct user *user, struct session *session)
{
	struct record *record = mem_alloc(sizeof(*record));
	struct str id = str_from(session->id);
	struct shard *shard = shard_of(store, id);
	const struct record *replaced;

	/* The last change before other threads can see it. */
	session->record_version = ++store->last_version;
	record->session = session_ref(session);
	record->user = user;
	list_append(&user->records, &record->in_user);
	user->count++;
	store->count++;
	lock(&shard->lock);
	replaced = map_put(&shard->records, id, record);
	unlock(&shard->lock);
	assert(!replaced);
}

int store_put_session(struct store *store, struct session *session, struct err *e)
{
	struct str user_id = session->who->user_id;
	struct user *user;
	bool is_full;

	assert(!session->record_version);
	lock(&store->index_lock);
	user = user_of(store, user_id);
	/* The user is not forgotten with the last but one record: count stays above zero. */
	if (user->count >= STORE_SESSIONS_PER_USER_MAX)
		drop_oldest_of(store, user);
	is_full = store->count >= store->sessions_max;
	if (is_full)
		forget_user_if_idle(store, user, user_id);
	else
		add_record(store, user, session);
	unlock(&store->index_lock);
	return is_full ? err_set(e, ERR_LIMIT, "there are too many sessions") : 0;
}

struct session *store_get_session(struct store *store, struct str id)
{
	struct shard *shard = shard_of(store, id);
	struct session *session = NULL;
	const struct record *record;

	lock(&shard->lock);
	record = map_get(&shard->records, id);
	if (record)
		session = session_ref(record->session);
	unlock(&shard->lock);
	return session;
}

bool store_delete_session(struct store *store, struct str id)
{
	struct record *record;

	lock(&store->index_lock);
	record = take_record(store, id);
	if (record)
		drop_record(store, record);
	unlock(&store->index_lock);
	return record;
}

struct purge {
	struct store *store;
	int64_t now_unix;
	size_t count;
	bool is_everything;
};

static bool drop_if_expired(void *arg, struct str key, void *value)
{
	struct purge *purge = arg;
	struct record *record = value;

	if (!purge->is_everything && !session_is_expired(record->session, purge->now_unix))
		return false;
	drop_record(purge->store, record);
	purge->count++;
	return true;
}

/* One shard at a time, so that a login waits for a sixteenth of the work at most. */
static void purge_shards(struct purge *purge)
{
	for (size_t i = 0; i < SHARDS; i++) {
		struct shard *shard = &purge->store->shards[i];

		lock(&purge->store->index_lock);
		lock(&shard->lock);
		map_visit(&shard->records, drop_if_expired, purge);
		unlock(&shard->lock);
		unlock(&purge->store->index_lock);
	}
}

size_t store_purge(struct store *store, int64_t now_unix)
{
	struct purge purge = { .store = store, .now_unix = now_unix };

	purge_shards(&purge);
	return purge.count;
}

size_t store_session_count(struct store *store)
{
	size_t count;

	lock(&store->index_lock);
	count = store->count;
	unlock(&store->index_lock);
	return count;
}

void store_free(struct store *store)
{
	if (!store)
		return;
	purge_shards(&(struct purge){ .store = store, .is_everything = true });
	for (size_t i = 0; i < SHARDS; i++) {
		map_done(&store->shards[i].records);
		(void)pthread_mutex_destroy(&store->shards[i].lock); /* nobody holds it */
	}
	map_done(&store->users);
	(void)pthread_mutex_destroy(&store->index_lock); /* likewise */
	mem_free(store);
}
